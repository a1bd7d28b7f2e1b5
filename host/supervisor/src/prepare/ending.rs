//! Claims that end soon.

use trellis_core::Code;
use trellis_core::date::span;
use trellis_manifest::{ActorSpec, Manifest, Problem, ProviderKind, Span, Spanned};

use super::parts::PreparedActor;
use super::providers::Providers;
use super::warning::Warning;
use crate::expiring::{CURE, sentence};

/// Says of each actor whose claims end soon when that is. Once it runs, its host says so as well,
/// for as long as it lasts.
pub(super) fn of_actors(
    manifest: &Manifest,
    actors: &[Option<PreparedActor>],
    now_unix_s: u64,
) -> Vec<Warning> {
    let warning = |(spec, actor): (&Spanned<ActorSpec>, &Option<PreparedActor>)| {
        let actor = actor.as_ref()?;
        let end = actor.ends_soon(now_unix_s)?;
        let what = format!("actor `{}`", actor.name);
        Some(warning_of(&what, spec.value.image.span, (end, now_unix_s)))
    };
    manifest.actors.iter().zip(actors).filter_map(warning).collect()
}

/// The same of each provider that comes as an archive.
pub(super) fn of_providers(
    manifest: &Manifest,
    providers: &Providers,
    now_unix_s: u64,
) -> Vec<Warning> {
    let specs = manifest.providers.iter().map(|spec| &spec.value);
    let warnings = specs.filter_map(|spec| {
        let provider = providers.get(&*spec.name.value)?;
        let end = provider.ends_soon(now_unix_s)?;
        let ProviderKind::Process(process) = &spec.kind else { return None };
        let place = process.program.written().span;
        Some(warning_of(&format!("provider `{}`", provider.name), place, (end, now_unix_s)))
    });
    warnings.collect()
}

fn warning_of(what: &str, place: Span, (end, now_unix_s): (u64, u64)) -> Warning {
    let left = span(end.saturating_sub(now_unix_s));
    let message = format!("the claims of {what} {}, in {left}", sentence(end));
    Warning::of_change(Problem::new(place, message).code(Code::Expired).help(CURE))
}
