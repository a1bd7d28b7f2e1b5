//! The modules a manifest names: read, bounded, verified.

use std::collections::BTreeMap;
use std::sync::Arc;

use trellis_artifacts::{Artifact, Reference, is_like_an_image};
use trellis_claims::{Verified, verify};
use trellis_core::{CallError, Code};
use trellis_engine::ModuleBounds;
use trellis_manifest::{ActorSpec, Manifest, Problem, Spanned};

use super::context::{Modules, PrepareContext};
use super::images;
use super::located::Located;
use super::parts::PreparedActor;
use super::proof::{CodeProof, Proof};
use super::providers::plain_values;

/// Verifies every module; `None` stands for one with a problem, so that its place is kept.
pub(super) async fn prepare(
    manifest: &Manifest,
    context: &PrepareContext<'_>,
    problems: &mut Vec<Problem>,
) -> Vec<Option<PreparedActor>> {
    let mut keys = BTreeMap::new();
    let proven = prove_all(manifest, context).await;
    let mut actors = Vec::with_capacity(manifest.actors.len());
    for (spec, proven) in manifest.actors.iter().zip(proven) {
        let spec = &spec.value;
        let actor = proven.and_then(|(found, proof)| {
            // What is known from before was verified under the trust and at the time of then.
            let checked = proof.verified.recheck(context.trust, &*context.clock);
            checked.map(|()| (found, proof)).map_err(|error| refused(&spec.image, &error.into()))
        });
        let actor = actor
            .map_err(|error| at(&spec.image, &error))
            .and_then(|proven| unique(one(spec, proven, &context.modules), spec, &mut keys));
        match actor {
            Ok(actor) => actors.push(Some(actor)),
            Err(problem) => {
                problems.push(problem);
                actors.push(None);
            }
        }
    }
    actors
}

async fn prove_all(
    manifest: &Manifest,
    context: &PrepareContext<'_>,
) -> Vec<Result<(Located, Proof), CallError>> {
    let located = images::locate(manifest, context).await;
    let found = manifest.actors.iter().zip(&located);
    let found = found.filter_map(|(spec, found)| Some((&spec.value, found.as_ref().ok()?)));
    let (specs, found): (Vec<_>, Vec<_>) = found.unzip();
    let wanted: Vec<_> = found.into_iter().map(|found| found.module.clone()).collect();
    let trust = context.trust.clone();
    let clock = Arc::clone(&context.clock);
    let images: Vec<_> = specs.iter().map(|spec| spec.image.clone()).collect();
    let checker = context.checker.clone();
    let bounds: Arc<[_]> = specs.iter().map(|spec| ModuleBounds::of(&spec.limits)).collect();
    let suffices = {
        let (unchecked, bounds) = (checker.is_none(), Arc::clone(&bounds));
        move |index: usize, known: &Proof| unchecked || known.code.holds_under(&bounds[index])
    };
    let examination = move |index: usize, bytes: &[u8]| {
        let refused = |error: &CallError| refused(&images[index], error);
        let verified = verify(bytes, &trust, &*clock).map_err(|error| refused(&error.into()))?;
        let code = CodeProof::default();
        if let Some(checker) = &checker {
            checker.check(bytes, &bounds[index]).map_err(|error| refused(&error))?;
            code.was_right_under(&bounds[index]);
        }
        Ok(Artifact { digest: *verified.digest(), proof: Proof { verified, code } })
    };
    let mut proven = context.modules.examine(wanted, suffices, examination).await.into_iter();
    let with_proof = |found: Result<Located, CallError>| {
        let found = found?;
        let proven = proven.next().expect("there is a result for each that was found");
        proven.map(|artifact| (found, artifact.proof))
    };
    located.into_iter().map(with_proof).collect()
}

fn one(spec: &ActorSpec, (found, proof): (Located, Proof), modules: &Modules) -> PreparedActor {
    let Proof { verified, code } = proof;
    let name = spec.name.as_ref().map(|name| name.value.clone());
    let name = name.unwrap_or_else(|| default_name(&verified, &found.module.reference));
    PreparedActor {
        name: Arc::from(name),
        module: found.module,
        resolved: found.resolved,
        modules: modules.clone(),
        verified,
        code,
        isolation: match spec.isolation {
            trellis_manifest::Isolation::Reuse => trellis_engine::Isolation::Reuse,
            trellis_manifest::Isolation::Fresh => trellis_engine::Isolation::Fresh,
        },
        limits: spec.limits.clone(),
        values: plain_values(&spec.values),
        loses: Vec::new(),
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

fn refused(image: &Spanned<String>, error: &CallError) -> CallError {
    CallError::new(error.code(), format!("{}: {}", image.value, error.message()))
}

fn at(image: &Spanned<String>, error: &CallError) -> Problem {
    let help = match error.code() {
        Code::Internal => "this is a fault of the host",
        Code::NotFound if is_like_an_image(&image.value) => {
            "correct the name and the tag; or push the actor to there: `trellis push FILE REFERENCE`"
        }
        Code::NotFound => {
            "correct the path, which starts at the manifest's folder; or build the actor and sign \
             it to there: `trellis sign FILE --destination PATH`"
        }
        code => code.cure(),
    };
    Problem::new(image.span, error.message()).code(error.code()).help(help)
}
