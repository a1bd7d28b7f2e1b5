//! Claims that end soon: said while there is time to sign again.

use std::collections::BTreeMap;

use trellis_core::Code;

use crate::actual::ActualState;
use crate::expiring::{CURE, ends_soon, sentence};
use crate::prepare::{Prepared, PreparedActor};
use crate::shared::Shared;

/// Of which modules it was said that their claims end, and when.
pub(crate) struct Endings {
    told: BTreeMap<String, u64>,
}

impl Endings {
    pub(crate) const fn new() -> Self {
        Self { told: BTreeMap::new() }
    }

    /// This is to run, and what ends soon of it was said when it was prepared.
    pub(crate) fn prepared(&mut self, prepared: &Prepared, now_unix_s: u64) {
        let Prepared { actors, providers, .. } = prepared;
        let modules = providers.iter().filter_map(|provider| provider.module.as_deref());
        let all = actors.iter().chain(modules);
        self.told = all.filter_map(|module| ending_of(module, now_unix_s)).collect();
    }

    /// Says of each running module, once, that its claims end soon: true when there was one.
    pub(crate) fn look(&mut self, shared: &Shared) -> bool {
        let now = shared.clock.now_unix_s();
        let mut ending = shared.look(|actual| ending(actual, now));
        ending.retain(|(what, end)| self.told.get(what) != Some(end));
        for (what, end) in &ending {
            let code = Code::Expired.as_str();
            tracing::warn!(code, "the claims of {what} {}; {CURE}", sentence(*end));
        }
        let any = !ending.is_empty();
        self.told.extend(ending);
        any
    }
}

/// The actors and providers that have their name and whose claims end soon, with when that is.
pub(crate) fn ending(actual: &ActualState, now_unix_s: u64) -> Vec<(String, u64)> {
    let actors = actual.actors.values().map(|actor| &actor.prepared);
    let all = actors.chain(actual.modules());
    all.filter_map(|module| ending_of(module, now_unix_s)).collect()
}

/// A module and when its claims end, if that is soon.
fn ending_of(module: &PreparedActor, now_unix_s: u64) -> Option<(String, u64)> {
    let end = ends_soon(module.verified.claims(), now_unix_s)?;
    Some((format!("{} {}", module.what(), module.name), end))
}
