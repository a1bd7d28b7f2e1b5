//! Claims that end soon: said while there is time to sign again.

use std::collections::BTreeMap;

use trellis_core::Code;

use crate::actual::ActualState;
use crate::expiring::{CURE, sentence};
use crate::prepare::{Prepared, PreparedActor, PreparedProvider};
use crate::shared::Shared;

/// Of which actors and providers it was said that their claims end, and when.
pub(crate) struct Endings {
    told: BTreeMap<String, u64>,
}

impl Endings {
    pub(crate) const fn new() -> Self {
        Self { told: BTreeMap::new() }
    }

    /// These are to run, and what ends soon of them was said when they were prepared.
    pub(crate) fn prepared(&mut self, prepared: &Prepared, now_unix_s: u64) {
        self.told = ending(&prepared.actors, &prepared.providers, now_unix_s).collect();
    }

    /// Says of what runs, once, that its claims end soon: true when there was something.
    pub(crate) fn look(&mut self, shared: &Shared) -> bool {
        let now = shared.clock.now_unix_s();
        let mut ending = shared.look(|actual| running(actual, now));
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

/// What has its name and whose claims end soon (`actor counter`), with when that is.
pub(crate) fn running(actual: &ActualState, now_unix_s: u64) -> Vec<(String, u64)> {
    let actors = actual.actors.values().map(|actor| &actor.prepared);
    let providers = actual.providers.values().map(|provider| &provider.prepared);
    ending(actors, providers, now_unix_s).collect()
}

/// Those of them whose claims end soon.
fn ending<'a>(
    actors: impl IntoIterator<Item = &'a PreparedActor>,
    providers: impl IntoIterator<Item = &'a PreparedProvider>,
    now_unix_s: u64,
) -> impl Iterator<Item = (String, u64)> {
    let actors = actors.into_iter().filter_map(move |actor| {
        Some((format!("actor {}", actor.name), actor.ends_soon(now_unix_s)?))
    });
    let providers = providers.into_iter().filter_map(move |provider| {
        Some((format!("provider {}", provider.name), provider.ends_soon(now_unix_s)?))
    });
    actors.chain(providers)
}
