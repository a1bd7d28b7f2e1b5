//! From what runs to what is wanted, as steps. Pure: two inventories in, a list out.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use trellis_control::Step;

use crate::border;
use crate::desired::{Bound, Inventory};
use crate::exchange;
use crate::prepare::{Prepared, PreparedActor, PreparedProvider};
use crate::rename::renames;

/// The steps that would make a prepared manifest run on a host where nothing runs.
#[must_use]
pub fn dry_run(prepared: &Prepared) -> Vec<Step> {
    let Prepared { actors, providers, links, .. } = prepared;
    let wanted = Inventory {
        actors: actors.iter().collect(),
        providers: providers.iter().collect(),
        broken: Vec::new(),
        bindings: links.iter().map(Bound::of).collect(),
    };
    plan(&wanted, &Inventory::default())
}

/// An inventory by name.
struct Index<'a> {
    actors: Named<&'a str, &'a PreparedActor>,
    providers: Named<&'a str, &'a PreparedProvider>,
    bindings: Named<(&'a str, &'a str, &'a str), Bound<'a>>,
    /// The names that providers get, by those they had.
    renamed: Named<&'a str, &'a str>,
}

type Named<K, V> = HashMap<K, V, RandomState>;

impl<'a> Index<'a> {
    fn of(inventory: &Inventory<'a>, renames: &[(&'a str, &'a str)]) -> Self {
        let Inventory { actors, providers, bindings, .. } = inventory;
        let renamed: Named<_, _> = renames.iter().copied().collect();
        let name = |it: &'a PreparedProvider| renamed.get(&*it.name).copied().unwrap_or(&it.name);
        Self {
            actors: actors.iter().map(|actor| (&*actor.name, *actor)).collect(),
            providers: providers.iter().map(|provider| (name(provider), *provider)).collect(),
            bindings: bindings.iter().map(|bound| (bound.name(), *bound)).collect(),
            renamed,
        }
    }

    /// The provider of a binding, by the name that it gets.
    fn provider_of(&self, bound: Bound<'a>) -> &'a str {
        let name = &*bound.link.provider;
        self.renamed.get(name).copied().unwrap_or(name)
    }
}

/// The steps from what runs to what is wanted, in the order in which they act.
pub(crate) fn plan(wanted: &Inventory<'_>, running: &Inventory<'_>) -> Vec<Step> {
    let renames = renames(wanted, running);
    let now = Index::of(running, &renames);
    let renamed = renames.iter().map(|(was, name)| {
        let (provider, was) = ((*name).to_owned(), (*was).to_owned());
        Step::RenameProvider { provider, was }
    });
    let mut steps: Vec<_> = renamed.collect();
    let providers = made_providers(&wanted.providers, &now);
    let actors = wanted.actors.iter().filter_map(|actor| made_actor(actor, &now));
    let bindings = wanted.bindings.iter().filter_map(|bound| made_binding(*bound, &now));
    let new: Vec<_> = providers.into_iter().chain(actors).chain(bindings).collect();
    if !anything_goes(wanted, running, &new) {
        steps.extend(new);
        return steps;
    }
    let index = Index::of(wanted, &[]);
    let gone = running.actors.iter().filter(|actor| !index.actors.contains_key(&*actor.name));
    steps.extend(gone.map(|actor| Step::StopActor { actor: actor.name.to_string() }));
    steps.extend(running.bindings.iter().filter_map(|bound| unbound(*bound, &index, &now)));
    steps.extend(new);
    let known = running.providers.iter().chain(&running.broken).map(|provider| &*provider.name);
    let gone =
        known.filter(|name| !index.providers.contains_key(name) && !now.renamed.contains_key(name));
    steps.extend(gone.map(|name| Step::StopProvider { provider: name.to_owned() }));
    steps
}

/// True when something runs that is not wanted. Names are unique on both sides: when as much runs
/// of what is wanted as runs at all, nothing else does, and nobody has to look for it.
fn anything_goes(wanted: &Inventory<'_>, running: &Inventory<'_>, new: &[Step]) -> bool {
    let (mut actors, mut providers, mut bindings) = (0, 0, 0);
    for step in new {
        match step {
            Step::StartActor { .. } => actors += 1,
            Step::StartProvider { .. } => providers += 1,
            Step::Bind { .. } => bindings += 1,
            _ => {}
        }
    }
    wanted.actors.len() - actors != running.actors.len()
        || wanted.providers.len() - providers != running.providers.len()
        || wanted.bindings.len() - bindings != running.bindings.len()
        || !running.broken.is_empty()
}

/// Bindings that go while their actor stays, in whatever version. Those of an actor that goes, go
/// with it.
fn unbound<'a>(bound: Bound<'a>, wanted: &Index<'_>, running: &Index<'a>) -> Option<Step> {
    let goes = !wanted.bindings.contains_key(&bound.name());
    let stays = wanted.actors.contains_key(&*bound.link.actor);
    let (binding, provider) = (bound.to_ref(), running.provider_of(bound).to_owned());
    (goes && stays).then_some(Step::Unbind { binding, provider })
}

fn made_providers(wanted: &[&PreparedProvider], running: &Index<'_>) -> Vec<Step> {
    let new = wanted.iter().map(|wanted| (running.providers.get(&*wanted.name).copied(), *wanted));
    let new: Vec<_> =
        new.filter(|(now, wanted)| !now.is_some_and(|now| same_provider(now, wanted))).collect();
    let replaced: Vec<_> =
        new.iter().filter_map(|(now, wanted)| Some(((*now)?, *wanted))).collect();
    let mut exchanged = exchange::contested(&replaced);
    let mut place = 0..;
    let step = |(now, wanted): (Option<&PreparedProvider>, &PreparedProvider)| {
        let provider = wanted.name.to_string();
        let implementation = wanted.descriptor.name.to_string();
        let Some(now) = now else { return Step::StartProvider { provider, implementation } };
        let mut waits_for = border::contested(now, wanted);
        let others = place.next().and_then(|place| exchanged.remove(&place));
        waits_for.extend(others.into_iter().flatten());
        Step::ReplaceProvider { provider, implementation, waits_for }
    };
    new.into_iter().map(step).collect()
}

/// True when the instance that runs is the one that is wanted.
fn same_provider(running: &PreparedProvider, wanted: &PreparedProvider) -> bool {
    running.is_kind_of(wanted) && running.values == wanted.values
}

fn made_actor(wanted: &PreparedActor, running: &Index<'_>) -> Option<Step> {
    let now = running.actors.get(&*wanted.name);
    if now.is_some_and(|now| now.same_as(wanted)) {
        return None;
    }
    let actor = wanted.name.to_string();
    let key = wanted.verified.claims().subject.to_string();
    let Some(now) = now else { return Some(Step::StartActor { actor, key }) };
    let old = now.verified.claims().subject.to_string();
    let replaces_key = (old != key).then_some(old);
    Some(Step::ReplaceActor { actor, key, replaces_key })
}

fn made_binding(wanted: Bound<'_>, running: &Index<'_>) -> Option<Step> {
    let provider = || wanted.link.provider.to_string();
    let Some(now) = running.bindings.get(&wanted.name()) else {
        let provider = provider();
        return Some(Step::Bind { binding: wanted.to_ref(), provider });
    };
    let leaves = running.provider_of(*now);
    let moved = *leaves != *wanted.link.provider;
    if !moved && now.link.values == wanted.link.values && !now.stale {
        return None;
    }
    let leaves = moved.then(|| leaves.to_owned());
    Some(Step::Rebind { binding: wanted.to_ref(), provider: provider(), leaves })
}
