//! Claims that end soon.

use trellis_core::Code;
use trellis_core::date::span;
use trellis_manifest::{Manifest, Problem, Span};

use super::parts::PreparedActor;
use super::providers::Providers;
use super::warning::Warning;
use crate::expiring::{CURE, ends_soon, sentence};

/// Says of each module whose claims end soon when that is. Once it runs, its host says so as well,
/// for as long as it lasts.
pub(super) fn warnings(
    manifest: &Manifest,
    (actors, providers): (&[Option<PreparedActor>], &Providers),
    now_unix_s: u64,
) -> Vec<Warning> {
    let warning = |(place, module): (Span, &PreparedActor)| {
        let end = ends_soon(module.verified.claims(), now_unix_s)?;
        let left = span(end.saturating_sub(now_unix_s));
        let (what, name) = (module.what(), &module.name);
        let message = format!("the claims of {what} `{name}` {}, in {left}", sentence(end));
        let problem = Problem::new(place, message).code(Code::Expired);
        Some(Warning::of_change(problem.help(CURE)))
    };
    let actors = manifest.actors.iter().zip(actors);
    let actors = actors.filter_map(|(spec, actor)| Some((spec.value.image.span, actor.as_ref()?)));
    let providers = manifest.providers.iter().filter_map(|spec| {
        let known = providers.get(spec.value.name.value.as_str())?;
        Some((spec.span, known.module.as_deref()?))
    });
    actors.chain(providers).filter_map(warning).collect()
}
