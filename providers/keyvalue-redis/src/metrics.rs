//! What the provider counts.

use std::sync::Arc;

use trellis_core::{CallError, Code};
use trellis_providers_sdk::{Counter, Sample};

/// What a request can break, by the setting's key.
const LIMITS: [&str; 3] = ["OPERANDS_MAX", "ELEMENTS_MAX", "ANSWER_MAX"];

/// Counters shared by all servers of the provider.
#[derive(Clone, Default, Debug)]
pub(crate) struct Metrics {
    pub(crate) commands: Counter,
    pub(crate) failures: Counter,
    /// Requests refused, by the limit that is named in the refusal.
    refused: Arc<[Counter; LIMITS.len()]>,
}

impl Metrics {
    pub(crate) fn samples(&self) -> Vec<Sample> {
        let commands = "Commands and scripts sent to Redis";
        let failures = "Commands and scripts for which Redis could not be used";
        let mut samples = vec![
            Sample::counter("keyvalue_redis_commands", commands, self.commands.get()),
            Sample::counter("keyvalue_redis_failures", failures, self.failures.get()),
        ];
        let refused = "Requests refused because of a limit";
        samples.extend(LIMITS.iter().zip(self.refused.iter()).map(|(limit, count)| {
            Sample::counter("keyvalue_refused", refused, count.get()).label("limit", *limit)
        }));
        samples
    }

    /// Counts a refusal by the limit it names.
    #[cold]
    pub(crate) fn failed(&self, error: &CallError) {
        if error.code() != Code::TooLarge {
            return;
        }
        let named = LIMITS.iter().position(|limit| error.message().contains(limit));
        if let Some(count) = named.and_then(|limit| self.refused.get(limit)) {
            count.inc();
        }
    }
}
