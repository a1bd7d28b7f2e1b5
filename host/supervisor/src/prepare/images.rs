//! What there is to say of images and their registries.

use trellis_artifacts::{is_registry, written_digest};
use trellis_manifest::{Manifest, Problem, Spanned};

use super::located::Resolved;
use super::parts::PreparedActor;
use super::providers::Providers;
use super::warning::Warning;

/// What of a manifest may be images: its actors, and providers that are modules or archives.
type Modules<'a> = (&'a [Option<PreparedActor>], &'a Providers);

/// What is wrong with the names of registries.
pub(super) fn check_registries(manifest: &Manifest) -> impl Iterator<Item = Problem> {
    let wrong = manifest.registries.iter().filter(|it| !is_registry(&it.name.value));
    wrong.map(|it| {
        let message = format!("`{}` is no registry", it.name.value.escape_debug());
        Problem::new(it.name.span, message)
            .help("write a host as images have it, such as `localhost:5000`, without a scheme")
    })
}

/// Tags that could not be resolved, and stand for what they stood for the last time.
pub(super) fn warnings(manifest: &Manifest, prepared: Modules<'_>) -> Vec<Warning> {
    let stale = resolved(manifest, prepared).filter_map(|(image, resolved)| {
        let error = resolved.stale.as_ref()?;
        let message = format!(
            "{} is {}, as it was resolved the last time: {}",
            image.value,
            written_digest(&resolved.digest),
            error.message()
        );
        let help = "read the manifest again (SIGHUP) when the registry answers";
        let problem = Problem::new(image.span, message).code(error.code()).help(help);
        Some(Warning { problem, lasting: Some("an image may be older than its tag") })
    });
    stale.collect()
}

/// What each image stands for.
pub(super) fn notes(manifest: &Manifest, prepared: Modules<'_>) -> Vec<Problem> {
    let all = resolved(manifest, prepared).map(|(image, resolved)| {
        let digest = written_digest(&resolved.digest);
        let message = format!("{} resolved to {digest}", image.value);
        Problem::new(image.span, message)
    });
    all.collect()
}

fn resolved<'a>(
    manifest: &'a Manifest,
    (actors, providers): Modules<'a>,
) -> impl Iterator<Item = (&'a Spanned<String>, &'a Resolved)> {
    let actors = manifest.actors.iter().zip(actors);
    let actors = actors
        .filter_map(|(spec, actor)| Some((&spec.value.image, actor.as_ref()?.resolved.as_ref()?)));
    let providers = manifest.providers.iter().map(|spec| &spec.value).filter_map(|spec| {
        let provider = providers.get(spec.name.value.as_str())?;
        let module = provider.module.as_ref().and_then(|it| it.resolved.as_ref());
        Some((spec.kind.written(), module.or(provider.resolved.as_ref())?))
    });
    actors.chain(providers)
}
