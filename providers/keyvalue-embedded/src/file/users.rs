//! Who in this process uses a file, and by which paths: usually one, and another one while a
//! provider goes over to a file's new name.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

/// A path by which a file is used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Way {
    /// As it is written.
    pub(super) path: Arc<Path>,
    /// Where it led when it was taken.
    pub(super) true_path: PathBuf,
}

/// The ways of those who have opened a file and not closed it, the newest last.
#[derive(Debug)]
pub(super) struct Users(Mutex<Ways>);

#[derive(Debug)]
struct Ways {
    used: Vec<Way>,
    /// The way of whoever left last; the file's own as long as nobody uses it.
    left: Way,
}

impl Users {
    /// Somebody uses the file.
    pub(super) fn one(way: Way) -> Self {
        Self(Mutex::new(Ways { used: vec![way.clone()], left: way }))
    }

    /// Somebody else uses it too.
    pub(super) fn join(&self, way: Way) {
        self.0.lock().used.push(way);
    }

    /// One who came by this path does not use it any more: true for the last one.
    pub(super) fn leave(&self, path: &Path) -> bool {
        let mut ways = self.0.lock();
        if let Some(place) = ways.used.iter().position(|way| *way.path == *path) {
            ways.left = ways.used.remove(place);
        }
        ways.used.is_empty()
    }

    /// True while anybody uses it.
    pub(super) fn are_any(&self) -> bool {
        !self.0.lock().used.is_empty()
    }

    /// True when somebody's path led there.
    pub(super) fn came_by(&self, true_path: &Path) -> bool {
        self.0.lock().used.iter().any(|way| way.true_path == *true_path)
    }

    /// The path of the newest of them: where the file should be.
    pub(super) fn path(&self) -> Arc<Path> {
        let ways = self.0.lock();
        Arc::clone(&ways.used.last().unwrap_or(&ways.left).path)
    }

    /// Every path by which it is used, that of the newest first.
    pub(super) fn paths(&self) -> Vec<Arc<Path>> {
        let ways = self.0.lock();
        let used = ways.used.iter().rev();
        let left = Some(&ways.left).filter(|_| ways.used.is_empty());
        used.chain(left).map(|way| Arc::clone(&way.path)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way(name: &str) -> Way {
        Way { path: Arc::from(Path::new(name)), true_path: Path::new("/").join(name) }
    }

    #[test]
    fn the_path_is_that_of_the_newest_who_stays() {
        let users = Users::one(way("a"));
        users.join(way("b"));
        let path = |users: &Users| users.path().display().to_string();
        assert_eq!(path(&users), "b");
        assert!(users.came_by(Path::new("/a")) && users.came_by(Path::new("/b")));
        assert!(!users.leave(Path::new("b")), "another one stays");
        assert_eq!(path(&users), "a");
        users.join(way("a"));
        assert!(!users.leave(Path::new("a")) && users.are_any(), "each leaves for itself");
        assert!(users.leave(Path::new("a")) && !users.are_any());
        assert_eq!(path(&users), "a", "the last look is at the path of the last one");
        assert_eq!(users.paths().len(), 1);
        assert!(!users.came_by(Path::new("/a")));
    }
}
