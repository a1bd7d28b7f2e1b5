//! A file as it was once: whether it is another one by now.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::digest::Digest;
use crate::programs::digest_of_file;
use crate::stamp::{Stamp, now};

/// What a file was like. One that was only touched, or copied over with what it held, is the same:
/// the content decides, and is read only where the stamp says that it may be another one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Imprint {
    path: PathBuf,
    stamp: Stamp,
    /// False for a file so young that it could have changed again without another stamp.
    settled: bool,
    digest: Digest,
}

impl Imprint {
    /// That of a file as it is now. Blocks.
    ///
    /// # Errors
    /// When it cannot be read, or is no file.
    pub fn of(path: &Path) -> io::Result<Self> {
        let (stamp, digest) = read(path)?;
        Ok(Self { path: path.to_owned(), stamp, settled: stamp.is_settled(now()), digest })
    }

    /// True when the file holds something else by now. One that is gone, or cannot be read, says
    /// nothing. Blocks.
    #[must_use]
    pub fn is_other(&self) -> bool {
        let Ok(found) = self.path.metadata() else { return false };
        let stamp = Stamp::from(&found);
        if self.settled && stamp == self.stamp {
            return false;
        }
        stamp.bytes() != self.stamp.bytes()
            || read(&self.path).is_ok_and(|(_, digest)| digest != self.digest)
    }
}

fn read(path: &Path) -> io::Result<(Stamp, Digest)> {
    // Before it is opened: a pipe would be waited for.
    if !path.metadata()?.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    let file = File::open(path)?;
    let stamp = Stamp::from(&file.metadata()?);
    // One that grows while it is read has no end.
    Ok((stamp, digest_of_file(&mut file.take(stamp.bytes()))?))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn only_another_content_makes_another_file() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("a.wasm");
        fs::write(&path, b"one").expect("it is ours");
        let before = Imprint::of(&path).expect("it is there");
        assert!(!before.is_other());
        // Touched, with times that no clock's tick can hide.
        let long_ago = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000);
        File::open(&path).expect("it is there").set_modified(long_ago).expect("it is ours");
        assert!(!before.is_other(), "it was only touched");
        // Copied over from elsewhere: another inode.
        let copy = folder.path().join("copy");
        fs::write(&copy, b"one").expect("it is ours");
        fs::rename(&copy, &path).expect("it is ours");
        assert!(!before.is_other(), "it holds the same");
        // As long, and within the tick of its clock.
        fs::write(&path, b"two").expect("it is ours");
        assert!(before.is_other());
        fs::write(&path, b"three").expect("it is ours");
        assert!(before.is_other());
        fs::remove_file(&path).expect("it is ours");
        assert!(!before.is_other(), "what is gone says nothing");
        assert!(Imprint::of(&path).is_err());
        assert!(Imprint::of(folder.path()).is_err(), "it is no file");
    }
}
