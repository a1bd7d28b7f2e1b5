//! The admin address: `/livez`, `/readyz`, `/healthz` and `/metrics`.
//!
//! Not for the world: it has no authentication, so bind it to loopback or a private network.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ACCEPT, CONTENT_TYPE};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::task::AbortHandle;
use trellis_claims::{Clock, SystemClock};
use trellis_supervisor::{Modules, Supervisor};

use crate::expiry;
use crate::metrics::{change_registry, degraded_registry, lifecycle_registry};
use crate::readiness::Readiness;
use crate::reading;
use crate::samples::Samples;

/// Most admin connections at once; one more takes the place of the oldest.
const ADMIN_CONNECTIONS_MAX: usize = 64;
/// Longest wait for a request's head.
const ADMIN_HEADER_READ_MAX: Duration = Duration::from_secs(5);
/// Longest life of a connection, which serves one request: a client that does not read its answer
/// gives its place back.
const ADMIN_CONNECTION_MAX: Duration = Duration::from_secs(10);
/// Pause after a failed accept (out of file descriptors), so that the loop does not spin.
const ADMIN_ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Text for people.
const TEXT: &str = "text/plain; charset=utf-8";
/// What OpenMetrics asks for.
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What the admin endpoint tells.
#[derive(Clone)]
pub(crate) struct Admin {
    readiness: Readiness,
    registry: Arc<Registry>,
    supervisor: Supervisor,
    modules: Modules,
}

impl Admin {
    /// An endpoint over the host's readiness, its metrics, its providers' and its modules'.
    pub(crate) const fn new(
        readiness: Readiness,
        registry: Arc<Registry>,
        supervisor: Supervisor,
        modules: Modules,
    ) -> Self {
        Self { readiness, registry, supervisor, modules }
    }

    /// Serves on `address` for as long as the process lives; gives the address really bound.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub(crate) async fn serve(self, address: SocketAddr) -> std::io::Result<SocketAddr> {
        let listener = TcpListener::bind(address).await?;
        let bound = listener.local_addr()?;
        tokio::spawn(self.accept(listener));
        Ok(bound)
    }

    async fn accept(self, listener: TcpListener) {
        let mut open: VecDeque<AbortHandle> = VecDeque::with_capacity(ADMIN_CONNECTIONS_MAX);
        loop {
            let stream = match listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "the admin address cannot accept");
                    tokio::time::sleep(ADMIN_ACCEPT_PAUSE).await;
                    continue;
                }
            };
            open.retain(|known| !known.is_finished());
            // Whoever asks is answered within milliseconds: the oldest is a client that is silent
            // or does not read. Waiting for its place would keep out probes.
            if open.len() >= ADMIN_CONNECTIONS_MAX
                && let Some(oldest) = open.pop_front()
            {
                oldest.abort();
            }
            let admin = self.clone();
            let served = tokio::spawn(async move {
                let service = service_fn(move |request| {
                    let answer = admin.answer(&request);
                    async move { Ok::<_, Infallible>(answer) }
                });
                let serving = hyper::server::conn::http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(ADMIN_HEADER_READ_MAX)
                    .keep_alive(false)
                    .serve_connection(TokioIo::new(stream), service);
                // A broken or a slow connection concerns only its client.
                let _ = tokio::time::timeout(ADMIN_CONNECTION_MAX, serving).await;
            });
            open.push_back(served.abort_handle());
        }
    }

    fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        if request.method() != Method::GET && request.method() != Method::HEAD {
            return plain(StatusCode::METHOD_NOT_ALLOWED, "GET only\n");
        }
        match request.uri().path() {
            "/livez" | "/healthz" => plain(StatusCode::OK, "ok\n"),
            "/readyz" => self.readyz(request),
            "/metrics" => self.metrics(),
            _ => plain(StatusCode::NOT_FOUND, "try /livez, /readyz or /metrics\n"),
        }
    }

    /// Ready, or not yet or no more; either way with what does not work.
    fn readyz(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        let ready = self.readiness.is_ready();
        let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        let accepts = request.headers().get(ACCEPT).and_then(|value| value.to_str().ok());
        if accepts.is_some_and(|accepts| accepts.contains("application/json")) {
            return typed(status, "application/json", format!("{}\n", self.readiness.json()));
        }
        typed(status, TEXT, self.readiness.text())
    }

    fn metrics(&self) -> Response<Full<Bytes>> {
        match self.encode() {
            Ok(text) => typed(StatusCode::OK, OPENMETRICS, text),
            Err(_) => plain(StatusCode::INTERNAL_SERVER_ERROR, "the metrics cannot be written\n"),
        }
    }

    fn encode(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode_registry(&mut text, &self.registry)?;
        let status = self.supervisor.status();
        let now = SystemClock.now_unix_s();
        encode_registry(&mut text, &expiry::registry(&status.state.expiries, now))?;
        encode_registry(&mut text, &lifecycle_registry(&status.state.components))?;
        encode_registry(&mut text, &degraded_registry(self.readiness.degraded_count()))?;
        encode_registry(&mut text, &change_registry(self.supervisor.change_time()))?;
        encode_registry(
            &mut text,
            &reading::registry(self.modules.hung(), self.modules.refused()),
        )?;
        encode_registry(&mut text, &Samples::of(self.supervisor.samples()).into_registry())?;
        encode_eof(&mut text)?;
        Ok(text)
    }
}

fn plain(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    typed(status, TEXT, text)
}

fn typed(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<Bytes>,
) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    let value = hyper::header::HeaderValue::from_static(content_type);
    response.headers_mut().insert(CONTENT_TYPE, value);
    response
}
