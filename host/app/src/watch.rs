//! Notices that the manifest, or a module it names, changed on disk.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;

/// How long a file must be quiet before it is read: editors and linkers write in several steps.
const QUIET: Duration = Duration::from_millis(150);

/// Watches files through their folders, so that a file replaced by rename is still seen, and one
/// behind a symbolic link too. What else changes in those folders (a log, a store) is no change.
pub(crate) struct FileWatch {
    watcher: RecommendedWatcher,
    folders: Vec<PathBuf>,
    files: BTreeMap<PathBuf, Option<Stamp>>,
    events: mpsc::Receiver<()>,
}

/// What tells one content of a file from the next without reading it; a file that is missing has
/// none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Stamp {
    modified: Option<SystemTime>,
    bytes: u64,
    inode: u64,
}

impl FileWatch {
    /// Watches nothing yet.
    ///
    /// # Errors
    /// When the operating system gives no file notifications (out of inotify instances).
    pub(crate) fn new() -> notify::Result<Self> {
        // One slot is enough: it says "something happened", however often it did.
        let (sender, events) = mpsc::channel(1);
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            let relevant = event.is_ok_and(|event| {
                matches!(
                    event.kind,
                    EventKind::Create(_) | EventKind::Modify(_) | EventKind::Remove(_)
                )
            });
            if relevant {
                // A full channel already says it.
                let _ = sender.try_send(());
            }
        })?;
        Ok(Self { watcher, folders: Vec::new(), files: BTreeMap::new(), events })
    }

    /// Watches these files, and no others.
    pub(crate) fn follow<'a>(&mut self, files: impl Iterator<Item = &'a Path>) {
        // One that was followed keeps its stamp: what changed since it was read is a change.
        let followed = |file: &Path| {
            let known = self.files.get(file).copied();
            (file.to_owned(), known.unwrap_or_else(|| Stamp::of(file)))
        };
        let files: BTreeMap<_, _> = files.map(followed).collect();
        let mut folders: Vec<PathBuf> = files.keys().filter_map(|file| folder_of(file)).collect();
        folders.sort();
        folders.dedup();
        for gone in self.folders.iter().filter(|folder| !folders.contains(folder)) {
            // An error means that the folder was deleted, which ends the watch too.
            let _ = self.watcher.unwatch(gone);
        }
        for new in folders.iter().filter(|folder| !self.folders.contains(folder)) {
            if let Err(error) = self.watcher.watch(new, RecursiveMode::NonRecursive) {
                tracing::warn!(folder = %new.display(), %error, "changes here will not be noticed");
            }
        }
        (self.files, self.folders) = (files, folders);
    }

    /// Waits until a file changed and then was quiet.
    pub(crate) async fn changed(&mut self) {
        loop {
            if self.events.recv().await.is_none() {
                std::future::pending::<()>().await;
            }
            let mut seen = self.stamps();
            if seen == self.files {
                continue;
            }
            loop {
                tokio::time::sleep(QUIET).await;
                let later = self.stamps();
                if later == seen {
                    break;
                }
                seen = later;
            }
            self.files = seen;
            return;
        }
    }

    fn stamps(&self) -> BTreeMap<PathBuf, Option<Stamp>> {
        self.files.keys().map(|file| (file.clone(), Stamp::of(file))).collect()
    }
}

impl Stamp {
    fn of(file: &Path) -> Option<Self> {
        file.metadata().ok().as_ref().map(Self::from)
    }
}

impl From<&Metadata> for Stamp {
    fn from(metadata: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        let modified = metadata.modified().ok();
        Self { modified, bytes: metadata.len(), inode: metadata.ino() }
    }
}

fn folder_of(file: &Path) -> Option<PathBuf> {
    let folder = file.parent()?;
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    folder.canonicalize().ok()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use super::FileWatch;

    /// Long enough for a slow machine; only a broken watch takes it.
    const LONGEST: Duration = Duration::from_secs(30);

    #[tokio::test]
    async fn a_change_of_a_followed_file_is_noticed_and_any_other_is_not() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (followed, other) = (folder.path().join("app.yaml"), folder.path().join("host.log"));
        fs::write(&followed, "a").expect("a file");
        let mut watch = FileWatch::new().expect("file notifications");
        watch.follow(std::iter::once(followed.as_path()));

        fs::write(&other, "a line").expect("a file");
        let noise = tokio::time::timeout(Duration::from_millis(500), watch.changed()).await;
        assert!(noise.is_err(), "a log beside the manifest is no change of it");

        let next = folder.path().join("next");
        fs::write(&next, "ab").expect("a file");
        fs::rename(&next, &followed).expect("replaced");
        tokio::time::timeout(LONGEST, watch.changed()).await.expect("the new file is noticed");

        fs::remove_file(&followed).expect("removed");
        tokio::time::timeout(LONGEST, watch.changed()).await.expect("its end is noticed");
    }
}
