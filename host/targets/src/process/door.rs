//! Where a started process comes in: a socket that nobody else can reach.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::process::Pid;
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

    /// The next connection of this user that comes from a session: from the process that leads it,
    /// or from one that it started. Whoever else found the socket is hung up on.
    ///
    /// # Errors
    /// Those of the socket.
    pub(super) async fn next(&self, session: Pid) -> io::Result<UnixStream> {
        let own = rustix::process::geteuid().as_raw();
        loop {
            let (stream, _) = self.listener.accept().await?;
            let peer = stream.peer_cred()?;
            let process = peer.pid().and_then(Pid::from_raw);
            // The leader may have ended by now, and what it said be worth reading.
            let is_of_session =
                |process| process == session || session_of(process) == Some(session);
            if peer.uid() == own && process.is_some_and(is_of_session) {
                return Ok(stream);
            }
        }
    }
}

/// The session of a process; nothing when it has ended, or when whoever leads the session lives
/// outside of this container: its number is then 0, which `getsid` of rustix does not survive.
fn session_of(process: Pid) -> Option<Pid> {
    let stat = std::fs::read(format!("/proc/{}/stat", process.as_raw_nonzero())).ok()?;
    session_in(&stat)
}

/// The session in the text of `/proc/PID/stat`: the fourth field behind the name, which stands in
/// brackets and may itself hold any of them. Source: proc(5).
fn session_in(stat: &[u8]) -> Option<Pid> {
    let name_ends = stat.iter().rposition(|&byte| byte == b')')?;
    let fields = std::str::from_utf8(&stat[name_ends + 1..]).ok()?;
    fields.split_ascii_whitespace().nth(3)?.parse().ok().and_then(Pid::from_raw)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_session_is_read_whatever_a_process_is_called() {
        let session =
            |stat: &str| session_in(stat.as_bytes()).map(|pid| pid.as_raw_nonzero().get());
        assert_eq!(session("17 (sh) S 1 16 15 0 -1 4194304"), Some(15));
        assert_eq!(session("17 (a) S 1 2 3) R 1 16 15 0"), Some(15));
        // Led from outside of the container.
        assert_eq!(session("17 (sh) S 1 16 0 0 -1 4194304"), None);
        assert_eq!(session("17 (sh) S 1"), None);
        assert_eq!(session(""), None);
    }

    #[tokio::test]
    async fn only_a_process_of_the_session_comes_in() {
        let door = Door::open().expect("a socket");
        let session = rustix::process::getpid();
        let _early = UnixStream::connect(door.path()).await.expect("it listens");
        // Above what the system counts to.
        let other = Pid::from_raw(i32::MAX).expect("it is not zero");
        let stranger = tokio::time::timeout(Duration::from_millis(10), door.next(other)).await;
        assert!(stranger.is_err(), "it was let in");
        let _own = UnixStream::connect(door.path()).await.expect("it still listens");
        door.next(session).await.expect("it comes in");
    }
}
