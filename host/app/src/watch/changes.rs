//! What happened to the files, told as one thing: that it is time to read them again.

use parking_lot::Mutex;
use tokio::sync::Notify;

/// What changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Subject {
    /// The manifest, whose change leads to reading everything.
    Manifest,
    /// The modules it names.
    Modules,
}

impl Subject {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Manifest => "the manifest",
            Self::Modules => "the modules",
        }
    }
}

/// Changes that are not acted on yet.
#[derive(Default)]
pub(super) struct Changes {
    /// True while the manifest is being written. Its end is told, and then everything is read.
    manifest_moves: Mutex<bool>,
    changed: Notify,
}

impl Changes {
    /// Something begins to move; it is told once it is quiet.
    pub(super) fn begins(&self, subject: Subject) {
        if subject == Subject::Manifest {
            *self.manifest_moves.lock() = true;
        }
    }

    /// Something changed and was quiet then, or `goes_on` and went on for too long. What is told
    /// of modules while the manifest moves waits for the manifest: it would be read half-written.
    pub(super) fn tell(&self, subject: Subject, goes_on: bool) {
        let mut manifest_moves = self.manifest_moves.lock();
        match subject {
            Subject::Manifest => *manifest_moves = goes_on,
            Subject::Modules if *manifest_moves => return,
            Subject::Modules => {}
        }
        // Under the lock: whoever finds that the manifest moves is told after that.
        self.changed.notify_one();
    }

    /// Files may have changed before anybody looked.
    pub(super) fn missed(&self) {
        self.changed.notify_one();
    }

    /// Waits for a change. One that comes while nobody waits is kept.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn modules_do_not_have_a_manifest_read_in_the_middle_of_a_write() {
        let changes = Changes::default();
        let told = || changes.changed().now_or_never().is_some();
        changes.tell(Subject::Modules, false);
        assert!(told(), "the manifest stands still");
        changes.begins(Subject::Manifest);
        changes.tell(Subject::Modules, false);
        assert!(!told(), "the manifest is being written");
        changes.tell(Subject::Manifest, true);
        assert!(told(), "it is written for too long");
        changes.tell(Subject::Modules, false);
        assert!(!told(), "it is still being written");
        changes.tell(Subject::Manifest, false);
        assert!(told(), "and with it everything is read");
        changes.tell(Subject::Modules, false);
        assert!(told());
    }
}
