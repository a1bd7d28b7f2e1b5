//! The modules a manifest names: read, bounded, verified.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use trellis_claims::{Verified, verify};
use trellis_core::{CallError, Code};
use trellis_manifest::{ActorSpec, Manifest, Problem, Spanned};

use super::{Ground, PreparedActor, plain_values};

/// Verifies every module; `None` stands for one with a problem, so that its place is kept.
pub(super) fn prepare(
    manifest: &Manifest,
    ground: &Ground<'_>,
    problems: &mut Vec<Problem>,
) -> Vec<Option<PreparedActor>> {
    let mut keys = BTreeMap::new();
    let mut actors = Vec::with_capacity(manifest.actors.len());
    for spec in manifest.actors.iter().map(|spec| &spec.value) {
        let actor = one(spec, ground).and_then(|actor| unique(actor, spec, &mut keys));
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

fn one(spec: &ActorSpec, ground: &Ground<'_>) -> Result<PreparedActor, Problem> {
    let image = &spec.image;
    let path = ground.folder.join(&image.value);
    let bytes = read_file(&path, spec.limits.module_bytes_max)
        .map_err(|error| at(image, &error, error.message().to_owned()))?;
    let refused =
        |error: CallError| at(image, &error, format!("{}: {}", image.value, error.message()));
    let verified = verify(&bytes, ground.trust, ground.clock).map_err(|e| refused(e.into()))?;
    if let Some(checker) = ground.checker {
        checker.check(&bytes, &spec.limits).map_err(refused)?;
    }
    let name =
        spec.name.as_ref().map_or_else(|| default_name(&verified, &path), |n| n.value.clone());
    Ok(PreparedActor {
        name: Arc::from(name),
        path,
        verified,
        isolation: match spec.isolation {
            trellis_manifest::Isolation::Reuse => trellis_engine::Isolation::Reuse,
            trellis_manifest::Isolation::Fresh => trellis_engine::Isolation::Fresh,
        },
        limits: spec.limits.clone(),
        values: plain_values(&spec.values),
    })
}

/// The name in the claims, else the file's, without its extension.
fn default_name(verified: &Verified, path: &Path) -> String {
    let stem = || path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    verified.claims().name.clone().filter(|name| !name.is_empty()).unwrap_or_else(stem)
}

/// A host runs one actor per key and per name: either would make calls ambiguous.
fn unique(
    actor: PreparedActor,
    spec: &ActorSpec,
    seen: &mut BTreeMap<String, String>,
) -> Result<PreparedActor, Problem> {
    let subject = actor.verified.claims().subject.to_string();
    for key in [subject, actor.name.to_string()] {
        if let Some(first) = seen.insert(key.clone(), spec.image.value.clone()) {
            let sentence = format!("`{key}` is already the actor of {first}");
            return Err(Problem::new(spec.image.span, sentence)
                .help("give it another `name`, or sign it with a module key of its own"));
        }
    }
    Ok(actor)
}

fn at(image: &Spanned<String>, error: &CallError, sentence: String) -> Problem {
    Problem::new(image.span, sentence).code(error.code()).help(error.code().cure())
}

/// Reads a module, but never more than it may have.
pub(crate) fn read_file(path: &Path, bytes_max: u64) -> Result<Bytes, CallError> {
    let unreadable = |error: std::io::Error| {
        let (code, hint) = match error.kind() {
            std::io::ErrorKind::NotFound => (Code::NotFound, "; build and sign the actor first"),
            _ => (Code::Storage, ""),
        };
        CallError::new(code, format!("{} cannot be read: {error}{hint}", path.display()))
    };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(bytes_max + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > bytes_max {
        let message =
            format!("{} is larger than module_bytes_max ({bytes_max} bytes)", path.display());
        return Err(CallError::new(Code::ModuleLimit, message));
    }
    Ok(bytes.into())
}
