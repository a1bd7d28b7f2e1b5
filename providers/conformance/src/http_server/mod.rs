//! The behavior of `wascc:http_server`, as the contract's crate page states it: what an actor sees
//! of a request, and what a client gets of an answer.

mod client;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use trellis_capabilities::http_server::{CONTRACT, HandleRequest, Request, Response};
use trellis_core::{CallError, Code, OperationSpec};
use trellis_providers_sdk::{BoxFuture, Context, Invoke, Invoker, Provider, Values};

use crate::suite::{self, Caller, Case};
use client::{exchange, get};

/// How to make a provider under test.
#[derive(Clone)]
pub struct Subject {
    /// Makes a provider that calls its actors through this context.
    pub make: Arc<dyn Fn(Context) -> BoxFuture<'static, Arc<dyn Provider>> + Send + Sync>,
    /// The values of a binding that listens on a free port of this machine.
    pub values: Values,
}

/// Every rule of the contract.
pub const CASES: &[Case<Subject>] = &[
    Case { name: "an actor sees the request as it was sent", check: |s| Box::pin(request(s)) },
    Case { name: "repeated headers are folded", check: |s| Box::pin(folded(s)) },
    Case { name: "a client gets the answer as it was given", check: |s| Box::pin(answer(s)) },
    Case { name: "the server owns the framing", check: |s| Box::pin(framing(s)) },
    Case { name: "some answers have no body", check: |s| Box::pin(bodiless(s)) },
    Case { name: "what cannot be sent is 502", check: |s| Box::pin(unsendable(s)) },
    Case { name: "a failure has its status", check: |s| Box::pin(failures(s)) },
];

/// Runs the whole suite.
pub async fn run(subject: &Subject) {
    suite::run(CASES, subject).await;
}

async fn request(subject: Subject) {
    let (server, seen) = mirror(&subject).await;
    let head = b"PUT /a%20b/c?q=1&r HTTP/1.1\r\nHost: example.com\r\nX-Raw: \xe9\r\n";
    exchange(server.address, head, "hello").await;
    let request = seen.lock().expect("no actor panics").pop().expect("the actor was called");
    assert_eq!((&*request.method, &*request.path), ("PUT", "/a%20b/c"));
    assert_eq!((&*request.query_string, request.body.as_slice()), ("q=1&r", &b"hello"[..]));
    assert_eq!(request.header("x-raw"), Some("\u{fffd}"));
    let names: Vec<_> = request.header.iter().map(|(name, _)| name).collect();
    assert!(names.iter().all(|name| *name == name.to_ascii_lowercase()), "{names:?}");
    exchange(server.address, b"GET / HTTP/1.1\r\nhost: a\r\n", "").await;
    let request = seen.lock().expect("no actor panics").pop().expect("the actor was called");
    assert!(request.query_string.is_empty() && request.body.is_empty(), "{request:?}");
}

async fn folded(subject: Subject) {
    let (server, seen) = mirror(&subject).await;
    let head =
        b"GET / HTTP/1.1\r\nHost: a\r\nX-Two: a\r\nCookie: k=1\r\nX-Two: b\r\nCookie: l=2\r\n";
    exchange(server.address, head, "").await;
    let request = seen.lock().expect("no actor panics").pop().expect("the actor was called");
    let all = |name| request.header.iter().filter(move |(key, _)| *key == name).count();
    assert_eq!((request.header("x-two"), all("x-two")), (Some("a, b"), 1));
    assert_eq!((request.header("cookie"), all("cookie")), (Some("k=1; l=2"), 1));
}

async fn answer(subject: Subject) {
    let given = Response::new(201, "made")
        .with_header("Set-Cookie", "a=1")
        .with_header("x-kind", "u")
        .with_header("set-cookie", "b=2");
    let server = answering(&subject, Ok(given)).await;
    let got = get(server.address).await;
    assert_eq!((got.status, &*got.body), (201, "made"));
    assert_eq!(got.all("set-cookie"), ["a=1", "b=2"]);
    assert_eq!(got.all("x-kind"), ["u"]);
}

async fn framing(subject: Subject) {
    let mut given = Response::text("hello");
    for name in ["Content-Length", "transfer-encoding", "keep-alive", "te", "trailer", "upgrade"] {
        given = given.with_header(name, "17");
    }
    let got = get(answering(&subject, Ok(given)).await.address).await;
    assert_eq!((got.status, &*got.body), (200, "hello"));
    assert_eq!(got.all("content-length"), ["5"]);
    for name in ["transfer-encoding", "keep-alive", "te", "trailer", "upgrade"] {
        assert_eq!(got.all(name), [""; 0], "{name}");
    }
}

async fn bodiless(subject: Subject) {
    let server = answering(&subject, Ok(Response::text("hello"))).await;
    let got = exchange(server.address, b"HEAD / HTTP/1.1\r\nhost: a\r\n", "").await;
    assert_eq!((got.status, &*got.body), (200, ""));
    for status in [204, 304] {
        let server = answering(&subject, Ok(Response::new(status, "hello"))).await;
        let got = get(server.address).await;
        assert_eq!((u32::from(got.status), &*got.body), (status, ""));
    }
}

async fn unsendable(subject: Subject) {
    let mut answers: Vec<_> =
        [0, 99, 100, 101, 199, 600, 1_000].map(|code| Response::new(code, "")).into();
    let headers = [("a b", "1"), ("", "1"), ("x", "1\r\ny: 2"), ("x", "a\nb"), ("x", "\0")];
    answers.extend(headers.map(|(name, value)| Response::text("").with_header(name, value)));
    for given in answers {
        let got = get(answering(&subject, Ok(given.clone())).await.address).await;
        assert_eq!(got.status, 502, "{given:?}");
        assert_eq!(got.all("y"), [""; 0]);
    }
}

async fn failures(subject: Subject) {
    let expected = [
        (Code::Guest, 502),
        (Code::Trap, 502),
        (Code::Provider, 503),
        (Code::Busy, 503),
        (Code::Timeout, 504),
        (Code::Denied, 403),
    ];
    for (code, status) in expected {
        let failure = Err(CallError::new(code, "as the case wants it"));
        let got = get(answering(&subject, failure).await.address).await;
        assert_eq!(got.status, status, "{code}");
    }
}

/// A provider that serves one actor; ends with it.
struct Server {
    address: SocketAddr,
    _provider: Arc<dyn Provider>,
}

type Seen = Arc<Mutex<Vec<Request>>>;

/// The actor behind a server: notes what it is asked, and always answers the same.
struct Actor {
    answer: Result<Response, CallError>,
    seen: Seen,
}

impl Invoker for Actor {
    fn invoke(&self, invoke: Invoke) -> BoxFuture<'_, Result<Bytes, CallError>> {
        assert_eq!(invoke.operation, HandleRequest::NAME);
        let request = HandleRequest::decode_input(&invoke.payload).expect("a request");
        self.seen.lock().expect("no actor panics").push(request);
        let answer = self.answer.as_ref().map(HandleRequest::encode_output);
        let answer = answer.map(Bytes::from).map_err(Clone::clone);
        Box::pin(async { answer })
    }
}

async fn mirror(subject: &Subject) -> (Server, Seen) {
    let seen = Seen::default();
    let actor = Actor { answer: Ok(Response::text("seen")), seen: Arc::clone(&seen) };
    (serve(subject, actor).await, seen)
}

async fn answering(subject: &Subject, answer: Result<Response, CallError>) -> Server {
    serve(subject, Actor { answer, seen: Seen::default() }).await
}

async fn serve(subject: &Subject, actor: Actor) -> Server {
    let provider = (subject.make)(Context::new(Arc::new(actor))).await;
    Caller::bind(&provider, &CONTRACT, subject.values.clone()).await;
    let listening = provider.addresses();
    let address = listening.first().expect("a bound server listens").address;
    Server { address, _provider: provider }
}
