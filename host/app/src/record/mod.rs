//! What is known of the actors of a manifest from when they last ran here: their keys, and what
//! their claims let them do.
//!
//! One small file for each manifest, in `$XDG_STATE_HOME/trellis/keys` or, without it, in
//! `~/.local/state/trellis/keys`. When it cannot be written, what changed is
//! noticed while a host runs and not across its starts. One that cannot be read is left as it is,
//! and actors with data of which it does not tell are refused, unless the user forces it.
//!
//! An actor is written down when it runs, not before: one that never ran kept no data. What
//! is left is the time from then until the file is in its place, some milliseconds on a disk that
//! answers. A host that is killed in it forgets the actor; one that stops waits for it.

mod content;
mod damage;
mod file;
mod place;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use trellis_claims::{Clock, SystemClock};
use trellis_supervisor::LastRuns;

use self::content::Content;
pub(crate) use self::damage::Damage;
use self::damage::listed;
use self::file::{RECORD_BYTES_MAX, read};
use self::place::{Known, Place};
use self::writer::write_all;
use crate::state::state_folder;

/// Bytes of a record that are not about an actor, its manifest's path apart.
const FRAME_BYTES: usize = 256;

/// What is known of a manifest's actors. Memory knows it at once; one task writes it
/// down, so that nobody else waits for the disk.
pub(crate) struct RunRecord {
    place: Arc<Place>,
    known: Arc<Mutex<Known>>,
    /// What is to be written, until it is; what comes later takes its place.
    unwritten: Arc<watch::Sender<Option<Content>>>,
    writer: OnceLock<AbortHandle>,
}

impl RunRecord {
    /// The record of a manifest in the user's folder for state; with `force`, a damaged one is put
    /// aside.
    pub(crate) fn new(manifest: &Path, force: bool) -> Self {
        Self::within(state_folder(), manifest, force)
    }

    fn within(state: Option<PathBuf>, manifest: &Path, force: bool) -> Self {
        Self {
            place: Arc::new(Place { manifest: manifest.to_owned(), state, force }),
            known: Arc::default(),
            unwritten: Arc::default(),
            writer: OnceLock::new(),
        }
    }

    /// What is known; nothing before it was read.
    pub(crate) fn known(&self) -> LastRuns {
        self.known.lock().content.runs()
    }

    /// Why the file cannot be read whole, when nobody forces it.
    pub(crate) fn damage(&self) -> Option<Damage> {
        self.known.lock().damage.clone().filter(|_| !self.place.force)
    }

    /// Reads the file, until it could be read whole. Blocks, without holding anybody else.
    pub(crate) fn read(&self) {
        {
            let known = self.known.lock();
            if known.was_read && known.damage.is_none() {
                return;
            }
        }
        let Some(file) = self.place.file() else { return };
        let (filed, why) = read(&file);
        let damage = why.map(|why| Damage { file, why });
        let mut known = self.known.lock();
        if let Some(damage) = damage.as_ref().filter(|damage| known.damage.as_ref() != Some(damage))
        {
            damage.tell(self.place.force);
        }
        // What ran in this host is newer.
        let own = std::mem::replace(&mut known.content, filed.clone());
        for (name, entry) in own.0 {
            known.content.keep(name, entry.run, entry.absent_since);
        }
        known.filed = filed;
        known.was_read = true;
        known.damage = damage;
    }

    /// These are the actors of the manifest that is applied.
    pub(crate) fn name(&self, wanted: &LastRuns) {
        self.name_at(wanted, SystemClock.now_unix_s());
    }

    fn name_at(&self, wanted: &LastRuns, now_unix_s: u64) {
        self.edit(|content| {
            for (name, entry) in &mut content.0 {
                let since = entry.absent_since.unwrap_or(now_unix_s);
                entry.absent_since = (!wanted.contains_key(name)).then_some(since);
            }
        });
    }

    /// Records actors that run now. What is known of others stays, so that an actor that is taken
    /// out of the manifest and put back finds its data. The key of an actor that keeps no data now
    /// stays, too. Needs a Tokio runtime.
    pub(crate) fn keep(&self, runs: LastRuns) {
        self.edit(|content| {
            runs.into_iter().for_each(|(name, run)| content.keep(name, run, None));
        });
    }

    /// Changes what is known, and has it written when the file says something else.
    fn edit(&self, change: impl FnOnce(&mut Content)) {
        let mut known = self.known.lock();
        change(&mut known.content);
        let frame = FRAME_BYTES + 6 * self.place.manifest.as_os_str().len();
        let forgotten = known.content.shrink(frame, RECORD_BYTES_MAX);
        let (is_damaged, force) = (known.damage.is_some(), self.place.force);
        let is_due = known.content != known.filed || known.is_unkept || is_damaged;
        if !is_due || (is_damaged && !force) {
            return;
        }
        known.filed = known.content.clone();
        // Under the lock, so that the latest is what is written last. It waits for nothing.
        self.unwritten.send_replace(Some(known.content.clone()));
        drop(known);
        if !forgotten.is_empty() {
            tracing::warn!(
                "the record of actor keys is full: it forgets {}, which the manifest has not named \
                 for the longest",
                listed(&forgotten)
            );
        }
        self.writer.get_or_init(|| self.start_writer());
    }

    /// Waits until everything is written, or could not be, which was tried once more.
    pub(crate) async fn written(&self) {
        if self.known.lock().is_unkept {
            self.edit(|_| {});
        }
        // An error means that the sender is gone, which is ours.
        let _ = self.unwritten.subscribe().wait_for(Option::is_none).await;
    }

    fn start_writer(&self) -> AbortHandle {
        let (place, known) = (Arc::clone(&self.place), Arc::clone(&self.known));
        tokio::spawn(write_all(place, known, Arc::clone(&self.unwritten))).abort_handle()
    }
}

impl Drop for RunRecord {
    fn drop(&mut self) {
        if let Some(writer) = self.writer.get() {
            writer.abort();
        }
    }
}

#[cfg(test)]
mod tests;
