//! A registry of one module that answers as it is told.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::AUTHORIZATION;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::digest::{digest_of, written_digest};

/// What it answers.
pub(super) struct Answer {
    response: Option<Response<UnsyncBoxBody<Bytes, Infallible>>>,
}

impl Answer {
    pub(super) fn whole(status: u16, body: &[u8]) -> Self {
        Self::of(status, Full::new(Bytes::copy_from_slice(body)).boxed_unsync())
    }

    /// A body that never ends.
    pub(super) fn endless() -> Self {
        let pieces = stream::repeat_with(|| Ok(Frame::data(Bytes::from_static(&[0; 16 << 10]))));
        Self::of(200, StreamBody::new(pieces).boxed_unsync())
    }

    /// A byte of a body now and then.
    pub(super) fn dripping() -> Self {
        let pieces = stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            Some((Ok(Frame::data(Bytes::from_static(&[0]))), ()))
        });
        Self::of(200, StreamBody::new(pieces).boxed_unsync())
    }

    /// A head whose body never begins.
    pub(super) fn silent() -> Self {
        Self::of(200, StreamBody::new(stream::pending()).boxed_unsync())
    }

    /// None.
    pub(super) fn never() -> Self {
        Self { response: None }
    }

    pub(super) fn with(mut self, header: &'static str, value: String) -> Self {
        let headers = self.response.as_mut().map(Response::headers_mut);
        headers.expect("an answer").insert(header, value.parse().expect("a header"));
        self
    }

    fn of(status: u16, body: UnsyncBoxBody<Bytes, Infallible>) -> Self {
        let response = Response::builder().status(status).body(body);
        Self { response: Some(response.expect("a right response")) }
    }
}

type Other = Box<dyn Fn(Answer) -> Answer + Send + Sync>;

#[derive(Default)]
struct State {
    module: Vec<u8>,
    /// What is answered in place of the right answer, by a part of the path.
    others: Vec<(&'static str, Other)>,
    challenge: Option<String>,
    /// The paths that were asked for, with the credentials.
    asked: Vec<(String, Option<String>)>,
}

/// A registry with the repository `a`, any tag of which is one module.
pub(super) struct Fake {
    registry: String,
    state: Arc<Mutex<State>>,
    serving: JoinHandle<()>,
}

impl Fake {
    pub(super) async fn of(module: &[u8]) -> Self {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await;
        let listener = listener.expect("a loopback interface");
        let registry = listener.local_addr().expect("it is bound").to_string();
        let state = Arc::new(Mutex::new(State { module: module.to_owned(), ..State::default() }));
        let serving = tokio::spawn(serve(listener, Arc::clone(&state)));
        Self { registry, state, serving }
    }

    pub(super) fn registry(&self) -> &str {
        &self.registry
    }

    pub(super) fn image(&self, version: &str) -> String {
        format!("{}/a{version}", self.registry)
    }

    pub(super) fn holds(&self, module: &[u8]) {
        self.state.lock().module = module.to_owned();
    }

    /// Answers like this to what has `part` in its path, instead of what would be right.
    pub(super) fn answers(
        &self,
        part: &'static str,
        other: impl Fn(Answer) -> Answer + Send + Sync + 'static,
    ) {
        let mut state = self.state.lock();
        state.others.retain(|(known, _)| *known != part);
        state.others.push((part, Box::new(other)));
    }

    pub(super) fn wants_credentials(&self, challenge: &str) {
        self.state.lock().challenge = Some(challenge.to_owned());
    }

    pub(super) fn asked(&self) -> Vec<(String, Option<String>)> {
        self.state.lock().asked.clone()
    }

    /// Listens no more. Connections that are open are closed with it.
    pub(super) fn stop(&self) {
        self.serving.abort();
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.stop();
    }
}

async fn serve(listener: TcpListener, state: Arc<Mutex<State>>) {
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let state = Arc::clone(&state);
        connections.spawn(async move {
            let service = service_fn(move |request| {
                let answer = state.lock().answer(&request);
                async move {
                    match answer.response {
                        Some(response) => Ok::<_, Infallible>(response),
                        None => std::future::pending().await,
                    }
                }
            });
            let connection = hyper::server::conn::http1::Builder::new();
            // A client that leaves is none of our concern.
            let _ = connection.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

impl State {
    fn answer(&mut self, request: &Request<Incoming>) -> Answer {
        let path = request.uri().to_string();
        let credentials = request.headers().get(AUTHORIZATION).and_then(|it| it.to_str().ok());
        self.asked.push((path.clone(), credentials.map(str::to_owned)));
        let is_known = credentials.is_some() || path.starts_with("/token");
        if let Some(challenge) = self.challenge.as_ref().filter(|_| !is_known) {
            return Answer::whole(401, b"").with("www-authenticate", challenge.clone());
        }
        let right = if path.contains("/manifests/") {
            Answer::whole(200, &self.manifest())
        } else {
            Answer::whole(200, &self.module)
        };
        match self.others.iter().find(|(part, _)| path.contains(part)) {
            Some((_, other)) => other(right),
            None => right,
        }
    }

    fn manifest(&self) -> Vec<u8> {
        let digest = written_digest(&digest_of(&self.module));
        let layer =
            json!({ "mediaType": "application/wasm", "digest": digest, "size": self.module.len() });
        json!({ "schemaVersion": 2, "layers": [layer] }).to_string().into_bytes()
    }
}
