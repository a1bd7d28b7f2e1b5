//! From what runs to what is wanted, as steps. Pure: two inventories in, a list out.

use trellis_control::Step;

use crate::border;
use crate::desired::{BindingKey, Inventory};
use crate::prepare::{Prepared, PreparedActor, PreparedProvider};

/// The steps that would make a prepared manifest run on a host where nothing runs.
#[must_use]
pub fn dry_run(prepared: &Prepared) -> Vec<Step> {
    let Prepared { actors, providers, links, .. } = prepared;
    let wanted = Inventory {
        actors: actors.iter().map(|actor| (&*actor.name, actor)).collect(),
        providers: providers.iter().map(|provider| (&*provider.name, provider)).collect(),
        bindings: links.iter().map(|link| (BindingKey::of(link), link)).collect(),
        ..Inventory::default()
    };
    plan(&wanted, &Inventory::default())
}

/// The steps from what runs to what is wanted, in the order in which they act.
pub(crate) fn plan(wanted: &Inventory<'_>, running: &Inventory<'_>) -> Vec<Step> {
    let mut steps = Vec::new();
    let gone = running.actors.keys().filter(|name| !wanted.actors.contains_key(*name));
    steps.extend(gone.map(|name| Step::StopActor { actor: (*name).to_owned() }));
    steps.extend(unbinds(wanted, running));
    steps.extend(wanted.providers.values().filter_map(|provider| made_provider(provider, running)));
    steps.extend(wanted.actors.values().filter_map(|actor| made_actor(actor, running)));
    steps.extend(binds(wanted, running));
    let gone = running.providers.keys().filter(|name| !wanted.providers.contains_key(*name));
    steps.extend(gone.map(|name| Step::StopProvider { provider: (*name).to_owned() }));
    steps
}

/// Bindings that go while their actor stays as it is. Those of an actor that goes, go with it;
/// those of a version that is replaced serve it to its last call.
fn unbinds<'a>(
    wanted: &'a Inventory<'_>,
    running: &'a Inventory<'_>,
) -> impl Iterator<Item = Step> + 'a {
    let stays = |key: &BindingKey| {
        let actor = wanted.actors.get(&*key.actor);
        actor.is_some_and(|actor| made_actor(actor, running).is_none())
    };
    let gone = move |key: &BindingKey| !wanted.bindings.contains_key(key) && stays(key);
    let bindings = running.bindings.iter().filter(move |(key, _)| gone(key));
    bindings.map(|(key, link)| {
        let (binding, provider) = (key.as_ref(), link.provider.to_string());
        Step::Unbind { binding, provider }
    })
}

fn made_provider(wanted: &PreparedProvider, running: &Inventory<'_>) -> Option<Step> {
    let provider = wanted.name.to_string();
    let implementation = wanted.descriptor.name.to_string();
    let Some(now) = running.providers.get(&*wanted.name) else {
        return Some(Step::StartProvider { provider, implementation });
    };
    if same_provider(now, wanted) {
        return None;
    }
    let waits_for = border::contested(now, wanted);
    Some(Step::ReplaceProvider { provider, implementation, waits_for })
}

/// True when the instance that runs is the one that is wanted.
fn same_provider(running: &PreparedProvider, wanted: &PreparedProvider) -> bool {
    let (now, then) = (&running.descriptor, &wanted.descriptor);
    now.name == then.name && now.version == then.version && running.values == wanted.values
}

fn made_actor(wanted: &PreparedActor, running: &Inventory<'_>) -> Option<Step> {
    let actor = wanted.name.to_string();
    let key = wanted.verified.claims().subject.to_string();
    let Some(now) = running.actors.get(&*wanted.name) else {
        return Some(Step::StartActor { actor, key });
    };
    if now.same_as(wanted) {
        return None;
    }
    let old = now.verified.claims().subject.to_string();
    let replaces_key = (old != key).then_some(old);
    Some(Step::ReplaceActor { actor, key, replaces_key })
}

fn binds<'a>(
    wanted: &'a Inventory<'_>,
    running: &'a Inventory<'_>,
) -> impl Iterator<Item = Step> + 'a {
    wanted.bindings.iter().filter_map(|(key, link)| {
        let (binding, provider) = (key.as_ref(), link.provider.to_string());
        let Some(now) = running.bindings.get(key) else {
            return Some(Step::Bind { binding, provider });
        };
        let moved = now.provider != link.provider;
        if !moved && now.values == link.values && !running.stale.contains(key) {
            return None;
        }
        let leaves = moved.then(|| now.provider.to_string());
        Some(Step::Rebind { binding, provider, leaves })
    })
}
