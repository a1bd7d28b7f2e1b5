//! Claims that end soon.

use trellis_core::Code;
use trellis_core::date::span;
use trellis_manifest::{ActorSpec, Manifest, Problem, Spanned};

use super::parts::PreparedActor;
use super::warning::Warning;
use crate::expiring::{CURE, ends_soon, sentence};

/// Says of each actor whose claims end soon when that is. Once it runs, its host says so as well,
/// for as long as it lasts.
pub(super) fn warnings(
    manifest: &Manifest,
    actors: &[Option<PreparedActor>],
    now_unix_s: u64,
) -> Vec<Warning> {
    let warning = |(spec, actor): (&Spanned<ActorSpec>, &Option<PreparedActor>)| {
        let actor = actor.as_ref()?;
        let end = ends_soon(actor.verified.claims(), now_unix_s)?;
        let left = span(end.saturating_sub(now_unix_s));
        let message = format!("the claims of actor `{}` {}, in {left}", actor.name, sentence(end));
        let problem = Problem::new(spec.value.image.span, message).code(Code::Expired);
        Some(Warning::of_change(problem.help(CURE)))
    };
    manifest.actors.iter().zip(actors).filter_map(warning).collect()
}
