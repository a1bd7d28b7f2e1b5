//! Claims that end soon: said while there is time to sign again.

use std::collections::BTreeMap;
use std::sync::Arc;

use trellis_core::Code;

use crate::actual::ActualState;
use crate::expiring::{CURE, ends_soon, sentence};
use crate::prepare::PreparedActor;
use crate::shared::Shared;

/// Of which actors it was said that their claims end, and when.
pub(crate) struct Endings {
    told: BTreeMap<Arc<str>, u64>,
}

impl Endings {
    pub(crate) const fn new() -> Self {
        Self { told: BTreeMap::new() }
    }

    /// These are to run, and what ends soon of them was said when they were prepared.
    pub(crate) fn prepared(&mut self, actors: &[PreparedActor], now_unix_s: u64) {
        let ending = |actor: &PreparedActor| {
            let end = ends_soon(actor.verified.claims(), now_unix_s)?;
            Some((Arc::clone(&actor.name), end))
        };
        self.told = actors.iter().filter_map(ending).collect();
    }

    /// Says of each running actor, once, that its claims end soon: true when there was one.
    pub(crate) fn look(&mut self, shared: &Shared) -> bool {
        let now = shared.clock.now_unix_s();
        let mut ending = shared.look(|actual| ending(actual, now));
        ending.retain(|(name, end)| self.told.get(name) != Some(end));
        for (name, end) in &ending {
            let code = Code::Expired.as_str();
            tracing::warn!(actor = %name, code, "the claims {}; {CURE}", sentence(*end));
        }
        let any = !ending.is_empty();
        self.told.extend(ending);
        any
    }
}

/// The actors that have their name and whose claims end soon, with when that is.
pub(crate) fn ending(actual: &ActualState, now_unix_s: u64) -> Vec<(Arc<str>, u64)> {
    let ending = actual.actors.values().filter_map(|actor| {
        let end = ends_soon(actor.verified().claims(), now_unix_s)?;
        Some((Arc::clone(&actor.prepared.name), end))
    });
    ending.collect()
}
