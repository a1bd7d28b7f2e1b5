//! The archives that a manifest names: fetched, read, verified, and their programs unpacked to be
//! run.

use std::collections::BTreeMap;
use std::sync::Arc;

use trellis_archive::{Target, verify};
use trellis_artifacts::{Artifact, ImageKind, Named, ProgramCache, Reference, Wanted, hint};
use trellis_claims::{VerifiedProvider, hash};
use trellis_core::{CallError, Code};
use trellis_limits::fixed::ARCHIVE_BYTES;
use trellis_manifest::{Manifest, Problem, ProgramSpec, ProviderKind, ProviderSpec, Spanned};
use trellis_providers_sdk::Descriptor;

use super::context::PrepareContext;
use super::locate::{PUSH_IT, locate};
use super::located::{Located, Resolved};
use super::proof::ArchiveProof;

/// How the names of archives end.
const EXTENSIONS: &[&str] = &["par", "gz"];

/// An archive that was verified, and its program unpacked.
pub(super) struct Unpacked {
    pub(super) proof: ArchiveProof,
    /// Of an image, what it stands for.
    pub(super) resolved: Option<Resolved>,
}

/// The archives of a manifest by their provider's name, or why one is of no use.
pub(super) type Archives = BTreeMap<String, Result<Unpacked, Problem>>;

/// Finds all of them, verifies them, and unpacks what is not unpacked yet.
pub(super) async fn unpack(manifest: &Manifest, context: &PrepareContext<'_>) -> Archives {
    let named = manifest.providers.iter().filter_map(|spec| named(&spec.value));
    let (kept, named): (Vec<_>, Vec<_>) =
        named.partition(|(name, _)| context.kept.provider(name).is_some());
    if named.is_empty() {
        return Archives::new();
    }
    let Some(cache) = &context.programs else {
        return named.into_iter().map(|(name, file)| (name, Err(nowhere(&file)))).collect();
    };
    let texts = named.iter().map(|(_, file)| (&*file.value, ARCHIVE_BYTES.default));
    let located = locate(&[ImageKind::Archive], texts, manifest, context).await;
    let found = named.iter().zip(&located);
    let found = found.filter_map(|((_, file), it)| Some((file.clone(), it.as_ref().ok()?)));
    let (files, found): (Vec<_>, Vec<_>) = found.unzip();
    let wanted = found.into_iter().map(|it| it.module.clone()).collect();
    let kept = kept.iter().filter_map(|(_, file)| file_of(file, context)).collect();
    let mut examined = examine((files, wanted, kept), cache, context).await.into_iter();
    let unpacked = named.into_iter().zip(located).map(|((name, file), located)| {
        let Located { resolved, .. } = match located {
            Ok(located) => located,
            Err(error) => return (name, Err(unfetched(&file, &error))),
        };
        let proof = examined.next().expect("there is a result for each that was found");
        let proof = proof.and_then(|proof| {
            // What is known from before was verified under the trust and at the time of then.
            let checked = proof.claims.recheck(context.trust, &*context.clock);
            checked.map(|()| proof).map_err(|error| about(&file, &error.into()))
        });
        let unpacked = proof.map(|proof| Unpacked { proof, resolved });
        (name, unpacked.map_err(|error| problem(&file, &error, context)))
    });
    unpacked.collect()
}

/// Checks that a program serves what its claims say.
pub(super) fn check_contract(
    file: &Spanned<String>,
    claims: &VerifiedProvider,
    descriptor: &Descriptor,
) -> Result<(), Problem> {
    let (text, help) = match &claims.body().contract {
        Some(claimed) if descriptor.contract(claimed).is_some() => return Ok(()),
        Some(claimed) => {
            let serves: Vec<_> = descriptor.contracts.iter().map(|it| it.id.to_string()).collect();
            let serves = serves.join(", ");
            let text = format!(
                "{}: its claims say that it serves {claimed}; its program serves {serves}",
                **file
            );
            (text, "make the archive with the contract that its program serves: `--capability`")
        }
        None => {
            let text = format!("{}: its claims do not say what it serves (`capid`)", **file);
            (text, "make it anew: `trellis par create PROGRAM --capability CONTRACT`")
        }
    };
    Err(Problem::new(file.span, text).code(Code::Token).help(help))
}

/// The archive of a provider, with the provider's name.
fn named(spec: &ProviderSpec) -> Option<(String, Spanned<String>)> {
    match &spec.kind {
        ProviderKind::Process(process) => match &process.program {
            ProgramSpec::Archive(file) => Some((spec.name.value.clone(), file.clone())),
            ProgramSpec::Command(_) => None,
        },
        ProviderKind::Builtin(_) | ProviderKind::Module(_) => None,
    }
}

/// Where an archive is that was prepared before: only of a file it is worth to be known.
fn file_of(file: &Spanned<String>, context: &PrepareContext<'_>) -> Option<Wanted> {
    let Ok(Named::File(path)) = Named::read(context.folder, &file.value) else { return None };
    Some(Wanted { reference: Reference::File(path), bytes_max: ARCHIVE_BYTES.default })
}

async fn examine(
    (files, wanted, kept): (Vec<Spanned<String>>, Vec<Wanted>, Vec<Wanted>),
    cache: &ProgramCache,
    context: &PrepareContext<'_>,
) -> Vec<Result<ArchiveProof, CallError>> {
    let unpacked = cache.clone();
    // One that was changed or removed since is unpacked again.
    let suffices =
        move |_: usize, known: &ArchiveProof| unpacked.find(known.program.digest()).is_some();
    let (cache, trust, clock) = (cache.clone(), context.trust.clone(), Arc::clone(&context.clock));
    let examination = move |place: usize, bytes: &[u8]| {
        let proven = verify(bytes, &Target::here(), &trust, &*clock).and_then(|verified| {
            let claims = verified.claims().clone();
            let program = Arc::new(cache.keep(verified.digest(), verified.program())?);
            let proof = ArchiveProof { claims, program };
            Ok(Artifact { digest: hash::digest(bytes), proof })
        });
        proven.map_err(|error| about(&files[place], &error))
    };
    let results = context.archives.examine_beside((wanted, kept), suffices, examination).await;
    results.into_iter().map(|result| result.map(|artifact| artifact.proof)).collect()
}

/// An image that is not to be had.
fn unfetched(file: &Spanned<String>, error: &CallError) -> Problem {
    let help = match error.code() {
        Code::NotFound => PUSH_IT,
        code => code.cure(),
    };
    Problem::new(file.span, error.message()).code(error.code()).help(help)
}

fn about(file: &Spanned<String>, error: &CallError) -> CallError {
    CallError::new(error.code(), format!("{}: {}", file.value, error.message()))
}

fn nowhere(file: &Spanned<String>) -> Problem {
    let text = format!("{}: there is no cache folder to unpack it into", file.value);
    let help = "give the host one: `--cache-dir FOLDER`, or `host: {cache: FOLDER}`";
    Problem::new(file.span, text).code(Code::Config).help(help)
}

/// What is wrong with an archive, or with its file.
fn problem(file: &Spanned<String>, error: &CallError, context: &PrepareContext<'_>) -> Problem {
    let at =
        |text: String, help: String| Problem::new(file.span, text).code(error.code()).help(help);
    let is_read = error.message().starts_with(&format!("{}: ", file.value));
    match error.code() {
        Code::NotFound if is_read => {
            let here = Target::here();
            let help = format!(
                "add it: `trellis par insert {} PROGRAM`, with a program that was built for {here}",
                file.value
            );
            at(error.message().to_owned(), help)
        }
        Code::NotFound => {
            let path = context.folder.join(&file.value);
            let near = hint::of_missing(&path, EXTENSIONS);
            let help = near.unwrap_or_else(|| {
                "correct the path, which starts at the manifest's folder; `trellis par create` \
                 makes archives"
                    .to_owned()
            });
            at(format!("there is no archive {}", path.display()), help)
        }
        Code::ModuleLimit => {
            let text = format!(
                "{} is larger than {} ({} bytes)",
                file.value, ARCHIVE_BYTES.name, ARCHIVE_BYTES.default
            );
            let help = "strip its programs of debug information, or compress it";
            Problem::new(file.span, text).code(Code::Archive).help(help)
        }
        Code::Internal => at(error.message().to_owned(), "this is a fault of the host".to_owned()),
        code => at(error.message().to_owned(), code.cure().to_owned()),
    }
}
