//! The modules a manifest names: read, bounded, verified.

use std::sync::Arc;

use trellis_artifacts::{Artifact, Reference, Wanted};
use trellis_claims::{Verified, verify};
use trellis_core::{CallError, Code};
use trellis_engine::ModuleBounds;
use trellis_limits::ActorLimits;
use trellis_manifest::{ActorSpec, Manifest, Problem, ProviderKind, Spanned};

use super::context::PrepareContext;
use super::proof::{CodeProof, Proof};

/// What a module is to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Role {
    Actor,
    Provider,
}

/// A module that a manifest names.
#[derive(Clone, Copy)]
pub(super) struct Named<'a> {
    pub(super) file: &'a Spanned<String>,
    limits: &'a ActorLimits,
    role: Role,
}

/// A module, with what is known of it, or what is wrong with it.
pub(super) type Module = (Wanted, Result<Proof, Problem>);

/// Every module of a manifest, in its order.
pub(super) struct Verification {
    pub(super) actors: Vec<Module>,
    pub(super) providers: Vec<Module>,
}

/// Verifies every module of a manifest.
pub(super) async fn verify_all(manifest: &Manifest, context: &PrepareContext<'_>) -> Verification {
    let actors = manifest.actors.iter().map(|spec| {
        let ActorSpec { image: file, limits, .. } = &spec.value;
        Named { file, limits, role: Role::Actor }
    });
    let providers = manifest.providers.iter().filter_map(|spec| Named::of(&spec.value.kind));
    // Together: what is not wanted now is forgotten.
    let named: Vec<_> = actors.chain(providers).collect();
    let proven = prove_all(&named, context).await;
    let proven = named.iter().zip(proven).map(|(named, (wanted, proof))| {
        let proof = proof.and_then(|proof| {
            // What is known from before was verified under the trust and at the time of then.
            let checked = proof.verified.recheck(context.trust, &*context.clock);
            checked.map(|()| proof).map_err(|error| refused(named.file, &error.into()))
        });
        let proof = proof.map_err(|error| at(*named, &error));
        (wanted, proof.and_then(|proof| named.check_role(&proof.verified).map(|()| proof)))
    });
    let mut actors: Vec<_> = proven.collect();
    let providers = actors.split_off(manifest.actors.len());
    Verification { actors, providers }
}

async fn prove_all(
    named: &[Named<'_>],
    context: &PrepareContext<'_>,
) -> Vec<(Wanted, Result<Proof, CallError>)> {
    let wanted: Vec<_> = named
        .iter()
        .map(|module| Wanted {
            reference: Reference::new(context.folder, &module.file.value),
            bytes_max: module.limits.module_bytes_max,
        })
        .collect();
    let trust = context.trust.clone();
    let clock = Arc::clone(&context.clock);
    let files: Vec<_> = named.iter().map(|module| module.file.clone()).collect();
    let checker = context.checker.clone();
    let bounds: Arc<[_]> = named.iter().map(|it| ModuleBounds::of(it.limits)).collect();
    let suffices = {
        let (unchecked, bounds) = (checker.is_none(), Arc::clone(&bounds));
        move |index: usize, known: &Proof| unchecked || known.code.holds_under(&bounds[index])
    };
    let examination = move |index: usize, bytes: &[u8]| {
        let refused = |error: &CallError| refused(&files[index], error);
        let verified = verify(bytes, &trust, &*clock).map_err(|error| refused(&error.into()))?;
        let code = CodeProof::default();
        if let Some(checker) = &checker {
            checker.check(bytes, &bounds[index]).map_err(|error| refused(&error))?;
            code.was_right_under(&bounds[index]);
        }
        Ok(Artifact { digest: *verified.digest(), proof: Proof { verified, code } })
    };
    let results = context.modules.examine(wanted.clone(), suffices, examination).await;
    let proven = results.into_iter().map(|result| result.map(|artifact| artifact.proof));
    wanted.into_iter().zip(proven).collect()
}

impl<'a> Named<'a> {
    /// The module of a provider that is one.
    pub(super) fn of(kind: &'a ProviderKind) -> Option<Self> {
        let ProviderKind::Module(module) = kind else { return None };
        Some(Self { file: &module.file, limits: &module.limits, role: Role::Provider })
    }

    /// Whoever signed it decided which of the two it is: an actor does not come to be called over
    /// other actors' bindings, nor a provider from outside. An unsigned module may be either.
    fn check_role(&self, verified: &Verified) -> Result<(), Problem> {
        let provider = verified.claims().provider;
        let file = &*self.file.value;
        let (text, help) = match self.role {
            Role::Actor if provider => (
                format!("{file} is signed as a provider, not as an actor"),
                format!(
                    "list it under `providers`, as `module: {file}`; or sign it again without \
                     `--provider`"
                ),
            ),
            Role::Provider if !provider && !verified.is_unsigned() => (
                format!("{file} is signed as an actor, not as a provider"),
                "sign it again with `--provider`, or list it under `actors`".to_owned(),
            ),
            Role::Actor | Role::Provider => return Ok(()),
        };
        Err(Problem::new(self.file.span, text).code(Code::Denied).help(help))
    }
}

fn refused(file: &Spanned<String>, error: &CallError) -> CallError {
    CallError::new(error.code(), format!("{}: {}", file.value, error.message()))
}

/// True for `HOST/NAME:TAG` and `HOST/NAME@DIGEST`, which no path of a module is like.
fn is_like_a_registry_reference(image: &str) -> bool {
    let Some((host, name)) = image.split_once('/') else { return false };
    let host = host.contains(':') || (host.contains('.') && !host.starts_with('.'));
    let tagged = name.rsplit('/').next().is_some_and(|last| last.contains([':', '@']));
    host && tagged
}

/// A problem with a module, at its place.
pub(super) fn at(module: Named<'_>, error: &CallError) -> Problem {
    let help = match error.code() {
        Code::Internal => "this is a fault of the host",
        Code::NotFound if is_like_a_registry_reference(&module.file.value) => {
            "images are not fetched from registries in this version: name a file"
        }
        Code::NotFound if module.role == Role::Provider => {
            "correct the path, which starts at the manifest's folder; or build the provider and \
             sign it to there: `trellis sign FILE --provider --destination PATH`"
        }
        Code::NotFound => {
            "correct the path, which starts at the manifest's folder; or build the actor and sign \
             it to there: `trellis sign FILE --destination PATH`"
        }
        code => code.cure(),
    };
    Problem::new(module.file.span, error.message()).code(error.code()).help(help)
}
