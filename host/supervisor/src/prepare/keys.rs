//! Actors whose key changed while a provider keeps data under it.

use std::collections::{BTreeMap, BTreeSet};

use trellis_core::Code;
use trellis_manifest::{Manifest, Problem};

use super::context::LastRuns;
use super::parts::{PreparedActor, PreparedBinding};
use super::providers::Providers;

/// An actor that would begin without the data it had.
pub(super) struct Changed {
    pub(super) problem: Problem,
    /// An unsigned module has a new key with every build: nothing else can be expected of it.
    pub(super) is_unsigned: bool,
}

/// The keys of the actors that are bound to a provider that keeps data, by their names.
pub(super) fn of_stateful<'a>(
    actors: &'a [Option<PreparedActor>],
    bindings: &[PreparedBinding],
    providers: &Providers,
) -> BTreeMap<&'a str, &'a str> {
    let stateful = |binding: &&PreparedBinding| {
        providers.get(&binding.provider).is_some_and(|provider| provider.descriptor.stateful)
    };
    let bound: BTreeSet<&str> =
        bindings.iter().filter(stateful).map(|binding| &*binding.actor).collect();
    let actors = actors.iter().flatten().filter(|actor| bound.contains(&*actor.name));
    actors.map(|actor| (&*actor.name, actor.verified.claims().subject.as_str())).collect()
}

/// The actors of `keys` that had other keys `before`.
pub(super) fn changed(
    manifest: &Manifest,
    actors: &[Option<PreparedActor>],
    keys: &BTreeMap<&str, &str>,
    before: &LastRuns,
) -> Vec<Changed> {
    let mut changed = Vec::new();
    for (spec, actor) in manifest.actors.iter().zip(actors) {
        let Some(actor) = actor else { continue };
        let name = &*actor.name;
        let old = before.get(name).and_then(|last| last.key.as_deref());
        let (Some(key), Some(old)) = (keys.get(name), old) else { continue };
        if *key == old {
            continue;
        }
        let sentence = format!(
            "actor key changed: `{name}` was {old} and is {key} now; its data stays with the old \
             key, so it begins without any"
        );
        let problem = Problem::new(spec.value.image.span, sentence)
            .code(Code::ActorKey)
            .help(Code::ActorKey.cure());
        changed.push(Changed { problem, is_unsigned: actor.verified.is_unsigned() });
    }
    changed
}
