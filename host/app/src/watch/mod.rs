//! Notices that the manifest, or a module it names, changed on disk: written in place, replaced by
//! rename, removed, come; behind a symbolic link that now leads elsewhere; in a folder that was
//! deleted and made anew.
//!
//! The manifest is followed apart from the modules: it may revoke what runs, whatever the disk of a
//! module does.

mod changes;
mod lookups;
mod network;
mod sentry;
mod task;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use changes::{Changes, Subject};
use sentry::Sentry;
use task::{Observer, WatchTask};
use tokio::sync::mpsc;

/// How long a look at the files may take before their disk is held to hang.
const PATIENCE: Duration = Duration::from_secs(1);

/// Two tasks that follow files; they end when this is dropped.
pub(crate) struct FileWatch {
    manifest: WatchTask,
    modules: WatchTask,
    changes: Arc<Changes>,
}

impl FileWatch {
    /// Follows nothing yet. Needs a Tokio runtime.
    pub(crate) fn start() -> Self {
        Self::with(Sentry::new, PATIENCE)
    }

    /// The same with another observer of the modules.
    fn with<E: Observer>(
        modules: impl Fn(mpsc::Sender<()>) -> E + Clone + Send + Sync + 'static,
        patience: Duration,
    ) -> Self {
        let changes = Arc::<Changes>::default();
        let to = |subject| (Arc::clone(&changes), subject);
        let manifest = WatchTask::start(Sentry::new, to(Subject::Manifest), patience);
        let modules = WatchTask::start(modules, to(Subject::Modules), patience);
        Self { manifest, modules, changes }
    }

    /// Follows the manifest. Returns once it is followed: whoever then reads it misses no later
    /// change. A disk that does not answer is waited for within a bound.
    pub(crate) async fn follow_manifest(&self, manifest: PathBuf) {
        self.manifest.follow(vec![manifest]).await;
    }

    /// The same for modules; others that were followed are not any more.
    pub(crate) async fn follow_modules(&self, modules: Vec<PathBuf>) {
        self.modules.follow(modules).await;
    }

    /// Waits until a file changed and then was quiet, or changed for too long. A change while
    /// nobody waits is kept.
    pub(crate) async fn changed(&self) {
        self.changes.changed().await;
    }
}

#[cfg(test)]
mod tests;
