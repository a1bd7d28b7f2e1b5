//! The file of an admin socket: made where nobody else can come in, and removed at the end.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::net::UnixListener as StdListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use tokio::net::UnixListener;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::sockets::{EXTENSION, PATH_BYTES_MAX, file_name, fits, folders};

/// Longest wait for the disk, and for other hosts that look at the same folder.
const MAKING_TIME_MAX: Duration = Duration::from_secs(5);
/// Most files of a folder that are looked at for sockets of hosts that are gone.
const SWEPT_MAX: usize = 1_000;
/// What nobody but the owner may do with a folder of sockets.
const OTHERS: u32 = 0o077;

/// A socket that was made.
pub(crate) struct AdminSocket {
    pub(super) listener: UnixListener,
    pub(super) file: SocketFile,
}

/// The file of a socket, and the link to it where its user looks for sockets.
#[derive(Debug)]
pub(crate) struct SocketFile {
    _link: Option<OwnFile>,
    socket: OwnFile,
}

/// A file that was made. Removed when this is dropped, unless it is another one by then.
#[derive(Debug)]
struct OwnFile {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl AdminSocket {
    /// Makes one in the user's own folder, for the host of that name; removes those that hosts
    /// left there which are gone.
    ///
    /// # Errors
    /// Which file or folder cannot be used, and why.
    pub(crate) async fn of_user(host: String) -> io::Result<Self> {
        Self::make(move || {
            let file = file_name(&host, std::process::id());
            let folder = folder_for(folders(), &file)?;
            let lock = lock(&folder)?;
            sweep(&folder);
            bind(&folder.join(file), &lock)
        })
        .await
    }

    /// The same, to be found where the user's sockets are, by a link. Without one only who knows
    /// its path finds it, which is told.
    pub(crate) async fn linked(mut self, host: String) -> Self {
        let socket = self.file.path().to_owned();
        let linking = spawn_blocking(move || link(&socket, folders(), &host));
        let linked = timeout(MAKING_TIME_MAX, linking).await;
        match linked.map_err(io::Error::other).and_then(|linked| linked?) {
            Ok(link) => self.file._link = link,
            Err(error) => tracing::warn!("the admin socket is found by its path alone: {error}"),
        }
        self
    }

    /// Makes one at this path.
    ///
    /// # Errors
    /// As [`of_user`](Self::of_user); [`io::ErrorKind::AddrInUse`] when a host serves there.
    pub(crate) async fn at(path: PathBuf) -> io::Result<Self> {
        Self::make(move || {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            let lock = lock(folder.unwrap_or(Path::new(".")))?;
            bind(&path, &lock)
        })
        .await
    }

    /// Works on a thread that may block.
    async fn make(
        work: impl FnOnce() -> io::Result<(StdListener, SocketFile)> + Send + 'static,
    ) -> io::Result<Self> {
        let working = timeout(MAKING_TIME_MAX, spawn_blocking(work)).await;
        let (listener, file) = working.map_err(|_| {
            let seconds = MAKING_TIME_MAX.as_secs();
            io::Error::other(format!("it could not be made within {seconds} s"))
        })???;
        listener.set_nonblocking(true)?;
        Ok(Self { listener: UnixListener::from_std(listener)?, file })
    }
}

impl SocketFile {
    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.socket.path
    }
}

impl OwnFile {
    /// The file that is there.
    fn at(path: &Path) -> io::Result<Self> {
        let made = fs::symlink_metadata(path).map_err(|error| about(path, &error))?;
        Ok(Self { path: path.to_owned(), device: made.dev(), inode: made.ino() })
    }
}

impl Drop for OwnFile {
    fn drop(&mut self) {
        let now = fs::symlink_metadata(&self.path);
        if now.is_ok_and(|now| (now.dev(), now.ino()) == (self.device, self.inode)) {
            // Left behind, it is removed by the next host.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// The first of these folders in which a socket of that name can be made. One that is not there, or
/// is somebody else's session's, is as good as none: a shell that another user's shell has started
/// keeps its variables. One that is there and may be used by others is refused.
fn folder_for(folders: Vec<PathBuf>, file: &str) -> io::Result<PathBuf> {
    let mut unusable = io::Error::other("no folder for it has a short name");
    for folder in folders.into_iter().filter(|folder| fits(&folder.join(file))) {
        match own_folder(&folder) {
            Ok(()) => return Ok(folder),
            Err(error) if is_not_there(&error) => unusable = error,
            Err(error) => return Err(error),
        }
    }
    Err(unusable)
}

fn is_not_there(error: &io::Error) -> bool {
    use io::ErrorKind::{NotADirectory, NotFound, PermissionDenied, ReadOnlyFilesystem};
    matches!(error.kind(), NotFound | NotADirectory | PermissionDenied | ReadOnlyFilesystem)
}

/// Makes a link to a socket that is elsewhere; none to one that is there already.
fn link(socket: &Path, folders: Vec<PathBuf>, host: &str) -> io::Result<Option<OwnFile>> {
    let socket = std::path::absolute(socket)?;
    let file = file_name(host, std::process::id());
    let folder = folder_for(folders, &file)?;
    let is_there = socket
        .parent()
        .is_some_and(|parent| fs::canonicalize(parent).ok() == fs::canonicalize(&folder).ok());
    if is_there && socket.extension().is_some_and(|extension| extension == EXTENSION) {
        return Ok(None);
    }
    let _lock = lock(&folder)?;
    sweep(&folder);
    let path = folder.join(file);
    match std::os::unix::fs::symlink(&socket, &path) {
        Ok(()) => {}
        // In a container each host has the same process id: one that was killed left it.
        Err(_) if fs::read_link(&path).is_ok_and(|target| target == socket) => {}
        Err(error) => return Err(about(&path, &error)),
    }
    OwnFile::at(&path).map(Some)
}

/// Makes the folder of the user's sockets, or makes sure that it is the user's alone.
fn own_folder(folder: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(about(folder, &error)),
    }
    let found = fs::symlink_metadata(folder).map_err(|error| about(folder, &error))?;
    let wrong = if !found.is_dir() {
        "is no folder"
    } else if found.uid() != rustix::process::geteuid().as_raw() {
        "belongs to another user"
    } else if found.mode() & OTHERS != 0 {
        "may be used by others: `chmod 700` it"
    } else {
        return Ok(());
    };
    Err(io::Error::other(format!("{} {wrong}", folder.display())))
}

/// Keeps out other hosts that make or remove sockets in a folder, as long as it is held: between
/// the moments in which a socket is there and in which it answers, it looks as if left behind.
fn lock(folder: &Path) -> io::Result<File> {
    let flags = (OFlags::DIRECTORY | OFlags::CLOEXEC).bits().cast_signed();
    let opened = OpenOptions::new().read(true).custom_flags(flags).open(folder);
    let held = opened.map_err(|error| about(folder, &error))?;
    flock(&held, FlockOperation::LockExclusive).map_err(|error| about(folder, &error.into()))?;
    Ok(held)
}

/// Removes the sockets of hosts that are gone.
fn sweep(folder: &Path) {
    let Ok(files) = fs::read_dir(folder) else { return };
    for file in files.take(SWEPT_MAX).flatten() {
        let path = file.path();
        let is_one = file.file_type().is_ok_and(|kind| kind.is_socket() || kind.is_symlink());
        let is_ours = path.extension().is_some_and(|extension| extension == EXTENSION);
        if is_one && is_ours && is_left_behind(&path) {
            // Another user cannot be in the way in this folder.
            let _ = fs::remove_file(&path);
        }
    }
}

/// Makes a socket; one that was left behind gives way.
fn bind(path: &Path, _lock: &File) -> io::Result<(StdListener, SocketFile)> {
    let wrong =
        |what: &str| io::Error::new(io::ErrorKind::AddrInUse, format!("{} {what}", path.display()));
    if !fits(path) {
        let text = format!("{} is longer than {PATH_BYTES_MAX} bytes", path.display());
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(about(path, &error)),
        Ok(found) if !found.file_type().is_socket() => return Err(wrong("is there and no socket")),
        Ok(_) if is_left_behind(path) => fs::remove_file(path).map_err(|it| about(path, &it))?,
        Ok(_) => return Err(wrong("is served by another program")),
    }
    let listener = StdListener::bind(path).map_err(|error| about(path, &error))?;
    // Whoever comes in is asked who it is in any case.
    fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(|it| about(path, &it))?;
    Ok((listener, SocketFile { _link: None, socket: OwnFile::at(path)? }))
}

/// True when nobody listens at a socket any more, or a link leads to none. It is not waited for:
/// one whose line is full is served.
fn is_left_behind(path: &Path) -> bool {
    let refused = || {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        connect(&socket, &SocketAddrUnix::new(path)?)
    };
    matches!(refused(), Err(Errno::CONNREFUSED | Errno::NOENT))
}

fn about(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().expect("a temporary folder")
    }

    #[tokio::test]
    async fn a_socket_is_its_users_alone_and_goes_with_its_host() {
        let folder = folder();
        let path = folder.path().join("a.sock");
        let made = AdminSocket::at(path.clone()).await.expect("it is made");
        let mode = fs::symlink_metadata(&path).expect("it is there").mode();
        assert_eq!(mode & 0o777, 0o600);
        drop(made);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn what_is_left_behind_gives_way_and_what_is_served_does_not() {
        let folder = folder();
        let path = folder.path().join("a.sock");
        drop(StdListener::bind(&path).expect("it is made"));
        assert!(path.exists(), "it was left behind");
        let made = AdminSocket::at(path.clone()).await.expect("it gives way");
        let second = AdminSocket::at(path.clone()).await.map(|_| ()).expect_err("it is served");
        assert_eq!(second.kind(), io::ErrorKind::AddrInUse, "{second}");
        // What took its place is not removed with it.
        fs::remove_file(&path).expect("it is there");
        fs::write(&path, "").expect("the folder is writable");
        drop(made);
        let other = AdminSocket::at(path.clone()).await.map(|_| ()).expect_err("it is a file");
        assert!(other.to_string().contains("no socket"), "{other}");
    }

    #[test]
    fn only_the_sockets_of_hosts_that_are_gone_are_swept() {
        let folder = folder();
        let path = |name: &str| folder.path().join(name);
        drop(StdListener::bind(path("gone.sock")).expect("it is made"));
        drop(StdListener::bind(path("other")).expect("it is made"));
        fs::write(path("file.sock"), "").expect("the folder is writable");
        let _served = StdListener::bind(path("served.sock")).expect("it is made");
        sweep(folder.path());
        let left = ["gone.sock", "other", "file.sock", "served.sock"].map(|it| path(it).exists());
        assert_eq!(left, [false, true, true, true]);
    }

    #[test]
    fn a_folder_that_others_may_use_is_refused() {
        let folder = folder();
        let own = folder.path().join("own");
        own_folder(&own).expect("it is made");
        own_folder(&own).expect("it is there");
        fs::set_permissions(&own, Permissions::from_mode(0o755)).expect("it is ours");
        assert!(own_folder(&own).expect_err("others").to_string().contains("chmod 700"));
        let link = folder.path().join("link");
        fs::set_permissions(&own, Permissions::from_mode(0o700)).expect("it is ours");
        std::os::unix::fs::symlink(&own, &link).expect("the folder is writable");
        assert!(own_folder(&link).expect_err("a link").to_string().contains("no folder"));
    }

    #[test]
    fn a_socket_elsewhere_is_found_by_a_link_that_goes_with_it() {
        let (folder, elsewhere) = (folder(), folder());
        let own = folder.path().join("trellis");
        let path = elsewhere.path().join("a.sock");
        let listener = StdListener::bind(&path).expect("it is made");
        let linked = || link(&path, vec![own.clone()], "shop").expect("it is made");
        let first = linked().expect("the socket is elsewhere");
        let file = own.join(file_name("shop", std::process::id()));
        assert_eq!(fs::read_link(&file).expect("a link"), path);
        // A killed host left it behind, and this one has the same process id.
        std::mem::forget(first);
        let again = linked().expect("the socket is elsewhere");
        sweep(&own);
        assert!(file.is_symlink(), "it is served");
        drop(again);
        assert!(!file.is_symlink());
        drop((linked().map(std::mem::forget), listener));
        fs::remove_file(&path).expect("it is there");
        sweep(&own);
        assert!(!file.is_symlink(), "it leads to nothing");
        // What is in the folder already needs none.
        let inside = own.join("b.sock");
        let _listener = StdListener::bind(&inside).expect("it is made");
        assert!(link(&inside, vec![own], "shop").expect("nothing to do").is_none());
    }

    #[test]
    fn a_runtime_folder_that_is_not_there_is_as_good_as_none() {
        let folder = folder();
        let (gone, own) = (folder.path().join("gone/trellis"), folder.path().join("own"));
        let found = folder_for(vec![gone.clone(), own.clone()], "a.sock").expect("the second");
        assert_eq!(found, own);
        let none = folder_for(vec![gone.clone()], "a.sock").expect_err("none");
        assert!(none.to_string().contains("gone"), "{none}");
        // One that others may use is no reason to look elsewhere.
        fs::set_permissions(&own, Permissions::from_mode(0o755)).expect("it is ours");
        let second = folder.path().join("second");
        assert!(folder_for(vec![own, second], "a.sock").is_err());
        assert!(folder_for(vec![gone], &"a".repeat(200)).is_err());
    }

    #[tokio::test]
    async fn a_path_that_no_socket_can_have_is_refused() {
        let folder = folder();
        let long = folder.path().join("a".repeat(PATH_BYTES_MAX));
        let error = AdminSocket::at(long).await.map(|_| ()).expect_err("too long");
        assert!(error.to_string().contains("107 bytes"), "{error}");
        let nowhere = folder.path().join("nowhere/a.sock");
        assert!(AdminSocket::at(nowhere).await.is_err());
    }
}
