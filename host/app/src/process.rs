//! What the operating system allows this process.

use std::io;
use std::path::{Path, PathBuf};

use rustix::process::{Resource, getrlimit, setrlimit};

/// The program of this very process, whatever its path leads to by now: an upgrade replaces the
/// file, and what runs stays the old program. Source: proc_pid_exe(5).
const OWN_PROGRAM: &str = "/proc/self/exe";

/// A path under which this very program can be started.
///
/// The link is followed by the child before it becomes another program, so it is this process's
/// program even when that file was replaced or removed.
///
/// # Errors
/// When there is no such path.
pub fn own_program() -> io::Result<PathBuf> {
    let own = Path::new(OWN_PROGRAM);
    if own.exists() { Ok(own.to_owned()) } else { std::env::current_exe() }
}

/// Raises the soft limit of open files to the hard one: every connection and every module with data
/// holds one, and the usual soft limit (1,024) is for programs that use `select`.
pub(crate) fn raise_open_files() {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return;
    }
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
}
