//! What goes to the owner task, and what it publishes.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Instant;

use tokio::sync::oneshot;
use trellis_claims::TrustList;
use trellis_entitlements::Rules;
use trellis_providers_sdk::{Health, Provider, Sample};

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
    /// Where the running providers' own metrics come from.
    pub samplers: Vec<Sampler>,
}

/// A way to a running provider's metrics that does not keep the provider alive.
#[derive(Clone)]
pub struct Sampler {
    /// The provider's name.
    pub provider: Arc<str>,
    source: Weak<dyn Provider>,
}

impl Sampler {
    pub(crate) fn new(provider: &Arc<str>, source: &Arc<dyn Provider>) -> Self {
        Self { provider: Arc::clone(provider), source: Arc::downgrade(source) }
    }

    /// What the provider measured so far; nothing once it is gone.
    #[must_use]
    pub fn samples(&self) -> Vec<Sample> {
        self.source.upgrade().map_or_else(Vec::new, |provider| provider.samples())
    }
}

impl fmt::Debug for Sampler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sampler").field(&self.provider).finish()
    }
}
