//! Follows what happens on a host: server-sent events, as they come.

use std::time::Duration;

use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::handshake;
use hyper::header::{ACCEPT, CONTENT_TYPE, HOST};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::task::AbortHandle;
use tokio::time::timeout;
use trellis_control::{Fault, Lost};

use super::ask::{AdminClient, asking, refusal};
use super::error::ClientError;

/// The type of a stream.
const EVENT_STREAM: &str = "text/event-stream";
/// Longest silence of a host that is followed: it says something every ten seconds.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// Longest event, in bytes: those of hosts have far less.
const EVENT_BYTES_MAX: usize = 4 << 20;

/// Something that is followed; it ends when this is dropped.
pub struct Following {
    place: String,
    body: Incoming,
    serving: AbortHandle,
    text: Text,
}

/// What comes.
#[derive(Debug)]
pub enum Followed<T> {
    /// One of what is followed.
    Item(T),
    /// So many that should have come are lost: they were read too slowly.
    Lost(u64),
    /// Nothing more comes, for this reason.
    End(Box<Fault>),
}

impl AdminClient {
    /// Follows `/v1/RESOURCE`, as far as the query means it.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn follow(
        &self,
        resource: &[&str],
        query: &[(&str, String)],
    ) -> Result<Following, ClientError> {
        let uri = asking(resource, query);
        match timeout(self.patience, self.begin(&uri)).await {
            Ok(following) => following,
            Err(_) => Err(self.late(self.patience)),
        }
    }

    async fn begin(&self, uri: &str) -> Result<Following, ClientError> {
        let stream = self.place.connect().await?;
        let broken = |error: hyper::Error| self.garbled(&error.to_string());
        let request = Request::builder().uri(uri).header(ACCEPT, EVENT_STREAM);
        let request = self.shown(request.header(HOST, self.place.authority()))?;
        let request = request.body(Empty::<Bytes>::new());
        let request = request.map_err(|error| self.garbled(&error.to_string()))?;
        let (mut sender, connection) = handshake(TokioIo::new(stream)).await.map_err(broken)?;
        let serving = tokio::spawn(connection).abort_handle();
        let (head, body) = sender.send_request(request).await.map_err(broken)?.into_parts();
        let kind = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let following = Following { place: self.place(), body, serving, text: Text::default() };
        if head.status.is_success() && kind.is_some_and(|kind| kind.starts_with(EVENT_STREAM)) {
            return Ok(following);
        }
        let answer = following.whole().await?;
        Err(refusal(&answer).unwrap_or_else(|| {
            self.garbled(&format!("it answers with status {} and no stream", head.status))
        }))
    }
}

impl Following {
    /// What comes next; `None` when the host went away without a word.
    ///
    /// # Errors
    /// What comes is no stream of a host, or nothing comes for too long.
    pub async fn next<T: DeserializeOwned>(&mut self) -> Result<Option<Followed<T>>, ClientError> {
        loop {
            if let Some((name, data)) = self.text.event() {
                return self.read(&name, &data).map(Some);
            }
            let Some(bytes) = self.more().await? else { return Ok(None) };
            if !self.text.add(&bytes) {
                return Err(self.odd("it sends an event that is too long"));
            }
        }
    }

    fn read<T: DeserializeOwned>(
        &self,
        name: &str,
        data: &str,
    ) -> Result<Followed<T>, ClientError> {
        let read = match name {
            "" => serde_json::from_str(data).map(Followed::Item),
            "lost" => serde_json::from_str(data).map(|Lost { lost }| Followed::Lost(lost)),
            _ => {
                let end = refusal(data.as_bytes());
                return match end {
                    Some(ClientError::Refused(fault)) => Ok(Followed::End(fault)),
                    _ => Err(self.odd("it sends something that is not known")),
                };
            }
        };
        read.map_err(|error| self.odd(&error.to_string()))
    }

    /// The next bytes; `None` at the end.
    async fn more(&mut self) -> Result<Option<Bytes>, ClientError> {
        loop {
            let frame = match timeout(SILENCE_MAX, self.body.frame()).await {
                Ok(Some(frame)) => frame.map_err(|error| self.odd(&error.to_string()))?,
                Ok(None) => return Ok(None),
                Err(_) => {
                    let (place, waited_ms) = (self.place.clone(), SILENCE_MAX.as_millis());
                    return Err(ClientError::Late { place, waited_ms });
                }
            };
            if let Ok(bytes) = frame.into_data() {
                return Ok(Some(bytes));
            }
        }
    }

    /// A short answer, whole.
    async fn whole(mut self) -> Result<Vec<u8>, ClientError> {
        let mut whole = Vec::new();
        while let Some(bytes) = self.more().await? {
            if whole.len() + bytes.len() > EVENT_BYTES_MAX {
                return Err(self.odd("its answer is too long"));
            }
            whole.extend_from_slice(&bytes);
        }
        Ok(whole)
    }

    fn odd(&self, why: &str) -> ClientError {
        let why = format!("what answers is no host, or it went away: {why}");
        ClientError::Unreachable { place: self.place.clone(), why }
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// The text of a stream, as far as it came and was not read.
#[derive(Default)]
struct Text(Vec<u8>);

impl Text {
    /// Adds what came; false when an event does not end.
    fn add(&mut self, bytes: &[u8]) -> bool {
        self.0.extend_from_slice(bytes);
        self.0.len() <= EVENT_BYTES_MAX
    }

    /// The next event with data: its name and that.
    fn event(&mut self) -> Option<(String, String)> {
        loop {
            let end = self.0.windows(2).position(|two| two == b"\n\n")?;
            let event: Vec<u8> = self.0.drain(..end + 2).collect();
            let event = String::from_utf8_lossy(&event);
            let field = |name: &str| {
                let is_it =
                    |line: &str| Some(line.strip_prefix(name)?.strip_prefix(": ")?.to_owned());
                event.lines().find_map(is_it)
            };
            if let Some(data) = field("data") {
                return Some((field("event").unwrap_or_default(), data));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_however_they_are_cut() {
        let text = b": \n\nid: 1-1\ndata: {\"a\":1}\n\nevent: lost\ndata: {\"lost\":2}\n\nda";
        for size in [1, 7, text.len()] {
            let (mut found, mut read) = (Vec::new(), Text::default());
            for bytes in text.chunks(size) {
                assert!(read.add(bytes));
                found.extend(std::iter::from_fn(|| read.event()));
            }
            let event = |name: &str, data: &str| (name.to_owned(), data.to_owned());
            assert_eq!(found, [event("", "{\"a\":1}"), event("lost", "{\"lost\":2}")], "{size}");
            assert_eq!(read.0, b"da");
        }
        assert!(!Text::default().add(&vec![b'a'; EVENT_BYTES_MAX + 1]), "it has an end");
    }
}
