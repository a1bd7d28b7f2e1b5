//! What the provider counts.

use trellis_providers_sdk::{Counter, Sample};

/// Counters shared by all servers of the provider.
#[derive(Clone, Default, Debug)]
pub(crate) struct Metrics {
    pub(crate) commands: Counter,
    pub(crate) failures: Counter,
}

impl Metrics {
    pub(crate) fn samples(&self) -> Vec<Sample> {
        let commands = "Commands and scripts sent to Redis";
        let failures = "Commands and scripts for which Redis could not be used";
        vec![
            Sample::counter("keyvalue_redis_commands", commands, self.commands.get()),
            Sample::counter("keyvalue_redis_failures", failures, self.failures.get()),
        ]
    }
}
