//! Actors whose key changed while a provider keeps data under it.

use trellis_core::Code;
use trellis_manifest::{Manifest, Problem};

use super::context::{LastRun, LastRuns};
use super::parts::PreparedActor;
use super::warning::Warning;

/// What to do about a key that nobody owns.
const UNSIGNED: &str = "an unsigned module goes by a key that is made from its bytes; sign it, and \
                        its key and its data stay from then on";

/// An actor that would begin without the data it had.
pub(super) struct Changed {
    problem: Problem,
    /// True when nobody may rely on one of the two keys: that of an unsigned module comes from its
    /// bytes, so it is another one with every build, and with the first signature.
    is_expected: bool,
}

/// Notes in `runs` the keys of the actors whose data a provider keeps.
pub(super) fn note(runs: &mut LastRuns, actors: &[Option<PreparedActor>]) {
    for actor in actors.iter().flatten() {
        let Some(run) = runs.get_mut(&*actor.name).filter(|run| !run.stores.is_empty()) else {
            continue;
        };
        let key = Some(actor.verified.claims().subject.to_string());
        if actor.verified.is_unsigned() {
            run.unsigned_key = key;
        } else {
            run.key = key;
        }
    }
}

/// The actors that had other keys `before` than they have by `runs`.
pub(super) fn changed(
    (manifest, actors): (&Manifest, &[Option<PreparedActor>]),
    runs: &LastRuns,
    before: &LastRuns,
) -> Vec<Changed> {
    let mut changed = Vec::new();
    for (spec, actor) in manifest.actors.iter().zip(actors) {
        let Some(name) = actor.as_ref().map(|actor| &*actor.name) else { continue };
        let (Some(run), Some(last)) = (runs.get(name), before.get(name)) else { continue };
        let Some((now, old, is_expected)) = other_key(run, last) else { continue };
        let sentence = format!(
            "actor key changed: `{name}` was {old} and is {now} now; its data stays with the old \
             key, so it begins without any"
        );
        let help = if is_expected { UNSIGNED } else { Code::ActorKey.cure() };
        let problem = Problem::new(spec.value.image.span, sentence).code(Code::ActorKey).help(help);
        changed.push(Changed { problem, is_expected });
    }
    changed
}

/// The key now and the one before, if they differ, and whether that was to be expected.
fn other_key<'a>(run: &'a LastRun, last: &'a LastRun) -> Option<(&'a str, &'a str, bool)> {
    let (now, old, is_expected) = match (&run.key, &run.unsigned_key) {
        // What ran unsigned in between does not make the data of the signed key another's.
        (Some(now), _) => match &last.key {
            Some(old) => (now, old, false),
            None => (now, last.unsigned_key.as_ref()?, true),
        },
        (None, Some(now)) => (now, last.unsigned_key.as_ref().or(last.key.as_ref())?, true),
        (None, None) => return None,
    };
    (now != old).then_some((now, old, is_expected))
}

impl Changed {
    /// What it is when the user forces it, or when it is to be expected.
    ///
    /// # Errors
    /// The problem that it is otherwise.
    pub(super) fn allowed(self, force: bool) -> Result<Warning, Problem> {
        match self.is_expected || force {
            true => Ok(Warning::of_change(self.problem)),
            false => Err(self.problem),
        }
    }
}
