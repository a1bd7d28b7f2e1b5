//! A plain HTTP/1.1 client that shows what is on the wire. It has one connection, keeps it open,
//! and never reconnects silently.

use std::io::{BufRead, BufReader, Error, ErrorKind, Result, Write};
use std::net::{SocketAddr, TcpStream};

use crate::wait::PATIENCE;

/// One connection to a server.
pub struct Client {
    address: SocketAddr,
    stream: Option<BufReader<TcpStream>>,
}

/// A response.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Header fields in order, with names in lower case.
    pub header: Vec<(String, String)>,
    /// The whole body.
    pub body: Vec<u8>,
}

impl Client {
    /// A client that connects with its first request.
    #[must_use]
    pub const fn new(address: SocketAddr) -> Self {
        Self { address, stream: None }
    }

    /// Sends a request and waits for its response. It connects when there is no connection: at
    /// first, after an error, and after a response with `connection: close`.
    ///
    /// # Errors
    /// When the server refuses the connection, closes it before it responds, or takes longer than
    /// [`PATIENCE`].
    pub fn send(&mut self, method: &str, path: &str, body: &[u8]) -> Result<Response> {
        self.send_with(method, path, "", body)
    }

    /// The same with more header lines, each with its line end.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub fn send_with(
        &mut self,
        method: &str,
        path: &str,
        header: &str,
        body: &[u8],
    ) -> Result<Response> {
        let mut stream = match self.stream.take() {
            Some(open) => open,
            None => connect(self.address)?,
        };
        let (host, length) = (self.address, body.len());
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: {host}\r\n{header}content-length: {length}\r\n\r\n"
        );
        stream.get_mut().write_all(&[head.as_bytes(), body].concat())?;
        let response = receive(&mut stream)?;
        if response.field("connection") != Some("close") {
            self.stream = Some(stream);
        }
        Ok(response)
    }
}

impl Response {
    /// The first field with this name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.header.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

fn connect(address: SocketAddr) -> Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    Ok(BufReader::new(stream))
}

fn receive(stream: &mut impl BufRead) -> Result<Response> {
    let status_line = line(stream)?;
    let status = status_line.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| malformed(&status_line))?;
    let mut header = Vec::new();
    loop {
        let field = line(stream)?;
        if field.is_empty() {
            break;
        }
        let (name, value) = field.split_once(':').ok_or_else(|| malformed(&field))?;
        header.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut response = Response { status, header, body: Vec::new() };
    let length = response.field("content-length").and_then(|length| length.parse().ok());
    response.body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut response.body)?;
    Ok(response)
}

fn line(stream: &mut impl BufRead) -> Result<String> {
    let mut line = String::new();
    if stream.read_line(&mut line)? == 0 {
        return Err(Error::new(ErrorKind::UnexpectedEof, "the server closed the connection"));
    }
    Ok(line.trim_end().to_owned())
}

fn malformed(line: &str) -> Error {
    Error::new(ErrorKind::InvalidData, format!("not HTTP: {line:?}"))
}
