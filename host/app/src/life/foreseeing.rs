//! What is known of an edit before it is made.

use trellis_control::{ComponentKind, Edit, EditRequest};
use trellis_core::CallError;
use trellis_supervisor::{Inherits, Prepared};

use super::Life;
use crate::edits::{InForce, Subject};

/// What is known of it.
pub(super) struct Foreseen {
    /// What it has of what the one before keeps.
    pub(super) inherits: Inherits,
    /// How many calls it answers before it serves.
    pub(super) replays: usize,
}

impl Foreseen {
    pub(super) const NOTHING: Self = Self { inherits: Inherits::All, replays: 0 };

    /// What an edit has to show: how many calls it answers first, and whether it is watched.
    pub(super) fn tries(&self, edit: Option<&InForce>) -> (usize, bool) {
        (self.replays, edit.is_some_and(|edit| edit.watched.is_some()))
    }
}

impl Life {
    /// Looks at what can be looked at without changing anything.
    ///
    /// # Errors
    /// What the edit would certainly fail of: then nothing else is wanted because of it, and no dry
    /// run says that it would be done.
    pub(super) fn foresee(
        &self,
        request: &EditRequest,
        prepared: &Prepared,
        (subject, edit): (&Subject, Option<&InForce>),
    ) -> Result<Foreseen, CallError> {
        let supervisor = self.host.supervisor();
        if request.data.is_some() {
            supervisor.check_moves(prepared, &subject.name)?;
        }
        let is_actor = subject.kind == ComponentKind::Actor;
        let replays = match &request.edit {
            Edit::Actor { name, .. } => supervisor.replays(prepared, name, replayed(request))?,
            // What was put in place while it was stopped shows now what it has to show.
            Edit::Start { kind: ComponentKind::Actor, name, .. } => {
                let said = self.edits.look(|book| book.replayed(subject));
                supervisor.replays(prepared, name, replayed(request).or(said))?
            }
            // What else is changed of it, its start has to show that.
            _ if is_actor && edit.is_some_and(|edit| edit.untried) => {
                let said = self.edits.look(|book| book.replayed(subject));
                supervisor.replays(prepared, &subject.name, said).unwrap_or(0)
            }
            _ => 0,
        };
        // Once it is made, a store that can tell what it keeps is asked what is left behind.
        let is_told = !request.dry_run && supervisor.tells_what_it_keeps(subject.as_pair());
        let inherits = match is_told {
            true => Inherits::All,
            false => supervisor.inherits(prepared, subject.as_pair()),
        };
        Ok(Foreseen { inherits, replays })
    }
}

/// How many calls are to be answered, where that is said: who forces it asks for none, unless a
/// number is given.
fn replayed(request: &EditRequest) -> Option<u32> {
    request.replay.or(request.force.then_some(0))
}
