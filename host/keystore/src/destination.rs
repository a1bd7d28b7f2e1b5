//! Writing to a path the user named. What is already there decides how.
//!
//! - A plain file is replaced in one step: a reader sees the old content or the new, never a part
//!   of either. It keeps its permissions, and its owner where the system allows that, unless it
//!   holds a secret.
//! - A symbolic link is followed; the link stays and its target is written.
//! - A device or a pipe takes the bytes; it is never replaced by a file.

use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

/// Most links that lead to one another; Linux stops at the same number (`path_resolution(7)`).
const LINKS_MAX: usize = 40;

/// Who may read a file that is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Privacy {
    /// Whoever could before; a new file has the permissions that the umask gives it.
    Shared,
    /// The user who writes it alone (0600), whoever could before. It is on the disk when the write
    /// returns, and it is not written to a terminal.
    OwnerOnly,
}

/// What may happen to a file that is already there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Existing {
    /// It is replaced.
    Replace,
    /// It stays, and the write fails.
    Keep,
}

/// True when bytes written to `path` would replace a file: a device or a pipe has nothing to lose.
#[must_use]
pub fn is_file(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.is_file())
}

/// Writes `content` to `path`.
///
/// # Errors
/// [`ErrorKind::AlreadyExists`] when a file is there and has to stay, [`ErrorKind::IsADirectory`],
/// and whatever the system says.
pub fn write(path: &Path, content: &[u8], privacy: Privacy, existing: Existing) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => Err(ErrorKind::IsADirectory.into()),
        Ok(found) if !found.is_file() => pass_on(path, content, privacy),
        Ok(_) if existing == Existing::Keep => Err(ErrorKind::AlreadyExists.into()),
        Ok(found) => place(&fs::canonicalize(path)?, content, privacy, Some(&found)),
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        // A link to nothing is something: it was made for a reason.
        Err(_) if existing == Existing::Keep && path.is_symlink() => {
            Err(ErrorKind::AlreadyExists.into())
        }
        Err(_) => place(&end_of_links(path)?, content, privacy, None),
    }
}

/// Writes into what is there and is no file.
fn pass_on(path: &Path, content: &[u8], privacy: Privacy) -> io::Result<()> {
    let mut there = OpenOptions::new().write(true).open(path)?;
    if privacy == Privacy::OwnerOnly && there.is_terminal() {
        return Err(io::Error::new(ErrorKind::PermissionDenied, "a terminal would show it"));
    }
    there.write_all(content)
}

/// Puts a file at `path`, which is no link, in one step.
fn place(
    path: &Path,
    content: &[u8],
    privacy: Privacy,
    former: Option<&Metadata>,
) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mode = match privacy {
        Privacy::Shared => 0o666,
        Privacy::OwnerOnly => 0o600,
    };
    let mut file = tempfile::Builder::new()
        .prefix(".trellis-")
        // As any program creates files: the umask takes its bits away.
        .permissions(Permissions::from_mode(mode))
        .tempfile_in(folder.unwrap_or(Path::new(".")))?;
    file.write_all(content)?;
    match (privacy, former) {
        (Privacy::Shared, Some(former)) => take_after(file.as_file(), former)?,
        (Privacy::Shared, None) => {}
        // What only exists here must outlive a crash; anything else can be made again.
        (Privacy::OwnerOnly, _) => file.as_file().sync_all()?,
    }
    let placed = match former {
        Some(_) => file.persist(path),
        // Whoever was quicker wins: nothing was there to be replaced.
        None => file.persist_noclobber(path),
    };
    placed.map(drop).map_err(|error| error.error)
}

/// Gives a new file the owner and the permissions of the one it replaces.
fn take_after(file: &File, former: &Metadata) -> io::Result<()> {
    let own = file.metadata()?;
    if (own.uid(), own.gid()) != (former.uid(), former.gid()) {
        // Only root may give a file away. For anybody else replacing a file means owning it.
        let _ = fchown(file, Some(former.uid()), Some(former.gid()));
    }
    file.set_permissions(Permissions::from_mode(former.mode() & 0o777))
}

/// Where a link that leads to nothing leads.
fn end_of_links(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..LINKS_MAX {
        let Ok(next) = fs::read_link(&path) else { return Ok(path) };
        path = path.parent().unwrap_or(Path::new("")).join(next);
    }
    Err(io::Error::other("too many symbolic links"))
}
