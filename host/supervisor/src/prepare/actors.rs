//! The actors a manifest wants, each a verified module.

use std::collections::BTreeMap;
use std::sync::Arc;

use trellis_artifacts::Reference;
use trellis_claims::Verified;
use trellis_manifest::{ActorSpec, Manifest, Problem};

use super::context::PrepareContext;
use super::known::Modules;
use super::located::Located;
use super::modules::Module;
use super::parts::PreparedActor;
use super::proof::Proof;
use super::providers::plain_values;

/// Every actor, by its module; `None` stands for one with a problem, so that its place is kept.
pub(super) fn prepare(
    manifest: &Manifest,
    modules: Vec<Module>,
    context: &PrepareContext<'_>,
    problems: &mut Vec<Problem>,
) -> Vec<Option<PreparedActor>> {
    let mut keys = BTreeMap::new();
    let mut actors = Vec::with_capacity(manifest.actors.len());
    for (spec, module) in manifest.actors.iter().map(|spec| &spec.value).zip(modules) {
        let actor = module.map(|module| one(spec, module, &context.modules));
        match actor.and_then(|actor| unique(actor, spec, &mut keys)) {
            Ok(actor) => actors.push(Some(actor)),
            Err(problem) => {
                problems.push(problem);
                actors.push(None);
            }
        }
    }
    actors
}

fn one(spec: &ActorSpec, (found, proof): (Located, Proof), modules: &Modules) -> PreparedActor {
    let (Located { module, resolved, held }, Proof { verified, code }) = (found, proof);
    let name = spec.name.as_ref().map(|name| name.value.clone());
    let name = name.unwrap_or_else(|| default_name(&verified, &module.reference));
    PreparedActor {
        name: Arc::from(name),
        module,
        resolved,
        held,
        modules: modules.clone(),
        is_provider: false,
        verified,
        code,
        isolation: match spec.isolation {
            trellis_manifest::Isolation::Reuse => trellis_engine::Isolation::Reuse,
            trellis_manifest::Isolation::Fresh => trellis_engine::Isolation::Fresh,
        },
        limits: spec.limits.clone(),
        values: plain_values(&spec.values),
        loses: Vec::new(),
        may_be_older: false,
        replays: None,
    }
}

/// The name in the claims, else what the file or the image is called.
fn default_name(verified: &Verified, reference: &Reference) -> String {
    let claimed = verified.claims().name.clone().filter(|name| !name.is_empty());
    claimed.unwrap_or_else(|| reference.short_name())
}

/// A host runs one actor per key and per name: either would make calls ambiguous.
fn unique(
    actor: PreparedActor,
    spec: &ActorSpec,
    seen: &mut BTreeMap<String, String>,
) -> Result<PreparedActor, Problem> {
    let subject = actor.verified.claims().subject.to_string();
    let own_key = "sign it with a module key of its own, or leave one of the two out";
    let own_name = "give it another `name`";
    for (key, help) in [(subject, own_key), (actor.name.to_string(), own_name)] {
        if let Some(first) = seen.insert(key.clone(), spec.image.value.clone()) {
            let sentence = format!("`{key}` is already the actor of {first}");
            return Err(Problem::new(spec.image.span, sentence).help(help));
        }
    }
    Ok(actor)
}
