//! What is known of an edit before it is made.

use trellis_control::{Edit, EditRequest};
use trellis_core::CallError;
use trellis_supervisor::{Inherits, Prepared};

use super::Life;
use crate::edits::Subject;

/// What is known of it.
pub(super) struct Foreseen {
    /// What it has of what the one before keeps.
    pub(super) inherits: Inherits,
    /// How many calls it answers before it serves.
    pub(super) replays: usize,
}

impl Foreseen {
    pub(super) const NOTHING: Self = Self { inherits: Inherits::All, replays: 0 };
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
        subject: &Subject,
    ) -> Result<Foreseen, CallError> {
        let supervisor = self.host.supervisor();
        if request.data.is_some() {
            supervisor.check_moves(prepared, &subject.name)?;
        }
        let replays = match &request.edit {
            Edit::Actor { name, .. } => {
                // Who forces it asks for none, unless a number is given.
                let calls = request.replay.or(request.force.then_some(0));
                supervisor.replays(prepared, name, calls)?
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
