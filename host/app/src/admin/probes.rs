//! `/readyz` and `/metrics`.

use hyper::StatusCode;
use hyper::header::{ACCEPT, HeaderMap};
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use trellis_claims::{Clock, SystemClock};

use super::answers::{JSON, Refused, Reply, TEXT, json, plain, typed};
use super::api::Admin;
use super::in_turn::in_turn;
use super::working::Working;
use crate::expiry;
use crate::metrics::{
    change_registry, degraded_registry, edits_registry, lifecycle_registry, streams_registry,
};
use crate::reading;
use crate::samples::Samples;

/// What OpenMetrics asks for.
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Ready, or not yet or no more; either way with what does not work. Who only looks whether it is
/// ready waits for nobody; as JSON come all components.
///
/// # Errors
/// When writing JSON panics.
pub(super) async fn readyz(
    admin: &Admin,
    headers: &HeaderMap,
    working: &Working,
) -> Result<Reply, Refused> {
    let readiness = admin.0.readiness.clone();
    let ready = readiness.is_ready();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let accepts = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
    if accepts.is_some_and(|accepts| accepts.contains(JSON)) {
        return in_turn(admin, working, move || json(status, &readiness.status())).await;
    }
    Ok(typed(status, TEXT, readiness.text()))
}

/// The metrics of the host, its providers and its modules.
///
/// # Errors
/// When writing them panics.
pub(super) async fn metrics(admin: &Admin, working: &Working) -> Result<Reply, Refused> {
    let measured = admin.clone();
    Ok(match in_turn(admin, working, move || measured.encode()).await? {
        Ok(text) => typed(StatusCode::OK, OPENMETRICS, text),
        Err(_) => plain(StatusCode::INTERNAL_SERVER_ERROR, "the metrics cannot be written\n"),
    })
}

impl Admin {
    /// What `/metrics` answers; `None` when it cannot be written.
    pub(crate) fn metrics_page(&self) -> Option<String> {
        self.encode().ok()
    }

    fn encode(&self) -> Result<String, std::fmt::Error> {
        let parts = &self.0;
        let mut text = String::new();
        encode_registry(&mut text, &parts.registry)?;
        let status = parts.supervisor.status();
        let now = SystemClock.now_unix_s();
        encode_registry(&mut text, &expiry::registry(&status.state.expiries, now))?;
        encode_registry(&mut text, &lifecycle_registry(&status.state.components))?;
        encode_registry(&mut text, &degraded_registry(parts.readiness.degraded_count()))?;
        let (edits, size) =
            parts.readiness.edits().look(|book| (book.overlay().iter().count(), book.size()));
        encode_registry(&mut text, &edits_registry(edits, (size.entries, size.bytes)))?;
        encode_registry(&mut text, &streams_registry(parts.feeds.places.taken()))?;
        encode_registry(&mut text, &change_registry(parts.supervisor.change_time()))?;
        let hung = parts.modules.hung() + parts.archives.hung();
        let refused = parts.modules.refused() + parts.archives.refused();
        encode_registry(&mut text, &reading::registry(hung, refused))?;
        encode_registry(&mut text, &Samples::of(parts.supervisor.samples()).into_registry())?;
        encode_eof(&mut text)?;
        Ok(parts.telemetry.with_exemplars(text))
    }
}
