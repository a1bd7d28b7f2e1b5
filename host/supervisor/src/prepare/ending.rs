//! Claims that end soon.

use trellis_core::Code;
use trellis_core::date::span;
use trellis_manifest::{Manifest, Problem, Span};

use super::parts::PreparedActor;
use super::providers::Providers;
use super::warning::Warning;
use crate::expiring::{CURE, sentence};

/// Says of whatever has claims that end soon when that is. Once it runs, its host says so as well,
/// for as long as it lasts.
pub(super) fn warnings(
    manifest: &Manifest,
    (actors, providers): (&[Option<PreparedActor>], &Providers),
    now_unix_s: u64,
) -> Vec<Warning> {
    let actors = manifest.actors.iter().zip(actors).filter_map(|(spec, actor)| {
        let actor = actor.as_ref()?;
        let end = actor.ends_soon(now_unix_s)?;
        Some((format!("actor `{}`", actor.name), spec.value.image.span, end))
    });
    let providers = manifest.providers.iter().map(|spec| &spec.value).filter_map(|spec| {
        let provider = providers.get(spec.name.value.as_str())?;
        let end = provider.ends_soon(now_unix_s)?;
        Some((format!("provider `{}`", provider.name), spec.kind.written().span, end))
    });
    let warning = |(what, place, end): (String, Span, u64)| {
        let left = span(end.saturating_sub(now_unix_s));
        let message = format!("the claims of {what} {}, in {left}", sentence(end));
        Warning::of_change(Problem::new(place, message).code(Code::Expired).help(CURE))
    };
    actors.chain(providers).map(warning).collect()
}
