//! Where a record is kept, and what is known of it.

use std::path::PathBuf;

use parking_lot::Mutex;

use super::content::Content;
use super::damage::Damage;
use super::file::{aside, file_of, write};

/// Where a record is kept.
pub(super) struct Place {
    pub(super) manifest: PathBuf,
    /// `None` when the user has no folder for state.
    pub(super) state: Option<PathBuf>,
    /// A damaged file may be put aside.
    pub(super) force: bool,
}

#[derive(Default)]
pub(super) struct Known {
    pub(super) content: Content,
    /// What the file says once everything is written.
    pub(super) filed: Content,
    pub(super) was_read: bool,
    /// Why the file cannot be read whole, until it can.
    pub(super) damage: Option<Damage>,
    /// It could not be written; it is tried again.
    pub(super) is_unkept: bool,
}

impl Place {
    pub(super) fn file(&self) -> Option<PathBuf> {
        file_of(self.state.as_deref()?, &self.manifest)
    }

    /// Writes, after a damaged file was put aside.
    pub(super) fn keep(&self, content: &Content, known: &Mutex<Known>) -> std::io::Result<()> {
        if self.state.is_none() {
            let why = "neither XDG_STATE_HOME nor HOME is set";
            return Err(std::io::Error::other(why));
        }
        let Some(file) = self.file() else { return Ok(()) };
        let is_damaged = known.lock().damage.is_some();
        if is_damaged {
            let aside = aside(&file);
            std::fs::rename(&file, &aside)?;
            known.lock().damage = None;
            tracing::warn!("the damaged record of actor keys is now {}", aside.display());
        }
        write(&file, &self.manifest, content)
    }
}
