//! What the provider counts.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;

/// Counters shared by all bindings.
#[derive(Clone, Default, Debug)]
pub(crate) struct Metrics {
    pub(crate) written: Counter,
    pub(crate) cut: Counter,
    pub(crate) dropped: Counter,
}

impl Metrics {
    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register("logging_lines", "Lines actors wrote", self.written.clone());
        registry.register("logging_lines_cut", "Lines cut at log_line_bytes_max", self.cut.clone());
        registry.register(
            "logging_lines_dropped",
            "Lines dropped over log_lines_per_s",
            self.dropped.clone(),
        );
    }
}
