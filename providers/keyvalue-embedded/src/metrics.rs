//! What the store counts.

use std::sync::Arc;

use trellis_core::{CallError, Code};
use trellis_providers_sdk::{Counter, Sample};

/// What a request can break, by the setting's key.
const LIMITS: [&str; 5] = ["OPERANDS_MAX", "ELEMENTS_MAX", "ANSWER_MAX", "MEMORY_MAX", "FILE_MAX"];

/// What one provider counts. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Metrics {
    /// Requests refused, by the limit that is named in the refusal.
    refused: Arc<[Counter; LIMITS.len()]>,
}

/// What the writer of a file counts, for every provider that uses the file. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct FileMetrics {
    pub(crate) commits: Counter,
    pub(crate) changes: Counter,
    pub(crate) failures: Counter,
}

/// What a store holds, in bytes as its limit counts them, and the cache of its file.
#[derive(Clone, Copy, Default)]
pub(crate) struct Held {
    pub(crate) memory_bytes: u64,
    pub(crate) file_bytes: u64,
    pub(crate) cache_bytes: u64,
}

impl Metrics {
    pub(crate) fn samples(&self, held: Held, file: &FileMetrics) -> Vec<Sample> {
        let memory = "Bytes of keys and values in memory, as MEMORY_MAX counts them";
        let bytes = "Bytes of keys and values in the file, as FILE_MAX counts them";
        let cache = "Memory for pages of the file, as it was opened";
        let commits = "Transactions written to the key-value file";
        let changes = "Changes those transactions carried";
        let failures = "Transactions the key-value file failed";
        let level = |bytes| i64::try_from(bytes).unwrap_or(i64::MAX);
        let mut samples = vec![
            Sample::gauge("keyvalue_memory", memory, level(held.memory_bytes)).unit("bytes"),
            Sample::gauge("keyvalue_file", bytes, level(held.file_bytes)).unit("bytes"),
            Sample::gauge("keyvalue_file_cache", cache, level(held.cache_bytes)).unit("bytes"),
            Sample::counter("keyvalue_file_commits", commits, file.commits.get()),
            Sample::counter("keyvalue_file_changes", changes, file.changes.get()),
            Sample::counter("keyvalue_file_failures", failures, file.failures.get()),
        ];
        let refused = "Requests refused because of a limit";
        samples.extend(LIMITS.iter().zip(self.refused.iter()).map(|(limit, count)| {
            Sample::counter("keyvalue_refused", refused, count.get()).label("limit", *limit)
        }));
        samples
    }

    /// Counts a refusal by the limit it names. Looked for in the sentence, so that no operation
    /// need carry it; no text of a guest's stands in these.
    #[cold]
    pub(crate) fn failed(&self, error: &CallError) {
        if !matches!(error.code(), Code::TooLarge | Code::Storage) {
            return;
        }
        let named = LIMITS.iter().position(|limit| error.message().contains(limit));
        if let Some(count) = named.and_then(|limit| self.refused.get(limit)) {
            count.inc();
        }
    }
}
