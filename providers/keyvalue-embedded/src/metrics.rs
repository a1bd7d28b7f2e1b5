//! What the store counts.

use trellis_providers_sdk::{Counter, Gauge, Sample};

/// Counters shared by the parts of one provider.
#[derive(Clone, Default)]
pub(crate) struct Metrics {
    pub(crate) memory_bytes: Gauge,
    pub(crate) commits: Counter,
    pub(crate) changes: Counter,
    pub(crate) failures: Counter,
}

impl Metrics {
    pub(crate) fn samples(&self) -> Vec<Sample> {
        let memory = "Bytes of keys and values in memory, as MEMORY_MAX counts them";
        let commits = "Transactions written to the key-value file";
        let changes = "Changes those transactions carried";
        let failures = "Transactions the key-value file failed";
        vec![
            Sample::gauge("keyvalue_memory", memory, self.memory_bytes.get()).unit("bytes"),
            Sample::counter("keyvalue_file_commits", commits, self.commits.get()),
            Sample::counter("keyvalue_file_changes", changes, self.changes.get()),
            Sample::counter("keyvalue_file_failures", failures, self.failures.get()),
        ]
    }
}
