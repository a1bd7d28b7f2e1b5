//! A real receiver of OTLP over HTTP: what it is sent is read with the protocol's own types.

use std::convert::Infallible;
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Instant;

use flate2::read::GzDecoder;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::metrics::v1::Metric;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, getsockname, socket_with};
use trellis_testkit::PATIENCE;

/// A receiver on a port of its own, until it is dropped.
pub(super) struct Receiver {
    address: SocketAddr,
    received: Arc<(Mutex<Received>, Condvar)>,
    _runtime: tokio::runtime::Runtime,
}

/// What came so far.
#[derive(Clone, Default)]
pub(super) struct Received {
    pub(super) spans: Vec<Span>,
    /// How many came with each request.
    pub(super) batches: Vec<usize>,
    /// Those of the last request.
    pub(super) metrics: Vec<Metric>,
    /// Attributes of whoever sent the last spans.
    pub(super) resource: Vec<KeyValue>,
    /// The header `api-key` of each request.
    pub(super) keys: Vec<String>,
    /// What is answered instead of taking anything.
    pub(super) refuses: Option<StatusCode>,
    pub(super) refused: usize,
    /// How many spans of each request are taken and not kept.
    pub(super) rejects: i64,
    /// How many requests came compressed.
    pub(super) compressed: usize,
}

impl Receiver {
    pub(super) fn start() -> Self {
        Absent::new().arrive()
    }

    fn at(listener: TcpListener) -> Self {
        listener.set_nonblocking(true).expect("a socket of ours");
        let address = listener.local_addr().expect("it is bound");
        let received = Arc::<(Mutex<Received>, Condvar)>::default();
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(1).enable_all().build().expect("a thread");
        runtime.spawn(listen(listener, Arc::clone(&received)));
        Self { address, received, _runtime: runtime }
    }

    pub(super) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on it takes nothing, or everything again.
    pub(super) fn refuse(&self, with: Option<StatusCode>) {
        self.received.0.lock().unwrap_or_else(PoisonError::into_inner).refuses = with;
    }

    /// From now on it says of each request that it did not keep so many of its spans.
    pub(super) fn reject(&self, spans: i64) {
        self.received.0.lock().unwrap_or_else(PoisonError::into_inner).rejects = spans;
    }

    /// Waits until `wanted` finds what it wants in what came.
    #[track_caller]
    pub(super) fn wait_for<T>(&self, what: &str, wanted: impl Fn(&Received) -> Option<T>) -> T {
        let until = Instant::now() + PATIENCE;
        let mut received = self.received.0.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(found) = wanted(&received) {
                return found;
            }
            let left = until.saturating_duration_since(Instant::now());
            let names: Vec<_> = received.spans.iter().map(|span| &span.name).collect();
            assert!(!left.is_zero(), "{what} did not come; there are the spans {names:?}");
            let waited = self.received.1.wait_timeout(received, left);
            received = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// The address of a receiver that is not there yet: nobody else gets it, and nobody listens.
pub(super) struct Absent(OwnedFd);

impl Absent {
    pub(super) fn new() -> Self {
        let socket =
            socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None);
        let socket = socket.expect("a socket");
        bind(&socket, &SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).expect("a free port");
        Self(socket)
    }

    pub(super) fn address(&self) -> SocketAddr {
        let address = getsockname(&self.0).expect("it is bound");
        address.try_into().expect("an address of IP")
    }

    /// From now on it takes connections, and says nothing.
    pub(super) fn fall_silent(&self) {
        rustix::net::listen(&self.0, 64).expect("it is bound");
    }

    pub(super) fn arrive(self) -> Receiver {
        self.fall_silent();
        Receiver::at(self.0.into())
    }
}

async fn listen(listener: TcpListener, received: Arc<(Mutex<Received>, Condvar)>) {
    let listener = tokio::net::TcpListener::from_std(listener).expect("a socket of ours");
    while let Ok((stream, _)) = listener.accept().await {
        let received = Arc::clone(&received);
        let service = service_fn(move |request| take(request, Arc::clone(&received)));
        let connection = hyper::server::conn::http1::Builder::new();
        tokio::spawn(connection.serve_connection(TokioIo::new(stream), service));
    }
}

async fn take(
    request: Request<Incoming>,
    received: Arc<(Mutex<Received>, Condvar)>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let mut into = received.0.lock().unwrap_or_else(PoisonError::into_inner);
    let status = into.take(&head, &body);
    let answer = into.answer();
    drop(into);
    received.1.notify_all();
    let mut response = Response::new(Full::from(answer));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("application/x-protobuf");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    Ok(response)
}

/// What a body says that may be compressed.
fn plain(head: &hyper::http::request::Parts, body: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    let read = match head.headers.get("content-encoding").map(HeaderValue::as_bytes) {
        Some(b"gzip") => GzDecoder::new(body).read_to_end(&mut plain),
        _ => (&mut &*body).read_to_end(&mut plain),
    };
    read.expect("the host compresses as gzip does");
    plain
}

impl Received {
    /// The answer to what is taken.
    fn answer(&self) -> Vec<u8> {
        let partial_success = (self.rejects > 0).then(|| ExportTracePartialSuccess {
            rejected_spans: self.rejects,
            error_message: "too old".to_owned(),
        });
        ExportTraceServiceResponse { partial_success }.encode_to_vec()
    }

    fn take(&mut self, head: &hyper::http::request::Parts, body: &[u8]) -> StatusCode {
        let key = head.headers.get("api-key").and_then(|value| value.to_str().ok());
        self.keys.extend(key.map(str::to_owned));
        if let Some(status) = self.refuses {
            self.refused += 1;
            return status;
        }
        self.compressed += usize::from(head.headers.contains_key("content-encoding"));
        let body = &plain(head, body)[..];
        let content = head.headers.get("content-type").map(|value| value.as_bytes());
        if head.method != "POST" || content != Some(b"application/x-protobuf") {
            return StatusCode::UNSUPPORTED_MEDIA_TYPE;
        }
        match head.uri.path() {
            "/v1/traces" => {
                let Ok(sent) = ExportTraceServiceRequest::decode(body) else {
                    return StatusCode::BAD_REQUEST;
                };
                let before = self.spans.len();
                for group in sent.resource_spans {
                    self.resource = group.resource.unwrap_or_default().attributes;
                    self.spans.extend(group.scope_spans.into_iter().flat_map(|it| it.spans));
                }
                self.batches.push(self.spans.len() - before);
            }
            "/v1/metrics" => {
                let Ok(sent) = ExportMetricsServiceRequest::decode(body) else {
                    return StatusCode::BAD_REQUEST;
                };
                let groups = sent.resource_metrics.into_iter();
                let scopes = groups.flat_map(|group| group.scope_metrics);
                self.metrics = scopes.flat_map(|scope| scope.metrics).collect();
            }
            _ => return StatusCode::NOT_FOUND,
        }
        StatusCode::OK
    }
}

/// The text of an attribute, or its number.
pub(super) fn said(attributes: &[KeyValue], name: &str) -> Option<String> {
    let found = attributes.iter().find(|it| it.key == name)?;
    match found.value.clone()?.value? {
        Value::StringValue(text) => Some(text),
        Value::IntValue(number) => Some(number.to_string()),
        _ => None,
    }
}
