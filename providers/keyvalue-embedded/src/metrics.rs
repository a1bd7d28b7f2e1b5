//! What the store counts.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// Counters shared by the parts of one provider.
#[derive(Clone, Default)]
pub(crate) struct Metrics {
    pub(crate) memory_bytes: Gauge,
    pub(crate) commits: Counter,
    pub(crate) changes: Counter,
    pub(crate) failures: Counter,
}

impl Metrics {
    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register(
            "keyvalue_memory_bytes",
            "Bytes of keys and values in memory, as MEMORY_MAX counts them",
            self.memory_bytes.clone(),
        );
        registry.register(
            "keyvalue_file_commits",
            "Transactions written to the key-value file",
            self.commits.clone(),
        );
        registry.register(
            "keyvalue_file_changes",
            "Changes those transactions carried",
            self.changes.clone(),
        );
        registry.register(
            "keyvalue_file_failures",
            "Transactions the key-value file failed",
            self.failures.clone(),
        );
    }
}
