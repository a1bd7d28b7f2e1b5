//! Where a started process comes in: a socket that nobody else can reach.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tokio::net::{UnixListener, UnixStream};

/// Where the folder of a socket is made when the usual place has too long a name.
const SHORT_PLACE: &str = "/tmp";
/// Longest path of a Unix socket, in bytes. Source: unix(7).
const PATH_BYTES_MAX: usize = 107;

/// A socket for one process. It is gone when this is dropped.
pub(super) struct Door {
    listener: UnixListener,
    path: PathBuf,
    _folder: TempDir,
}

impl Door {
    /// Opens one.
    ///
    /// # Errors
    /// Those of the file system.
    pub(super) fn open() -> io::Result<Self> {
        Self::open_in(&std::env::temp_dir()).or_else(|_| Self::open_in(Path::new(SHORT_PLACE)))
    }

    fn open_in(place: &Path) -> io::Result<Self> {
        // The folder is the owner's alone (0700) before there is a socket in it.
        let folder = tempfile::Builder::new().prefix("trellis-").tempdir_in(place)?;
        let path = folder.path().join("host");
        if path.as_os_str().len() > PATH_BYTES_MAX {
            return Err(io::Error::other("the path is too long for a socket"));
        }
        let listener = UnixListener::bind(&path)?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
        Ok(Self { listener, path, _folder: folder })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The next connection of this user.
    ///
    /// # Errors
    /// Those of the socket.
    pub(super) async fn next(&self) -> io::Result<UnixStream> {
        let own = rustix::process::geteuid().as_raw();
        loop {
            let (stream, _) = self.listener.accept().await?;
            if stream.peer_cred()?.uid() == own {
                return Ok(stream);
            }
        }
    }
}
