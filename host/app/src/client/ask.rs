//! Asks one host.

use std::path::PathBuf;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::handshake;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue, IF_MATCH};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::time::timeout;
use trellis_control::{Answer, Document, EditRequest, Fault};
use trellis_core::{CallError, Code};
use trellis_limits::fixed::ADMIN_BODY;

use super::error::ClientError;
use super::place::Place;
use crate::admin::{MESSAGE_PACK, TIMEOUT_HEADER};

/// Longest wait for a host that only has to tell what it knows, unless who asks says otherwise.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(10);
/// How much longer than the actor may take its answer is waited for: the host has the last word on
/// what was late.
const CALL_GRACE: Duration = Duration::from_secs(2);
/// Longest call that any host allows.
const CALL_TIME_MAX: Duration = Duration::from_secs(300);
/// Largest answer, in bytes: the list of ten thousand actors has less, and the largest reply of an
/// actor too.
const ANSWER_BYTES_MAX: usize = 160 << 20;

/// What stands in a path as it is: all that needs no encoding anywhere in a URL.
const NAME: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Asks the host that serves a socket, or an admin address. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AdminClient {
    pub(super) place: Place,
    pub(super) patience: Duration,
}

impl AdminClient {
    /// Asks the host that serves this socket.
    #[must_use]
    pub const fn at(socket: PathBuf) -> Self {
        Self { place: Place::Socket(socket), patience: ANSWER_TIME_MAX }
    }

    /// Asks the host whose admin address this URL names, with a bearer token.
    ///
    /// # Errors
    /// A sentence that says what the URL must be.
    pub fn over(url: &str, token: Option<String>) -> Result<Self, String> {
        Ok(Self { place: Place::of_url(url, token)?, patience: ANSWER_TIME_MAX })
    }

    /// The same, which waits no longer than this for what the host knows.
    #[must_use]
    pub fn waiting(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Where it asks, for people.
    #[must_use]
    pub fn place(&self) -> String {
        self.place.to_string()
    }

    /// True when nothing of what it sends leaves this machine.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.place.is_local()
    }

    /// What the host says of `/v1/RESOURCE`, such as `["actors", "counter"]`.
    ///
    /// # Errors
    /// That nobody answers, that it is somebody else, or what the host says against it.
    pub async fn get(&self, resource: &[&str]) -> Result<Answer, ClientError> {
        self.list(resource, &[]).await
    }

    /// The same, as far as a query means it.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn list(
        &self,
        resource: &[&str],
        query: &[(&str, String)],
    ) -> Result<Answer, ClientError> {
        let request = Request::builder().method(Method::GET).uri(asking(resource, query));
        let asking = async {
            let (_, body) = self.ask(request, Bytes::new()).await?;
            let document: Result<Document<Answer>, _> = serde_json::from_slice(&body);
            document.map_err(|error| self.garbled(&error.to_string()))
        };
        match timeout(self.patience, asking).await {
            Ok(document) => Ok(document?.content),
            Err(_) => Err(self.late(self.patience)),
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

    /// Has an edit made that was made for what an ETag says, or for whatever is wanted; waits for
    /// as long as `patience`, and the host goes on when that is over.
    ///
    /// # Errors
    /// As [`get`](Self::get); also why it was not made.
    pub async fn edit(
        &self,
        edit: &EditRequest,
        made_for: Option<&str>,
        patience: Duration,
    ) -> Result<Answer, ClientError> {
        let body = serde_json::to_vec(edit).map_err(|error| self.garbled(&error.to_string()))?;
        let mut request = Request::builder().method(Method::POST).uri(path(&["edits"]));
        if let Some(etag) = made_for {
            request = request.header(IF_MATCH, format!("\"{etag}\""));
        }
        let request = request.header(CONTENT_TYPE, "application/json");
        match timeout(patience, self.ask(request, body.into())).await {
            Ok(answer) => {
                let document: Result<Document<Answer>, _> = serde_json::from_slice(&answer?.1);
                Ok(document.map_err(|error| self.garbled(&error.to_string()))?.content)
            }
            Err(_) => Err(self.late(patience)),
        }
    }

    /// Asks what an actor has in a store, or puts something there (`way`).
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn data(
        &self,
        (actor, binding): (&str, &str),
        (way, body): (&str, Vec<u8>),
    ) -> Result<Answer, ClientError> {
        let request = Request::builder().method(Method::POST);
        let request = request.uri(path(&["data", actor, binding, way]));
        let request = request.header(CONTENT_TYPE, "application/json");
        match timeout(self.patience, self.ask(request, body.into())).await {
            Ok(answer) => {
                let document: Result<Document<Answer>, _> = serde_json::from_slice(&answer?.1);
                Ok(document.map_err(|error| self.garbled(&error.to_string()))?.content)
            }
            Err(_) => Err(self.late(self.patience)),
        }
    }

    /// Sends a request and takes its whole answer.
    async fn ask(
        &self,
        request: hyper::http::request::Builder,
        payload: Bytes,
    ) -> Result<(Response<()>, Bytes), ClientError> {
        let stream = self.place.connect().await?;
        let broken = |error: hyper::Error| self.garbled(&error.to_string());
        let request = self.shown(request.header(HOST, self.place.authority()))?;
        let request = request.body(Full::new(payload));
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
        Err(refusal(&body)
            .unwrap_or_else(|| self.garbled(&format!("it answers with status {}", head.status()))))
    }

    /// The request with the token that shows who asks.
    pub(super) fn shown(
        &self,
        request: hyper::http::request::Builder,
    ) -> Result<hyper::http::request::Builder, ClientError> {
        let Place::Address(address) = &self.place else { return Ok(request) };
        let Some(token) = &address.token else { return Ok(request) };
        let value = HeaderValue::from_str(&format!("Bearer {}", token.0));
        let mut value = value.map_err(|_| {
            let message = "the token has letters that none has";
            let fault = Fault::of(&CallError::new(Code::Token, message));
            ClientError::Refused(Box::new(fault.cure("Make one with `trellis token create`.")))
        })?;
        value.set_sensitive(true);
        Ok(request.header(AUTHORIZATION, value))
    }

    pub(super) fn garbled(&self, why: &str) -> ClientError {
        let why = format!("what answers is no host, or it went away: {why}");
        ClientError::Unreachable { place: self.place(), why }
    }

    pub(super) fn late(&self, wait: Duration) -> ClientError {
        ClientError::Late { place: self.place(), waited_ms: wait.as_millis() }
    }
}

/// The path of a resource, with a query.
pub(super) fn asking(resource: &[&str], query: &[(&str, String)]) -> String {
    let pair =
        |(key, value): &(&str, String)| format!("{key}={}", utf8_percent_encode(value, NAME));
    let pairs: Vec<_> = query.iter().map(pair).collect();
    let begin = if pairs.is_empty() { "" } else { "?" };
    format!("{}{begin}{}", path(resource), pairs.join("&"))
}

/// Why a host refuses something, in its own words.
pub(super) fn refusal(body: &[u8]) -> Option<ClientError> {
    let document: Document<Answer> = serde_json::from_slice(body).ok()?;
    match document.content {
        Answer::Error(fault) => Some(ClientError::Refused(fault)),
        _ => None,
    }
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

    #[tokio::test(start_paused = true)]
    async fn a_host_that_is_silent_is_told_from_none() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let socket = folder.path().join("a.sock");
        // It takes connections, as one that is stopped by a signal does, and says nothing.
        let _listener = tokio::net::UnixListener::bind(&socket).expect("the folder is writable");
        let asks = AdminClient::at(socket).waiting(Duration::from_millis(300));
        let late = asks.get(&["host"]).await.expect_err("it is silent");
        assert!(matches!(late, ClientError::Late { waited_ms: 300, .. }), "{late}");
    }
}
