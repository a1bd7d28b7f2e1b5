//! Where a host is asked.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use hyper::Uri;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

use super::error::ClientError;

/// Port of a URL that has none. Source: RFC 9110, 4.2.1.
const HTTP_PORT: u16 = 80;

/// Where a host is asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Place {
    /// At its socket.
    Socket(PathBuf),
    /// At its admin address, with a token.
    Address(Address),
}

/// An admin address.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Address {
    host: String,
    port: u16,
    pub(super) token: Option<Token>,
}

/// A bearer token: redacted in `Debug`, without `Display`.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Token(pub(super) Arc<str>);

/// A connection to a host.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

impl Place {
    /// The admin address that a URL names.
    ///
    /// # Errors
    /// A sentence that says what the URL must be.
    pub(super) fn of_url(url: &str, token: Option<String>) -> Result<Self, String> {
        let wrong = || "the URL of a host is http://ADDRESS:PORT".to_owned();
        if url.starts_with("https://") {
            return Err(format!(
                "{}; HTTPS is not spoken: what unwraps it has to run beside this command",
                wrong()
            ));
        }
        let uri: Uri = url.parse().map_err(|_| wrong())?;
        let is_plain = uri.authority().is_some_and(|authority| !authority.as_str().contains('@'));
        let host = uri.host().filter(|_| is_plain && uri.scheme_str() == Some("http"));
        let host = host.filter(|_| matches!(uri.path(), "" | "/") && uri.query().is_none());
        let host = host.ok_or_else(wrong)?.trim_start_matches('[').trim_end_matches(']');
        let token = token.map(|token| Token(token.into()));
        let port = uri.port_u16().unwrap_or(HTTP_PORT);
        Ok(Self::Address(Address { host: host.to_owned(), port, token }))
    }

    /// True for an address of this machine, or for what leaves it no more than a file does.
    pub(super) fn is_local(&self) -> bool {
        match self {
            Self::Socket(_) => true,
            Self::Address(address) => {
                let ip = address.host.parse::<std::net::IpAddr>();
                address.host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback())
            }
        }
    }

    /// What a request names as its host.
    pub(super) fn authority(&self) -> String {
        match self {
            Self::Socket(_) => "localhost".to_owned(),
            Self::Address(address) => address.to_string(),
        }
    }

    pub(super) async fn connect(&self) -> Result<Box<dyn Stream>, ClientError> {
        let failed = |error: io::Error| self.unreached(&error);
        match self {
            Self::Socket(socket) => {
                let stream = UnixStream::connect(socket).await.map_err(failed)?;
                let user = stream.peer_cred().map_err(failed)?.uid();
                if may_be_asked(user, rustix::process::geteuid().as_raw()) {
                    return Ok(Box::new(stream));
                }
                Err(ClientError::Foreign { place: self.to_string(), user })
            }
            Self::Address(address) => {
                let stream = TcpStream::connect((&*address.host, address.port)).await;
                Ok(Box::new(stream.map_err(failed)?))
            }
        }
    }

    /// What it means that nothing could be connected to. Of a socket, the system says more.
    fn unreached(&self, error: &io::Error) -> ClientError {
        let is_socket = matches!(self, Self::Socket(_));
        let place = self.to_string();
        let why = match error.kind() {
            io::ErrorKind::PermissionDenied if is_socket => {
                return ClientError::Forbidden { place };
            }
            io::ErrorKind::ConnectionRefused if is_socket => return ClientError::Gone { place },
            io::ErrorKind::NotFound if is_socket => "there is no socket".to_owned(),
            _ => error.to_string(),
        };
        ClientError::Unreachable { place, why }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(path) => write!(f, "{}", path.display()),
            Self::Address(address) => write!(f, "http://{address}"),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            return write!(f, "[{}]:{}", self.host, self.port);
        }
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(redacted)")
    }
}

/// True for a host that is told what its client wants: one of the same user, or of root. Root asks
/// everybody.
const fn may_be_asked(host: u32, own: u32) -> bool {
    host == own || host == 0 || own == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_host_of_the_same_user_or_of_root_is_asked() {
        assert!(may_be_asked(7, 7) && may_be_asked(0, 7) && may_be_asked(7, 0));
        assert!(!may_be_asked(8, 7));
    }

    #[test]
    fn a_url_is_an_address_and_no_more() {
        for (url, shown, is_local) in [
            ("http://127.0.0.1:9090", "http://127.0.0.1:9090", true),
            ("http://localhost:9090/", "http://localhost:9090", true),
            ("http://[::1]:9090", "http://[::1]:9090", true),
            ("http://db.example", "http://db.example:80", false),
        ] {
            let place = Place::of_url(url, Some("canary".to_owned())).expect("it is one");
            assert_eq!((place.to_string(), place.is_local()), (shown.to_owned(), is_local));
            assert!(!format!("{place:?}").contains("canary"), "{place:?}");
        }
        for url in [
            "https://a:1",
            "http://",
            "http://a/b",
            "http://a?b",
            "ftp://a",
            "http://a b",
            "http://me:canary@a",
        ] {
            assert!(Place::of_url(url, None).is_err(), "{url}");
        }
    }
}
