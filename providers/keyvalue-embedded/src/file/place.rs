//! Whether the file that is open still is the one that `PATH` names. One that was deleted or moved
//! takes every write as before, and the next start does not find it.

use std::fs::{File, Metadata, OpenOptions, metadata};
use std::io::{self, ErrorKind};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use trellis_core::CallError;

/// Most links from one to the next, as for the system.
const LINKS_MAX: usize = 40;

/// Device and inode.
pub(super) type Identity = (u64, u64);

/// Where the open file is.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) enum Place {
    /// Where it should be.
    #[default]
    AtPath,
    /// Nowhere: its name was deleted, and nothing is there now.
    Deleted,
    /// Under another name; nothing is at its own.
    Moved,
    /// Another file is at its name.
    Displaced,
}

impl Place {
    /// What is wrong, and what to do; `None` when nothing is. A file that was deleted is written
    /// anew unless that failed, with what is `unwritten`.
    pub(super) fn ailment(self, unwritten: Option<&CallError>) -> Option<String> {
        let said = match self {
            Self::AtPath => return None,
            Self::Deleted => {
                let why = unwritten.map_or("", CallError::message);
                return Some(format!(
                    "the key-value file was deleted while it is in use and cannot be written anew \
                     ({why}): its keys are lost when the host stops; make that possible"
                ));
            }
            Self::Moved => {
                "the key-value file was moved away while it is in use: the next start will not \
                 find what it holds; move it back, or correct PATH to where it is now"
            }
            Self::Displaced => {
                "another file is at the PATH of the key-value file that is in use: what is \
                 written will not be found by the next start; move the other file away, or stop \
                 the host to go on with it"
            }
        };
        Some(said.to_owned())
    }
}

/// Where the file with this handle is, when it should be at `path`.
///
/// # Errors
/// That this cannot be told.
pub(super) fn place_of(file: &File, path: &Path) -> io::Result<Place> {
    let own = file.metadata()?;
    match metadata(path) {
        Ok(there) if identity(&there) == identity(&own) => Ok(Place::AtPath),
        Ok(_) => Ok(Place::Displaced),
        Err(error) if is_missing(&error) && own.nlink() == 0 => Ok(Place::Deleted),
        Err(error) if is_missing(&error) => Ok(Place::Moved),
        Err(error) => Err(error),
    }
}

/// Opens the same file once more, for reading and writing, whatever became of its name. Unlike a
/// duplicate of the handle, what this gives has locks of its own.
///
/// # Errors
/// Why it cannot be opened; [`ErrorKind::NotFound`] when it is not at `path` any more and the
/// system has no `/proc` to reach it otherwise.
pub(super) fn another_handle(file: &File, path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    match options.open(format!("/proc/self/fd/{}", file.as_raw_fd())) {
        Err(error) if is_missing(&error) => {}
        opened => return opened,
    }
    let there = options.open(path)?;
    if identity(&there.metadata()?) == identity(&file.metadata()?) {
        Ok(there)
    } else {
        Err(ErrorKind::NotFound.into())
    }
}

/// What tells the file at `path` from every other one; `None` when there is none, or that cannot be
/// told.
pub(super) fn identity_at(path: &Path) -> Option<Identity> {
    metadata(path).ok().as_ref().map(identity)
}

/// What tells this file from every other one, if that can be told.
pub(super) fn identity_of(file: &File) -> Option<Identity> {
    file.metadata().ok().as_ref().map(identity)
}

/// True when the file with this handle is the one at `path`.
pub(super) fn is_at(file: &File, path: &Path) -> bool {
    matches!(place_of(file, path), Ok(Place::AtPath))
}

/// True for a link, or one of several, at whose end there is nothing.
pub(super) fn leads_nowhere(path: &Path) -> bool {
    path.is_symlink() && metadata(path).is_err_and(|error| is_missing(&error))
}

/// The path that names the file whatever links lead to it; where there is none yet, the path at
/// which it would be made. As much of that as can be told, and opening will say what is wrong.
pub(super) fn true_path(path: &Path) -> PathBuf {
    let mut led = path.to_owned();
    for _ in 0..LINKS_MAX {
        if let Ok(path) = led.canonicalize() {
            return path;
        }
        let folder = folder_of(&led);
        match led.read_link() {
            // Relative to the folder of the link.
            Ok(target) => led = folder.join(target),
            Err(_) => {
                return match (folder.canonicalize(), led.file_name()) {
                    (Ok(folder), Some(name)) => folder.join(name),
                    _ => led,
                };
            }
        }
    }
    path.to_owned()
}

/// The folder a file stands in.
pub(super) fn folder_of(path: &Path) -> &Path {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

pub(super) fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

fn identity(about: &Metadata) -> Identity {
    (about.dev(), about.ino())
}
