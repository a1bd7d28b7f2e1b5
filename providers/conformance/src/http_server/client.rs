//! A client that writes and reads HTTP by itself, a connection for each request.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long an answer may take; far more than any takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a client got.
#[derive(Debug)]
pub(super) struct Got {
    pub(super) status: u16,
    pub(super) fields: Vec<(String, String)>,
    pub(super) body: String,
}

impl Got {
    /// Every value of a header, in order.
    pub(super) fn all(&self, name: &str) -> Vec<&str> {
        let named = self.fields.iter().filter(|(key, _)| key == name);
        named.map(|(_, value)| value.as_str()).collect()
    }
}

/// Sends a request head (its first line and headers, without `connection`) and a body.
pub(super) async fn exchange(address: SocketAddr, head: &[u8], body: &str) -> Got {
    let answered = async {
        let mut tcp = TcpStream::connect(address).await.expect("the server listens");
        let rest = format!("connection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        tcp.write_all(&[head, rest.as_bytes()].concat()).await.expect("the server reads");
        let mut bytes = Vec::new();
        tcp.read_to_end(&mut bytes).await.expect("the server answers, then closes");
        bytes
    };
    let bytes = tokio::time::timeout(PATIENCE, answered).await.expect("an answer in time");
    let text = String::from_utf8(bytes).expect("the answers of this suite are text");
    let (head, body) = text.split_once("\r\n\r\n").expect("an answer has a head");
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).expect("a status line");
    let field = |line: &str| {
        let (name, value) = line.split_once(':').expect("a header has a name and a value");
        (name.to_ascii_lowercase(), value.trim().to_owned())
    };
    Got {
        status: status.parse().expect("a status is a number"),
        fields: lines.map(field).collect(),
        body: body.to_owned(),
    }
}

/// A `GET`.
pub(super) async fn get(address: SocketAddr) -> Got {
    exchange(address, b"GET / HTTP/1.1\r\nhost: a\r\n", "").await
}
