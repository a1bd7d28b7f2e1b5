//! What will be known of actors once they have run.

use std::collections::BTreeMap;
use std::sync::Arc;

use trellis_core::Contract;

use super::bindings::Written;
use super::known::{LastRun, LastRuns};
use super::parts::PreparedActor;
use super::rights::Rights;

/// What will be known of actors with these bindings when they have run, but for their
/// data and its keys.
pub(super) fn of(actors: &[Option<PreparedActor>], bindings: &[Written<'_>]) -> LastRuns {
    let mut bound: BTreeMap<&Arc<str>, Vec<&Contract>> = BTreeMap::new();
    for Written { binding, .. } in bindings {
        bound.entry(&binding.actor).or_default().push(&binding.contract);
    }
    let last_run = |actor: &PreparedActor| {
        let bound = bound.remove(&actor.name).unwrap_or_default();
        // What an unsigned module may do is decided by the host, not by who made it.
        let rights = match actor.verified.is_unsigned() {
            true => Rights::default(),
            false => Rights::of(actor.verified.claims(), &bound),
        };
        (actor.name.to_string(), LastRun { rights, ..LastRun::default() })
    };
    actors.iter().flatten().map(last_run).collect()
}
