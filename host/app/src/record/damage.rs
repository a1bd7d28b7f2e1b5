//! A record that cannot be read, or not whole.

use std::path::PathBuf;

use trellis_core::{CallError, Code};
use trellis_supervisor::LastRuns;

use super::file::aside;
use crate::failure::Failure;
use crate::readiness::Lasting;

/// Most actors that are named at once.
const NAMED_MAX: usize = 5;

/// Why a record cannot be read whole.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Damage {
    pub(super) file: PathBuf,
    pub(super) why: String,
}

impl Damage {
    /// Refuses a manifest with actors whose data nothing protects now: those bound to data of
    /// whose keys the record does not tell.
    ///
    /// # Errors
    /// The refusal, with every cure.
    pub(crate) fn check(&self, wanted: &LastRuns, known: &LastRuns) -> Result<(), Failure> {
        let is_known = |name| known.get(name).is_some_and(|last| last.key.is_some());
        let keeps_data = wanted.iter().filter(|(_, run)| run.key.is_some());
        let unprotected: Vec<_> =
            keeps_data.map(|(name, _)| name.as_str()).filter(|name| !is_known(*name)).collect();
        if unprotected.is_empty() {
            return Ok(());
        }
        let message = format!(
            "{}; it protects the data of {} against modules of another key",
            self.sentence(),
            listed(&unprotected)
        );
        let error = CallError::new(Code::Storage, message);
        Err(Failure::call("the record of actor keys", error).help(self.cure()))
    }

    /// What there is to say for as long as it lasts.
    pub(crate) fn lasting(&self) -> Lasting {
        let why = format!("{}; {}", self.sentence(), self.cure());
        Lasting::new("the record of actor keys is not kept", Code::Storage, why)
    }

    /// Says it once.
    pub(super) fn tell(&self, is_forced: bool) {
        let sentence = self.sentence();
        if is_forced {
            let aside = aside(&self.file);
            let aside = aside.display();
            tracing::warn!(
                "the record of actor keys: {sentence}; because of `--force` it is put aside as \
                 {aside} when an actor runs, and begun anew"
            );
        } else {
            let cure = self.cure();
            tracing::warn!(
                "the record of actor keys: {sentence}; it is left as it is, and what runs now is \
                 not kept for the next start; {cure}"
            );
        }
    }

    fn sentence(&self) -> String {
        format!("{} cannot be read: {}", self.file.display(), self.why)
    }

    fn cure(&self) -> String {
        format!(
            "restore the file, or remove it if the modules are the right ones, and start or reload \
             again; or start with `--force`, which puts it aside as {} and begins anew",
            aside(&self.file).display()
        )
    }
}

/// Names for a sentence, not too many.
pub(super) fn listed<T: std::fmt::Display>(names: &[T]) -> String {
    let named: Vec<_> = names.iter().take(NAMED_MAX).map(|name| format!("`{name}`")).collect();
    let named = named.join(", ");
    match names.len().saturating_sub(NAMED_MAX) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}
