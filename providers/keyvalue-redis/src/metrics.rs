//! What the provider counts.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;

/// Counters shared by all servers of the provider.
#[derive(Clone, Default, Debug)]
pub(crate) struct Metrics {
    pub(crate) commands: Counter,
    pub(crate) failures: Counter,
}

impl Metrics {
    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register(
            "keyvalue_redis_commands",
            "Commands and scripts sent to Redis",
            self.commands.clone(),
        );
        registry.register(
            "keyvalue_redis_failures",
            "Commands and scripts for which Redis could not be used",
            self.failures.clone(),
        );
    }
}
