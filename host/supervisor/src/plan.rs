//! From what runs to what is wanted, as steps. Pure: the two in, a list out.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use foldhash::fast::RandomState;
use trellis_control::Step;
use trellis_entitlements::Rules;
use trellis_providers_sdk::{Descriptor, SettingKind, Values};

use crate::border;
use crate::desired::{Barred, Bound, Inventory, Wanted};
use crate::exchange;
use crate::prepare::{Prepared, PreparedActor, PreparedBinding, PreparedProvider, is_same};
use crate::rename::renames;

/// The steps that would make a prepared manifest run, under these rules, on a host where nothing
/// runs.
#[must_use]
pub fn dry_run(prepared: &Prepared, rules: Rules) -> Vec<Step> {
    plan(Wanted { prepared, barred: &Barred::default(), rules }, &Inventory::default())
}

type Named<K, V> = HashMap<K, V, RandomState>;

/// The providers that run, by the names that they get.
struct Providers<'a> {
    named: Named<&'a str, &'a PreparedProvider>,
    /// The names that they get, by those they had.
    renamed: Named<&'a str, &'a str>,
}

impl<'a> Providers<'a> {
    fn of(running: &Inventory<'a>, renames: &[(&'a str, &'a str)]) -> Self {
        let renamed: Named<_, _> = renames.iter().copied().collect();
        let name = |it: &'a PreparedProvider| renamed.get(&*it.name).copied().unwrap_or(&it.name);
        Self { named: running.providers.iter().map(|one| (name(one), *one)).collect(), renamed }
    }

    /// The provider of a binding, by the name that it gets.
    fn of_binding(&self, bound: Bound<'a>) -> &'a str {
        let name = &*bound.binding.provider;
        self.renamed.get(name).copied().unwrap_or(name)
    }
}

/// What runs, at the places of what is wanted; and what is not wanted.
struct Matched<'a> {
    actors: Vec<Option<&'a PreparedActor>>,
    bindings: Vec<Option<Bound<'a>>>,
    gone: Vec<&'a PreparedActor>,
    unbound: Vec<Bound<'a>>,
}

impl<'a> Matched<'a> {
    fn of(wanted: Wanted<'a>, running: &Inventory<'a>) -> Self {
        let mut actors = vec![None; wanted.prepared.actors.len()];
        let mut bindings = vec![None; wanted.prepared.bindings.len()];
        let (mut gone, mut unbound) = (Vec::new(), Vec::new());
        for actor in &running.actors {
            match wanted.place_of_actor(&actor.name) {
                Some(place) => actors[place] = Some(*actor),
                None => gone.push(*actor),
            }
        }
        for bound in &running.bindings {
            match wanted.place_of_binding(bound.binding) {
                Some(place) => bindings[place] = Some(*bound),
                None => unbound.push(*bound),
            }
        }
        Self { actors, bindings, gone, unbound }
    }
}

/// The steps from what runs to what is wanted, in the order in which they act.
pub(crate) fn plan(wanted: Wanted<'_>, running: &Inventory<'_>) -> Vec<Step> {
    let renames = renames(wanted, running);
    let now = Providers::of(running, &renames);
    let Matched { actors, bindings, gone, unbound } = Matched::of(wanted, running);
    let renamed = renames.iter().map(|(was, name)| {
        let (provider, was) = ((*name).to_owned(), (*was).to_owned());
        Step::RenameProvider { provider, was }
    });
    let mut steps: Vec<_> = renamed.collect();
    let (restricted, opened) = ruled(running.rules, wanted.rules);
    steps.extend(restricted);
    steps.extend(stopped(&gone, wanted));
    steps.extend(unbound.iter().filter_map(|bound| left(*bound, wanted, &now)));
    steps.extend(made_providers(wanted, &now));
    let made = wanted.actors().filter_map(|(place, actor)| made_actor(actor, actors[place]));
    steps.extend(made);
    steps.extend(opened);
    let made = wanted
        .bindings()
        .filter_map(|(place, binding)| made_binding((binding, wanted), bindings[place], &now));
    steps.extend(made);
    let stays: HashSet<_> = wanted.providers().map(|provider| &*provider.name).collect();
    let known = running.providers.iter().chain(&running.broken).map(|provider| &*provider.name);
    let gone = known.filter(|name| !stays.contains(name) && !now.renamed.contains_key(name));
    steps.extend(gone.map(|name| Step::StopProvider { provider: name.to_owned() }));
    steps
}

/// Less that actors may do, and more.
fn ruled(now: Rules, wanted: Rules) -> (Option<Step>, Option<Step>) {
    match (now.open_calls, wanted.open_calls) {
        (true, false) => (Some(Step::RestrictCalls), None),
        (false, true) => (None, Some(Step::OpenCalls)),
        _ => (None, None),
    }
}

/// The actors that go. One whose key comes back under another name with an older revision stays:
/// that revision is refused for as long as the newer one runs.
fn stopped(gone: &[&PreparedActor], wanted: Wanted<'_>) -> Vec<Step> {
    let claims = |actor: &PreparedActor| Arc::clone(actor.verified.claims());
    let keys: HashSet<_> = gone.iter().map(|actor| claims(actor).subject.clone()).collect();
    let back = wanted.actors().map(|(_, actor)| claims(actor));
    let back: Vec<_> = back.filter(|claims| keys.contains(&claims.subject)).collect();
    let stays = |actor: &PreparedActor| {
        let (old, mut back) = (claims(actor), back.iter());
        back.any(|new| new.subject == old.subject && new.check_succeeds(&old).is_err())
    };
    let stopped = gone.iter().filter(|actor| !stays(actor));
    stopped.map(|actor| Step::StopActor { actor: actor.name.to_string() }).collect()
}

/// A binding that goes while its actor stays, in whatever version. Those of an actor that goes, go
/// with it.
fn left<'a>(bound: Bound<'a>, wanted: Wanted<'_>, running: &Providers<'a>) -> Option<Step> {
    if !wanted.has_caller(&bound.binding.actor) {
        return None;
    }
    let (binding, provider) = (bound.to_ref(), running.of_binding(bound).to_owned());
    Some(Step::Unbind { binding, provider })
}

fn made_providers(wanted: Wanted<'_>, running: &Providers<'_>) -> Vec<Step> {
    let now = |wanted: &PreparedProvider| running.named.get(&*wanted.name).copied();
    let new = wanted.providers().map(|wanted| (now(wanted), wanted));
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
        let changes = provider_changes(now, wanted);
        Step::ReplaceProvider { provider, implementation, waits_for, changes }
    };
    new.into_iter().map(step).collect()
}

/// What is different about a provider, as words.
fn provider_changes(now: &PreparedProvider, wanted: &PreparedProvider) -> Vec<String> {
    let (old, new) = (&now.descriptor, &wanted.descriptor);
    if old.name != new.name {
        // The values of another implementation have nothing to do with these.
        return vec![format!("instead of {}", old.name)];
    }
    let build = match () {
        () if now.is_kind_of(wanted) && now.claims == wanted.claims => None,
        () if now.is_kind_of(wanted) => Some("signed anew".to_owned()),
        () if old.version == new.version => Some("in another build".to_owned()),
        () => Some(format!("in version {} instead of {}", new.version, old.version)),
    };
    build.into_iter().chain(changes(&now.values, &wanted.values, new)).collect()
}

/// True when the instance that runs is the one that is wanted.
fn same_provider(running: &PreparedProvider, wanted: &PreparedProvider) -> bool {
    running.is_kind_of(wanted) && running.values == wanted.values && running.claims == wanted.claims
}

fn made_actor(wanted: &PreparedActor, now: Option<&PreparedActor>) -> Option<Step> {
    if now.is_some_and(|now| now.same_as(wanted)) {
        return None;
    }
    let actor = wanted.name.to_string();
    let key = wanted.verified.claims().subject.to_string();
    let loses = wanted.loses.clone();
    let Some(now) = now else { return Some(Step::StartActor { actor, key, loses }) };
    let old = now.verified.claims().subject.to_string();
    let replaces_key = (old != key).then_some(old);
    Some(Step::ReplaceActor { actor, key, replaces_key, loses })
}

fn made_binding(
    (wanted, all): (&PreparedBinding, Wanted<'_>),
    now: Option<Bound<'_>>,
    running: &Providers<'_>,
) -> Option<Step> {
    let binding = || Bound::of(wanted).to_ref();
    let provider = || wanted.provider.to_string();
    let Some(now) = now else {
        return Some(Step::Bind { binding: binding(), provider: provider() });
    };
    let leaves = running.of_binding(now);
    let moved = *leaves != *wanted.provider;
    // What an actor may ask stands in its binding.
    let rewritten = !is_same(&now.binding.contract, &wanted.contract);
    if !moved && now.binding.values == wanted.values && !now.stale && !rewritten {
        return None;
    }
    let leaves = moved.then(|| leaves.to_owned());
    let served = all.providers().find(|provider| provider.name == wanted.provider);
    let changes = served.map(|it| changes(&now.binding.values, &wanted.values, &it.descriptor));
    let mut changes = changes.unwrap_or_default();
    changes.extend(rewritten.then(|| "with other operations".to_owned()));
    Some(Step::Rebind { binding: binding(), provider: provider(), leaves, changes })
}

/// The values that change, as words. A text may be a secret, and is not repeated.
fn changes(now: &Values, wanted: &Values, descriptor: &Descriptor) -> Vec<String> {
    let told = |(key, value): (&str, &str)| match (now.get(key), descriptor.setting(key)) {
        (Some(now), _) if now == value => None,
        (_, Some(setting)) if !matches!(setting.kind, SettingKind::Text | SettingKind::Path(_)) => {
            Some(format!("with {key} {value}"))
        }
        (Some(_), _) => Some(format!("with another {key}")),
        (None, _) => Some(format!("with {key}")),
    };
    let gone = now.iter().filter(|(key, _)| wanted.get(key).is_none());
    let gone = gone.map(|(key, _)| format!("without {key}"));
    wanted.iter().filter_map(told).chain(gone).collect()
}
