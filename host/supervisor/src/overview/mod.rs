//! Everything that runs or is wanted, for those who look at a host from outside.

mod actors;
mod bindings;
mod providers;
mod reasons;
mod signed;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use trellis_control::Overview;

use crate::actual::ActualState;
use crate::prepare::{Prepared, PreparedBinding};
use crate::shared::Shared;
use actors::SeenActor;
use bindings::SeenBindings;
use providers::SeenProvider;
use reasons::Reasons;

/// What was seen, without texts: it is looked at while nothing may be edited.
struct Seen {
    actors: BTreeMap<Arc<str>, SeenActor>,
    providers: BTreeMap<Arc<str>, SeenProvider>,
    bindings: Vec<PreparedBinding>,
}

impl Shared {
    /// Everything that runs or is wanted. Waits for no change, only for one edit of what runs.
    pub(crate) fn overview(&self) -> Overview {
        let wanted = self.wanted.load_full();
        let expected = self.expected.load_full().filter(|_| wanted.is_none());
        if let Some(expected) = expected {
            return Overview::clone(&expected);
        }
        let mut seen = self.look(|actual| Seen::running(actual));
        let status = self.status.load_full();
        let mut bindings = SeenBindings::in_force(seen.bindings);
        if let Some(desired) = &wanted {
            let Prepared { actors, providers, bindings: wanted, .. } = &desired.prepared;
            for actor in actors {
                seen.actors.entry(Arc::clone(&actor.name)).or_insert_with(|| actor.into());
            }
            for provider in providers {
                let name = Arc::clone(&provider.name);
                seen.providers.entry(name).or_insert_with(|| provider.clone().into());
            }
            bindings.add_wanted(wanted);
        }
        let mut reasons = Reasons::of(&status.state);
        reasons.awaited = self.progress.awaited();
        let runs = |name: &str| seen.actors.get(name).is_some_and(SeenActor::runs);
        let running: BTreeSet<_> = seen.actors.keys().filter(|it| runs(it)).cloned().collect();
        let stopped = wanted.as_ref().map(|desired| desired.prepared.stopped.clone());
        reasons.stopped = stopped.unwrap_or_default();
        let actor = |(name, seen): (Arc<str>, SeenActor)| {
            let of_actor = bindings.of_actor(&name);
            seen.into_entry(&name, &reasons, of_actor)
        };
        let actors = seen.actors.into_iter().map(actor).collect();
        let bindings = bindings.into_entries((&running, &seen.providers), &reasons);
        let provider = |seen: SeenProvider| seen.into_entry(&reasons);
        let providers = seen.providers.into_values().map(provider).collect();
        Overview { actors, providers, bindings }
    }
}

impl Seen {
    fn running(actual: &ActualState) -> Self {
        let actors = actual.actors.iter().map(|(name, it)| (Arc::clone(name), it.into()));
        let provider = |(name, it): (&Arc<str>, &_)| {
            (Arc::clone(name), SeenProvider::running(it, &actual.instances))
        };
        let bindings = actual.current.values().filter_map(|id| actual.bindings.get(id));
        Self {
            actors: actors.collect(),
            providers: actual.providers.iter().map(provider).collect(),
            bindings: bindings.map(|binding| binding.prepared.clone()).collect(),
        }
    }
}
