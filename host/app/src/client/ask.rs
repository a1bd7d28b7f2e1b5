//! Asks one host.

use std::path::{Path, PathBuf};
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::handshake;
use hyper::header::{CONTENT_TYPE, HOST, IF_MATCH};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::net::UnixStream;
use tokio::time::timeout;
use trellis_control::{Answer, Document, EditRequest, Fault};
use trellis_core::{CallError, Code};
use trellis_limits::fixed::ADMIN_BODY;

use super::error::ClientError;
use crate::admin::{MESSAGE_PACK, TIMEOUT_HEADER};

/// Longest wait for a host that only has to tell what it knows.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(10);
/// How much longer than the actor may take its answer is waited for: the host has the last word on
/// what was late.
const CALL_GRACE: Duration = Duration::from_secs(5);
/// Longest call that any host allows.
const CALL_TIME_MAX: Duration = Duration::from_secs(300);
/// Largest answer, in bytes: the list of ten thousand actors has less, and the largest reply of an
/// actor too.
const ANSWER_BYTES_MAX: usize = 160 << 20;

/// What stands in a path as it is: all that needs no encoding anywhere in a URL.
const NAME: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Asks the host that serves a socket. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AdminClient {
    socket: PathBuf,
}

impl AdminClient {
    /// Asks the host that serves this socket.
    #[must_use]
    pub const fn at(socket: PathBuf) -> Self {
        Self { socket }
    }

    /// The socket's path.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// What the host says of `/v1/RESOURCE`, such as `["actors", "counter"]`.
    ///
    /// # Errors
    /// That nobody answers, that it is somebody else, or what the host says against it.
    pub async fn get(&self, resource: &[&str]) -> Result<Answer, ClientError> {
        let request = Request::builder().method(Method::GET).uri(path(resource));
        let asking = async {
            let (_, body) = self.ask(request, Bytes::new()).await?;
            let document: Result<Document<Answer>, _> = serde_json::from_slice(&body);
            document.map_err(|error| self.garbled(&error.to_string()))
        };
        match timeout(ANSWER_TIME_MAX, asking).await {
            Ok(document) => Ok(document?.content),
            Err(_) => Err(self.late(ANSWER_TIME_MAX)),
        }
    }

    /// Calls an actor by key, name or alias; `patience` is how long its caller waits at most.
    ///
    /// # Errors
    /// As [`get`](Self::get); also what the call answered.
    pub async fn invoke(
        &self,
        (actor, operation): (&str, &str),
        payload: Bytes,
        patience: Option<Duration>,
    ) -> Result<Bytes, ClientError> {
        if payload.len() as u64 > ADMIN_BODY.default {
            let (most, name) = (ADMIN_BODY.default, ADMIN_BODY.name);
            let message = format!("the payload is larger than {most} bytes ({name})");
            let fault = Fault::of(&CallError::new(Code::TooLarge, message));
            return Err(ClientError::Refused(Box::new(fault)));
        }
        let uri = path(&["actors", actor, "invoke", operation]);
        let mut request = Request::builder().method(Method::POST).uri(uri);
        request = request.header(CONTENT_TYPE, MESSAGE_PACK);
        if let Some(patience) = patience {
            request = request.header(TIMEOUT_HEADER, format!("{}ms", patience.as_millis().max(1)));
        }
        let wait = patience.unwrap_or(CALL_TIME_MAX).min(CALL_TIME_MAX) + CALL_GRACE;
        match timeout(wait, self.ask(request, payload)).await {
            Ok(answer) => Ok(answer?.1),
            Err(_) => Err(self.late(wait)),
        }
    }

    /// Has an edit made that was made for a revision of what is wanted; waits for as long as
    /// `patience`, and the host goes on when that is over.
    ///
    /// # Errors
    /// As [`get`](Self::get); also why it was not made.
    pub async fn edit(
        &self,
        edit: &EditRequest,
        made_for: u64,
        patience: Duration,
    ) -> Result<Answer, ClientError> {
        let body = serde_json::to_vec(edit).map_err(|error| self.garbled(&error.to_string()))?;
        let request = Request::builder().method(Method::POST).uri(path(&["edits"]));
        let request = request.header(IF_MATCH, format!("\"{made_for}\""));
        let request = request.header(CONTENT_TYPE, "application/json");
        match timeout(patience, self.ask(request, body.into())).await {
            Ok(answer) => {
                let document: Result<Document<Answer>, _> = serde_json::from_slice(&answer?.1);
                Ok(document.map_err(|error| self.garbled(&error.to_string()))?.content)
            }
            Err(_) => Err(self.late(patience)),
        }
    }

    /// Sends a request and takes its whole answer.
    async fn ask(
        &self,
        request: hyper::http::request::Builder,
        payload: Bytes,
    ) -> Result<(Response<()>, Bytes), ClientError> {
        let stream = self.connect().await?;
        let broken = |error: hyper::Error| self.garbled(&error.to_string());
        let request = request.header(HOST, "localhost").body(Full::new(payload));
        let request = request.map_err(|error| self.garbled(&error.to_string()))?;
        let (mut sender, connection) = handshake(TokioIo::new(stream)).await.map_err(broken)?;
        // It ends with the answer; what becomes of it is told there.
        let serving = tokio::spawn(connection);
        let answer = async {
            let (head, body) = sender.send_request(request).await.map_err(broken)?.into_parts();
            let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
            let body = body.map_err(|error| self.garbled(&error.to_string()))?.to_bytes();
            Ok((Response::from_parts(head, ()), body))
        };
        let answer = answer.await;
        serving.abort();
        let (head, body) = answer?;
        if head.status().is_success() {
            return Ok((head, body));
        }
        let document: Result<Document<Answer>, _> = serde_json::from_slice(&body);
        match document.map(|document| document.content) {
            Ok(Answer::Error(fault)) => Err(ClientError::Refused(fault)),
            _ => Err(self.garbled(&format!("it answers with status {}", head.status()))),
        }
    }

    async fn connect(&self) -> Result<UnixStream, ClientError> {
        let stream = UnixStream::connect(&self.socket).await;
        let stream = stream.map_err(|error| ClientError::of_connecting(&self.socket, &error))?;
        let host = stream.peer_cred().map(|peer| peer.uid());
        let host = host.map_err(|error| self.garbled(&error.to_string()))?;
        if may_be_asked(host, rustix::process::geteuid().as_raw()) {
            return Ok(stream);
        }
        Err(ClientError::Foreign { socket: self.socket.clone(), user: host })
    }

    fn garbled(&self, why: &str) -> ClientError {
        let why = format!("what answers is no host, or it went away: {why}");
        ClientError::Unreachable { socket: self.socket.clone(), why }
    }

    fn late(&self, wait: Duration) -> ClientError {
        let why = format!("it did not answer within {} s", wait.as_secs());
        ClientError::Unreachable { socket: self.socket.clone(), why }
    }
}

/// True for a host that is told what its client wants: one of the same user, or of root. Root asks
/// everybody.
const fn may_be_asked(host: u32, own: u32) -> bool {
    host == own || host == 0 || own == 0
}

/// The path of a resource, whatever letters are in its names.
fn path(names: &[&str]) -> String {
    let names = names.iter().map(|name| format!("/{}", utf8_percent_encode(name, NAME)));
    format!("/v1{}", names.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_any_letters_is_one_part_of_a_path() {
        assert_eq!(
            path(&["actors", "a/b é", "invoke", "Get?"]),
            "/v1/actors/a%2Fb%20%C3%A9/invoke/Get%3F"
        );
        assert_eq!(path(&["host"]), "/v1/host");
    }

    #[test]
    fn only_a_host_of_the_same_user_or_of_root_is_asked() {
        assert!(may_be_asked(7, 7) && may_be_asked(0, 7) && may_be_asked(7, 0));
        assert!(!may_be_asked(8, 7));
    }

    #[tokio::test]
    async fn what_is_no_host_is_told_apart_from_nobody() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let socket = folder.path().join("a.sock");
        let why = |error: ClientError| match error {
            ClientError::Unreachable { why, .. } => why,
            other => panic!("{other:?}"),
        };
        let asks = AdminClient::at(socket.clone());
        let nobody = why(asks.get(&["host"]).await.expect_err("nobody"));
        assert!(nobody.contains("there is no socket"), "{nobody}");
        let listener = tokio::net::UnixListener::bind(&socket).expect("the folder is writable");
        let other = async {
            let (mut stream, _) = listener.accept().await.expect("it comes in");
            let text = b"220 mail ready\r\n";
            tokio::io::AsyncWriteExt::write_all(&mut stream, text).await.expect("it reads");
        };
        let (answer, ()) = tokio::join!(asks.get(&["host"]), other);
        let other = why(answer.expect_err("no host"));
        assert!(other.contains("no host"), "{other}");
    }
}
