//! What the provider counts.

use trellis_providers_sdk::{Counter, Sample};

/// Counters shared by all bindings.
#[derive(Clone, Default, Debug)]
pub(crate) struct Metrics {
    pub(crate) written: Counter,
    pub(crate) cut: Counter,
    pub(crate) dropped: Counter,
}

impl Metrics {
    pub(crate) fn samples(&self) -> Vec<Sample> {
        let cut = "Lines cut at 8 KiB";
        let dropped = "Lines dropped over log_lines_per_s";
        vec![
            Sample::counter("logging_lines", "Lines actors wrote", self.written.get()),
            Sample::counter("logging_lines_cut", cut, self.cut.get()),
            Sample::counter("logging_lines_dropped", dropped, self.dropped.get()),
        ]
    }
}
