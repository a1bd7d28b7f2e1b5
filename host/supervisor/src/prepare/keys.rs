//! Actors whose key changed while a provider keeps data under it.

use trellis_core::Code;
use trellis_manifest::{Manifest, Problem};

use super::context::PrepareContext;
use super::known::{LastRun, LastRuns};
use super::parts::PreparedActor;
use super::warning::Warning;

/// What to do about a key that nobody owns.
const UNSIGNED: &str = "an unsigned module goes by a key that is made from its bytes; sign it, and \
                        its key and its data stay from then on";

/// How one key came after another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Turn {
    /// Both were signed for.
    Signed,
    /// It was unsigned, and is signed now.
    ToSigned,
    /// It is unsigned now.
    ToUnsigned,
}

/// An actor that would begin without the data it had.
pub(super) struct Changed {
    problem: Problem,
    turn: Turn,
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

/// The actors that had other keys before than they have by `runs`. What is kept was looked at when
/// it came.
pub(super) fn changed(
    (manifest, actors): (&Manifest, &[Option<PreparedActor>]),
    runs: &LastRuns,
    context: &PrepareContext<'_>,
) -> Vec<Changed> {
    let mut changed = Vec::new();
    for (place, (spec, actor)) in manifest.actors.iter().zip(actors).enumerate() {
        let Some(name) = actor.as_ref().map(|actor| &*actor.name) else { continue };
        let (Some(run), Some(last)) = (runs.get(name), context.last_runs.get(name)) else {
            continue;
        };
        if context.kept.actor(place).is_some() {
            continue;
        }
        let Some((now, old, turn)) = other_key(run, last) else { continue };
        let sentence = format!(
            "actor key changed: `{name}` was {old} and is {now} now; its data stays with the old \
             key, so it begins without any"
        );
        let problem = Problem::new(spec.value.image.span, sentence).code(Code::ActorKey);
        changed.push(Changed { problem: problem.help(turn.cure(old)), turn });
    }
    changed
}

/// The key now and the one before, if they differ, and how one came after the other.
fn other_key<'a>(run: &'a LastRun, last: &'a LastRun) -> Option<(&'a str, &'a str, Turn)> {
    let (now, old, turn) = match (&run.key, &run.unsigned_key) {
        // What ran unsigned in between does not make the data of the signed key another's.
        (Some(now), _) => match &last.key {
            Some(old) => (now, old, Turn::Signed),
            None => (now, last.unsigned_key.as_ref()?, Turn::ToSigned),
        },
        (None, Some(now)) => {
            (now, last.unsigned_key.as_ref().or(last.key.as_ref())?, Turn::ToUnsigned)
        }
        (None, None) => return None,
    };
    (now != old).then_some((now, old, turn))
}

impl Turn {
    /// False when nobody may rely on one of the two keys: that of an unsigned module comes from its
    /// bytes, so it is another one with every build, and with the first signature.
    fn is_refused(self) -> bool {
        self == Self::Signed
    }

    /// What to do when the actor had the key `old`.
    fn cure(self, old: &str) -> String {
        match self {
            Self::Signed => format!(
                "sign it with the old key: `--subject {old}`, with `--force` if a module with \
                 another key is in the way. If it is meant to be another actor, give it another \
                 `name`, or start the host again with `--force`: a reload alone does not take the \
                 new key. docs/teams.md says how a team shares keys"
            ),
            Self::ToSigned => format!(
                "it was unsigned, and such a key is made from the module's bytes; now that it is \
                 signed, its key and its data stay. To go on with what it had, give its binding of \
                 the store `NAMESPACE: {old}`, the former key (docs/contracts.md)"
            ),
            Self::ToUnsigned => UNSIGNED.to_owned(),
        }
    }
}

impl Changed {
    /// What it is when the user forces it, or when it is to be expected.
    ///
    /// # Errors
    /// The problem that it is otherwise.
    pub(super) fn allowed(self, force: bool) -> Result<Warning, Problem> {
        match !self.turn.is_refused() || force {
            true => Ok(Warning::of_change(self.problem)),
            false => Err(self.problem),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_names_the_former_key_where_it_helps() {
        let run = |key: Option<&str>, unsigned: Option<&str>| LastRun {
            key: key.map(str::to_owned),
            unsigned_key: unsigned.map(str::to_owned),
            ..LastRun::default()
        };
        for (before, now, cure, is_refused) in [
            (run(Some("MA"), None), run(Some("MB"), None), "`--subject MA`, with `--force`", true),
            (run(None, Some("MA")), run(Some("MB"), None), "`NAMESPACE: MA`", false),
            (run(Some("MA"), None), run(None, Some("MB")), "sign it", false),
            (run(None, Some("MA")), run(None, Some("MB")), "sign it", false),
        ] {
            let (_, old, turn) = other_key(&now, &before).expect("another one");
            assert!(turn.cure(old).contains(cure), "{turn:?}: {}", turn.cure(old));
            assert_eq!(turn.is_refused(), is_refused, "{turn:?}");
        }
    }
}
