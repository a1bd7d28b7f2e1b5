//! The state of a watch: what is followed, what is watched for it, what was seen last.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use arc_swap::ArcSwap;
use notify::event::{AccessKind, AccessMode, ModifyKind};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use parking_lot::Mutex;
use tokio::sync::mpsc;
use trellis_artifacts::Stamp;

use super::lookups::Lookups;
use super::network::is_shared;
use super::task::{Cause, Observer};

/// How often watches are placed anew in one look, when folders come and go meanwhile; what comes
/// after that is an event.
const PLACINGS_MAX: u32 = 8;

/// What the thread that sorts the events shares with the sentry.
#[derive(Default)]
struct Shared {
    /// The names that matter.
    names: ArcSwap<HashSet<PathBuf>>,
    /// The names that came, went or moved since the watches were placed: a folder under one of them
    /// may be another one now, even with the inode of the old.
    moved: Mutex<HashSet<PathBuf>>,
    /// True after notifications were lost.
    lost: AtomicBool,
}

/// Follows files through every folder on the way to them. All of its methods block.
pub(super) struct Sentry {
    watcher: Option<RecommendedWatcher>,
    shared: Arc<Shared>,
    /// The watched folders, with device and inode.
    placed: BTreeMap<PathBuf, (u64, u64)>,
    files: BTreeMap<PathBuf, Seen>,
    /// True when notifications do not tell everything.
    polls: bool,
}

/// What a file was when it was looked at; without a stamp it was not there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Seen {
    stamp: Option<Stamp>,
    /// False when it was so young that it could change again without another stamp.
    settled: bool,
}

impl Sentry {
    /// Follows nothing yet; `events` gets a word when something happened to a name that matters.
    pub(super) fn new(events: mpsc::Sender<()>) -> Self {
        let shared = Arc::<Shared>::default();
        let sorted = Arc::clone(&shared);
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            if sorted.matters(&event) {
                // A full channel already says it.
                let _ = events.try_send(());
            }
        });
        let watcher = watcher.map_err(|error| {
            tracing::warn!(%error, "no file notifications; files are looked at now and then");
        });
        let watcher = watcher.ok();
        let polls = watcher.is_none();
        Self { watcher, shared, placed: BTreeMap::new(), files: BTreeMap::new(), polls }
    }

    /// Watches the folders on the way to the files as they are now. A folder that comes while its
    /// parent is not watched yet would be missed, so this is repeated until nothing is new.
    fn place(&mut self) {
        for _ in 0..PLACINGS_MAX {
            let Lookups { folders, names, .. } =
                Lookups::of(self.files.keys().map(PathBuf::as_path));
            self.shared.names.store(Arc::new(names));
            if !self.watch(&folders) {
                return;
            }
        }
    }

    /// True when a folder is watched that was not before.
    fn watch(&mut self, folders: &BTreeSet<PathBuf>) -> bool {
        let Some(watcher) = &mut self.watcher else { return false };
        let wanted: BTreeMap<_, _> = (folders.iter())
            .filter_map(|folder| Some((folder.clone(), identity(folder)?)))
            .collect();
        let moved = self.shared.take_moved();
        self.placed.retain(|path, identity| {
            let stays = wanted.get(path) == Some(identity) && !moved.holds(path);
            if !stays {
                // An error means that the folder was deleted, which ended its watch.
                let _ = watcher.unwatch(path);
            }
            stays
        });
        self.polls = false;
        let mut placed = false;
        for (folder, identity) in wanted {
            self.polls |= is_shared(&folder);
            if self.placed.contains_key(&folder) {
                continue;
            }
            match watcher.watch(&folder, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    self.placed.insert(folder, identity);
                    placed = true;
                }
                Err(error) => {
                    tracing::debug!(folder = %folder.display(), %error, "looked at now and then");
                    self.polls = true;
                }
            }
        }
        placed
    }
}

impl Observer for Sentry {
    /// One that was followed keeps what was seen of it: what changed since then is a change.
    fn follow(&mut self, files: Vec<PathBuf>) {
        let known = std::mem::take(&mut self.files);
        self.files = files
            .into_iter()
            .map(|file| {
                let seen = known.get(&file).copied().unwrap_or_else(|| Seen::of(&file));
                (file, seen)
            })
            .collect();
        self.place();
    }

    fn look(&mut self, cause: Cause) -> bool {
        self.place();
        let mut changed = false;
        for (file, seen) in &mut self.files {
            let now = Seen::of(file);
            changed |= now.stamp != seen.stamp || (cause == Cause::Event && !seen.settled);
            *seen = now;
        }
        changed
    }

    fn polls(&self) -> bool {
        self.polls
    }
}

impl Seen {
    #[expect(
        clippy::disallowed_methods,
        reason = "compared with the file system's own clock; it decides about no expiry"
    )]
    fn of(file: &Path) -> Self {
        let stamp = file.metadata().ok().as_ref().map(Stamp::from);
        let settled = stamp.is_none_or(|stamp| stamp.is_settled(SystemTime::now()));
        Self { stamp, settled }
    }
}

/// Names that are not what they were.
struct Moved {
    names: HashSet<PathBuf>,
    everything: bool,
}

impl Moved {
    fn holds(&self, folder: &Path) -> bool {
        self.everything || self.names.iter().any(|name| folder.starts_with(name))
    }
}

impl Shared {
    /// Sorts an event: opening and reading change nothing, and an error may hide anything.
    fn matters(&self, event: &notify::Result<Event>) -> bool {
        let Some(event) = event.as_ref().ok().filter(|event| !event.need_rescan()) else {
            // Release, before the word that something happened: whoever hears that sees it.
            self.lost.store(true, Ordering::Release);
            return true;
        };
        let names = self.names.load();
        let changes = matches!(
            event.kind,
            EventKind::Create(_)
                | EventKind::Modify(_)
                | EventKind::Remove(_)
                | EventKind::Access(AccessKind::Close(AccessMode::Write))
        );
        let mut known = event.paths.iter().filter(|path| names.contains(*path)).peekable();
        if !changes || known.peek().is_none() {
            return false;
        }
        if !matches!(event.kind, EventKind::Access(_) | EventKind::Modify(ModifyKind::Data(_))) {
            self.moved.lock().extend(known.cloned());
        }
        true
    }

    fn take_moved(&self) -> Moved {
        // AcqRel: takes what the store after a loss gave, and gives the reset to the next one.
        let everything = self.lost.swap(false, Ordering::AcqRel);
        Moved { names: std::mem::take(&mut *self.moved.lock()), everything }
    }
}

/// Device and inode.
fn identity(folder: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    let about = folder.metadata().ok()?;
    Some((about.dev(), about.ino()))
}
