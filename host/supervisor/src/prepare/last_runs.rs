//! What is known of actors from when they last ran, and what they lost since.
//!
//! A contract that binds itself needs only a claim. When the next version leaves the claim out, no
//! binding is missing, and calls that worked are refused from one version to the next.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use trellis_core::Code;
use trellis_manifest::{Manifest, Problem};

use super::context::{LastRun, LastRuns};
use super::links::Written;
use super::parts::PreparedActor;
use super::warning::Warning;

/// What will be known of actors with these bindings when they have run, but for their keys.
pub(super) fn of(actors: &[Option<PreparedActor>], links: &[Written<'_>]) -> LastRuns {
    let mut bound: BTreeMap<&Arc<str>, BTreeSet<String>> = BTreeMap::new();
    for Written { link, .. } in links.iter().filter(|written| written.spec.is_none()) {
        bound.entry(&link.actor).or_default().insert(link.contract.id.to_string());
    }
    let last_run = |actor: &PreparedActor| {
        let self_bound = bound.remove(&actor.name).unwrap_or_default();
        (actor.name.to_string(), LastRun { key: None, self_bound })
    };
    actors.iter().flatten().map(last_run).collect()
}

/// Says of each actor what it could use when it last ran, and cannot now.
pub(super) fn warnings(
    manifest: &Manifest,
    (actors, links): (&[Option<PreparedActor>], &[Written<'_>]),
    before: &LastRuns,
) -> Vec<Warning> {
    let bound: BTreeSet<(&str, &str)> =
        links.iter().map(|it| (&*it.link.actor, it.link.contract.id.as_str())).collect();
    let mut warnings = Vec::new();
    for (spec, actor) in manifest.actors.iter().zip(actors) {
        let Some(actor) = actor else { continue };
        let name = &*actor.name;
        let could = before.get(name).map(|last| &last.self_bound).into_iter().flatten();
        for contract in could.filter(|contract| !bound.contains(&(name, contract.as_str()))) {
            let message = format!(
                "actor `{name}` does not claim {contract} any more: the version that ran before \
                 could use it, this one is refused it"
            );
            let help = format!("sign it with `--cap {contract}`, unless its code needs it no more");
            let problem = Problem::new(spec.value.image.span, message).code(Code::Denied);
            warnings.push(Warning::of_change(problem.help(help)));
        }
    }
    warnings
}
