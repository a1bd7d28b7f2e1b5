//! Does the actor keep its key? A host knows an actor by the key in its claims, whatever its name
//! is: with another key it is another actor, and an empty store waits for it.

use std::path::Path;

use trellis_claims::PublicKey;
use trellis_core::Code;

use crate::failure::Failure;
use crate::output::Output;

/// A module that was signed before, and where it is.
pub(super) struct Former<'a> {
    file: &'a Path,
    subject: PublicKey,
    issuer: PublicKey,
}

impl<'a> Former<'a> {
    /// The claims that a module carries already; whether they hold does not matter here.
    pub(super) fn of(file: &'a Path, module: &[u8]) -> Option<Self> {
        let claims = trellis_claims::inspect(module).claims?;
        Some(Self { file, subject: claims.subject, issuer: claims.issuer })
    }

    /// Checks that signing with `subject` leaves the actor what it was. `None` is a key that is
    /// still to be made.
    ///
    /// # Errors
    /// `E_ACTOR_KEY` for another key, unless it is forced; even then it is said.
    pub(super) fn check_subject(
        &self,
        subject: Option<&PublicKey>,
        force: bool,
        output: Output,
    ) -> Result<(), Failure> {
        if subject == Some(&self.subject) {
            return Ok(());
        }
        let (file, old) = (self.file.display(), &self.subject);
        let new = subject.map_or_else(|| "a new key".to_owned(), ToString::to_string);
        if force {
            output.note(format_args!(
                "actor key changed: {file} was signed for {old}, and is now for {new}"
            ));
            return Ok(());
        }
        let message = format!("actor key changed: {file} is signed for {old}, not for {new}");
        Err(Failure::new(Code::ActorKey, message).cure(format!(
            "With another key it is another actor: what stores keep for the old one is out of its \
             reach. To keep the key: `--subject {old}`. To make it another actor: --force. \
             If {file} is the one that is wrong, remove it first."
        )))
    }

    /// Says that another account vouched for the module until now: it is easily signed with the
    /// wrong one by accident.
    pub(super) fn note_issuer(&self, issuer: &PublicKey, output: Output) {
        if self.issuer != *issuer {
            output.note(format_args!("replaced the claims by {}", self.issuer));
        }
    }
}
