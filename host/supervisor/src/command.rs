//! What goes to the owner task, and what it publishes.

use std::sync::Arc;
use std::time::Instant;

use prometheus_client::registry::Registry;
use tokio::sync::oneshot;
use trellis_claims::TrustList;
use trellis_entitlements::Rules;
use trellis_providers_sdk::Health;

use crate::applied::Applied;
use crate::prepare::Prepared;

/// Everything the owner task can be asked.
pub(crate) enum Command {
    /// Make this run, and nothing else.
    Apply(Box<Prepared>, Rules, oneshot::Sender<Applied>),
    /// Stop every actor these no longer vouch for.
    Trust(TrustList, oneshot::Sender<Vec<Arc<str>>>),
    /// Stop everything by then.
    Stop(Instant, oneshot::Sender<()>),
}

/// What runs, for people and probes; a snapshot the owner task publishes after each change.
#[derive(Default, Debug)]
pub struct Status {
    /// The names of the running actors.
    pub actors: Vec<Arc<str>>,
    /// The running providers, with how they are.
    pub providers: Vec<(Arc<str>, Health)>,
    /// Every address where an actor takes work from outside, with the actor's name.
    pub addresses: Vec<(String, Arc<str>)>,
    /// The providers' own metrics.
    pub registries: Vec<Arc<Registry>>,
}
