//! What is started: a program with its arguments, its folder, its environment and its limits.

use std::collections::BTreeMap;
use std::env::consts::ARCH;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::{File, Metadata};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use trellis_artifacts::{EXECUTABLE_HEAD_BYTES, Executable};

/// A provider's command.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct ProcessCommand {
    /// The program: a path, or a name that is looked for in `PATH`.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// The folder it runs in.
    pub folder: PathBuf,
    /// Its whole environment, besides what the protocol needs.
    pub environment: BTreeMap<OsString, OsString>,
    /// What it may use.
    pub limits: ProcessLimits,
    /// SHA-256 of the program, which is not started when it is another one; `None` for any.
    pub digest: Option<[u8; 32]>,
}

/// Where programs are looked for when the environment does not say (`execvp(3)`).
const DEFAULT_PATH: &str = "/bin:/usr/bin";

/// What one provider's process may use.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct ProcessLimits {
    /// Most memory that it may write to, in bytes (`RLIMIT_DATA`).
    pub memory_bytes_max: u64,
    /// Most open files, sockets included (`RLIMIT_NOFILE`).
    pub open_files_max: u64,
    /// Most processes and threads of its user (`RLIMIT_NPROC`), which does not bind root.
    pub processes_max: u64,
    /// Most back-offs in a row, when it ends again and again, before it is quarantined.
    pub restart_backoffs_max: u32,
}

impl Default for ProcessLimits {
    fn default() -> Self {
        Self {
            memory_bytes_max: 1 << 30,
            open_files_max: 4_096,
            processes_max: 16_384,
            restart_backoffs_max: 6,
        }
    }
}

/// Why a command cannot be started, as far as its files tell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unstartable {
    /// There is no such folder to run in.
    NoFolder,
    /// There is no such program.
    NoProgram,
    /// There is such a file, and it may not be executed.
    NotExecutable,
    /// It may be executed, and is neither an ELF program nor a script that says what runs it.
    NoForm,
    /// It is a program for another kind of machine.
    Foreign,
}

impl fmt::Display for Unstartable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoFolder => "there is no such folder",
            Self::NoProgram => "there is no such program",
            Self::NotExecutable => "it may not be executed",
            Self::NoForm => {
                "it is neither an ELF program nor a script whose first line begins with `#!`"
            }
            Self::Foreign => "it is a program for another kind of machine",
        })
    }
}

/// What the files of a command were like: another build has another stamp.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Stamp(Vec<(u64, u64, u64, i64, i64)>);

impl ProcessCommand {
    /// Looks whether its files are there.
    ///
    /// # Errors
    /// What is missing.
    pub fn look(&self) -> Result<(), Unstartable> {
        if !self.folder.is_dir() {
            return Err(Unstartable::NoFolder);
        }
        let folders = self.environment.get(OsStr::new("PATH")).map(OsString::as_os_str);
        let program = find(&self.program, (&self.folder, folders))?;
        check_form(&program)
    }

    /// The stamp of its program and of every argument that names a file.
    pub(super) fn stamp(&self) -> Stamp {
        let names = std::iter::once(self.program.as_path()).chain(self.args.iter().map(Path::new));
        let files = names.filter_map(|name| self.folder.join(name).metadata().ok());
        let stamp = |it: Metadata| (it.dev(), it.ino(), it.size(), it.mtime(), it.mtime_nsec());
        Stamp(files.filter(Metadata::is_file).map(stamp).collect())
    }
}

/// Where a program is, for a process that runs in `folder` with this `PATH`: as `execvp(3)` looks.
///
/// # Errors
/// Why there is none.
pub(super) fn find(
    program: &Path,
    (folder, path): (&Path, Option<&OsStr>),
) -> Result<PathBuf, Unstartable> {
    let is_path = program.as_os_str().as_encoded_bytes().contains(&b'/');
    let places: Vec<_> = if is_path {
        vec![folder.join(program)]
    } else {
        let folders = std::env::split_paths(path.unwrap_or(OsStr::new(DEFAULT_PATH)));
        folders.map(|place| folder.join(place).join(program)).collect()
    };
    let mut why = Unstartable::NoProgram;
    for place in places {
        match executable(&place) {
            Some(true) => return Ok(place),
            Some(false) => why = Unstartable::NotExecutable,
            None => {}
        }
    }
    Err(why)
}

/// Makes sure that the system starts a file itself, and does not give it to a shell.
///
/// # Errors
/// [`Unstartable::NoForm`] and [`Unstartable::Foreign`].
pub(super) fn check_form(program: &Path) -> Result<(), Unstartable> {
    let mut head = Vec::new();
    let read = File::open(program)
        .and_then(|file| file.take(EXECUTABLE_HEAD_BYTES as u64).read_to_end(&mut head));
    if read.is_err() {
        // What may be executed and not read, a shell could not read either.
        return Ok(());
    }
    match Executable::of(&head) {
        None => Err(Unstartable::NoForm),
        Some(form) if !form.runs_on(ARCH) => Err(Unstartable::Foreign),
        Some(_) => Ok(()),
    }
}

/// Whether a file may be executed by somebody; `None` when there is none.
fn executable(path: &Path) -> Option<bool> {
    let it = path.metadata().ok().filter(Metadata::is_file)?;
    Some(it.mode() & 0o111 != 0)
}

impl fmt::Display for ProcessCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.program.display())?;
        self.args.iter().try_for_each(|argument| write!(f, " {argument}"))
    }
}
