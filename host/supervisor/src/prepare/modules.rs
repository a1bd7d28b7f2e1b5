//! The modules a manifest names: read, bounded, verified.

use std::sync::Arc;

use trellis_artifacts::{Artifact, ImageKind, Wanted, is_like_an_image};
use trellis_claims::{Verified, verify};
use trellis_core::{CallError, Code};
use trellis_engine::ModuleBounds;
use trellis_limits::ActorLimits;
use trellis_manifest::{ActorSpec, Manifest, Problem, ProviderKind, Spanned};

use super::context::PrepareContext;
use super::kept::Keep;
use super::locate::{PUSH_IT, locate};
use super::located::Located;
use super::parts::PreparedActor;
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
    pub(super) image: &'a Spanned<String>,
    limits: &'a ActorLimits,
    role: Role,
    /// It was prepared before, and whether it may run is asked again.
    kept: Option<(&'a PreparedActor, bool)>,
}

/// A module that is here, with what is known of it; or what is wrong with it.
pub(super) type Module = Result<(Located, Proof), Problem>;

/// Every module of a manifest, in its order.
pub(super) struct Verification {
    pub(super) actors: Vec<Module>,
    pub(super) providers: Vec<Module>,
}

/// Verifies every module of a manifest.
pub(super) async fn verify_all(manifest: &Manifest, context: &PrepareContext<'_>) -> Verification {
    let actors = manifest.actors.iter().enumerate().map(|(place, spec)| {
        let ActorSpec { image, limits, .. } = &spec.value;
        let kept = context.kept.actor(place).map(|Keep { part, is_asked }| (&**part, *is_asked));
        Named { image, limits, role: Role::Actor, kept }
    });
    let providers = manifest.providers.iter().filter_map(|spec| {
        let named = Named::of(&spec.value.kind)?;
        let kept = context.kept.provider(&spec.value.name.value);
        let kept = kept.and_then(|keep| Some((&**keep.part.module.as_ref()?, keep.is_asked)));
        Some(Named { kept, ..named })
    });
    // Together: what is not wanted now is forgotten.
    let named: Vec<_> = actors.chain(providers).collect();
    let proven = prove_all(&named, manifest, context).await;
    let proven = named.iter().zip(proven).map(|(named, proven)| {
        let proven = proven.and_then(|(found, proof)| {
            if named.kept.is_some_and(|(_, is_asked)| !is_asked) {
                return Ok((found, proof));
            }
            // What is known from before was verified under the trust and at the time of then.
            let checked = proof.verified.recheck(context.trust, &*context.clock);
            checked.map(|()| (found, proof)).map_err(|error| refused(named.image, &error.into()))
        });
        let (found, proof) = proven.map_err(|error| at(*named, &error))?;
        named.check_role(&proof.verified).map(|()| (found, proof))
    });
    let mut actors: Vec<_> = proven.collect();
    let providers = actors.split_off(manifest.actors.len());
    Verification { actors, providers }
}

/// What is known of all of them: of what is kept what was known before.
async fn prove_all(
    named: &[Named<'_>],
    manifest: &Manifest,
    context: &PrepareContext<'_>,
) -> Vec<Result<(Located, Proof), CallError>> {
    let new: Vec<_> = named.iter().filter(|it| it.kept.is_none()).copied().collect();
    let kept = named.iter().filter_map(|it| Some(it.kept?.0.module.clone())).collect();
    let mut proven = prove((&new, kept), manifest, context).await.into_iter();
    let of = |named: &Named<'_>| match named.kept {
        Some((kept, _)) => Ok(kept.found()),
        None => proven.next().expect("there is a result for each that is new"),
    };
    named.iter().map(of).collect()
}

async fn prove(
    (named, kept): (&[Named<'_>], Vec<Wanted>),
    manifest: &Manifest,
    context: &PrepareContext<'_>,
) -> Vec<Result<(Located, Proof), CallError>> {
    let wanted = named.iter().map(|it| (&*it.image.value, it.limits.module_bytes_max));
    let located = locate(&[ImageKind::Module], wanted, manifest, context).await;
    let found = named.iter().zip(&located);
    let found = found.filter_map(|(named, found)| Some((named, found.as_ref().ok()?)));
    let (named, found): (Vec<&Named<'_>>, Vec<_>) = found.unzip();
    let wanted: Vec<_> = found.into_iter().map(|found| found.module.clone()).collect();
    let trust = context.trust.clone();
    let clock = Arc::clone(&context.clock);
    let images: Vec<_> = named.iter().map(|it| it.image.clone()).collect();
    let checker = context.checker.clone();
    let bounds: Arc<[_]> = named.iter().map(|it| ModuleBounds::of(it.limits)).collect();
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
    let proven = context.modules.examine_beside((wanted, kept), suffices, examination);
    let mut proven = proven.await.into_iter();
    let with_proof = |found: Result<Located, CallError>| {
        let found = found?;
        let proven = proven.next().expect("there is a result for each that was found");
        proven.map(|artifact| (found, artifact.proof))
    };
    located.into_iter().map(with_proof).collect()
}

impl<'a> Named<'a> {
    /// The module of a provider that is one.
    pub(super) fn of(kind: &'a ProviderKind) -> Option<Self> {
        let ProviderKind::Module(module) = kind else { return None };
        let (image, limits) = (&module.file, &module.limits);
        Some(Self { image, limits, role: Role::Provider, kept: None })
    }

    /// Whoever signed it decided which of the two it is: an actor does not come to be called over
    /// other actors' bindings, nor a provider from outside. An unsigned module may be either.
    fn check_role(&self, verified: &Verified) -> Result<(), Problem> {
        let provider = verified.claims().provider;
        let image = &*self.image.value;
        let (text, help) = match self.role {
            Role::Actor if provider => (
                format!("{image} is signed as a provider, not as an actor"),
                format!(
                    "list it under `providers`, as `module: {image}`; or sign it again without \
                     `--provider`"
                ),
            ),
            Role::Provider if !provider && !verified.is_unsigned() => (
                format!("{image} is signed as an actor, not as a provider"),
                "sign it again with `--provider`, or list it under `actors`".to_owned(),
            ),
            Role::Actor | Role::Provider => return Ok(()),
        };
        Err(Problem::new(self.image.span, text).code(Code::Denied).help(help))
    }
}

fn refused(image: &Spanned<String>, error: &CallError) -> CallError {
    CallError::new(error.code(), format!("{}: {}", image.value, error.message()))
}

/// A problem with a module, at its place.
pub(super) fn at(module: Named<'_>, error: &CallError) -> Problem {
    let help = match error.code() {
        Code::Internal => "this is a fault of the host",
        Code::NotFound if is_like_an_image(&module.image.value) => PUSH_IT,
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
    Problem::new(module.image.span, error.message()).code(error.code()).help(help)
}
