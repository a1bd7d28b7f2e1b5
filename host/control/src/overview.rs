//! Everything that a host runs, and all that it wants to run.

use crate::entry::{ActorEntry, BindingEntry, ProviderEntry};

/// Everything that runs or is wanted, each list in the order of its names. What is wanted and does
/// not run is there as well, with the reason.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Overview {
    /// The actors.
    pub actors: Vec<ActorEntry>,
    /// The providers.
    pub providers: Vec<ProviderEntry>,
    /// The bindings.
    pub bindings: Vec<BindingEntry>,
}
