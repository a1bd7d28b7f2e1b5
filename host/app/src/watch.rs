//! Notices that the manifest, or a module it names, changed on disk.

use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;

/// How long a file must be quiet before it is read: editors and linkers write in several steps.
const QUIET: Duration = Duration::from_millis(150);

/// Watches files through their folders, so that a file replaced by rename is still seen.
pub(crate) struct FileWatch {
    watcher: RecommendedWatcher,
    folders: Vec<PathBuf>,
    changed: mpsc::Receiver<()>,
}

impl FileWatch {
    /// Watches nothing yet.
    ///
    /// # Errors
    /// When the operating system gives no file notifications (out of inotify instances).
    pub(crate) fn new() -> notify::Result<Self> {
        // One slot is enough: it says "something changed", however often it did.
        let (sender, changed) = mpsc::channel(1);
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
        Ok(Self { watcher, folders: Vec::new(), changed })
    }

    /// Watches the folders of these files, and no others.
    pub(crate) fn follow<'a>(&mut self, files: impl Iterator<Item = &'a Path>) {
        let mut folders: Vec<PathBuf> = files.filter_map(folder_of).collect();
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
        self.folders = folders;
    }

    /// Waits until something changed and then was quiet.
    pub(crate) async fn changed(&mut self) {
        if self.changed.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
        while tokio::time::timeout(QUIET, self.changed.recv()).await.is_ok() {}
    }
}

fn folder_of(file: &Path) -> Option<PathBuf> {
    let folder = file.parent()?;
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    folder.canonicalize().ok()
}
