//! Starts a provider's process with its limits on.
//!
//! Between the host and the program stands this very program for a moment: it bounds itself and
//! then becomes the provider. So nothing has to run in a copy of the host between fork and exec.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use data_encoding::HEXLOWER;
use rustix::process::{Pid, Resource, Rlimit, Signal, getppid, getrlimit};
use tokio::process::Child;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use trellis_artifacts::{Digest, is_program};
use trellis_core::{CallError, Code};

use super::command::{ProcessCommand, check_form, find};
use super::watcher::{WATCH, Watched, Watcher, watch_main};

/// The launcher's exit code when the program could not be started; its last line says why.
pub(super) const EXIT_NOT_STARTED: i32 = 125;

/// What stands for the digest of a program that may be any.
const ANY_PROGRAM: &str = "-";

/// How long a program may look as if it were being written, and how often that is looked at.
const BUSY_TIME_MAX: Duration = Duration::from_secs(1);
const BUSY_PAUSE: Duration = Duration::from_millis(5);

/// Most processes that wait to be started.
const JOBS_MAX: usize = 256;

/// Starts processes. Cheap to clone.
#[derive(Clone)]
pub struct Launcher {
    program: PathBuf,
    args: Vec<OsString>,
    jobs: mpsc::SyncSender<Job>,
}

struct Job {
    command: Command,
    runtime: Handle,
    started: oneshot::Sender<io::Result<Launched>>,
}

/// A process that was started. Fields are dropped in this order: it is ended before nobody watches
/// over its group any more.
pub(super) struct Launched {
    pub(super) child: Child,
    pub(super) watched: Option<Watched>,
}

impl Launcher {
    /// Starts processes through a program that calls [`launcher_main`] with what follows `args`.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub fn new(program: PathBuf, args: Vec<OsString>) -> io::Result<Self> {
        let (jobs, queue) = mpsc::sync_channel::<Job>(JOBS_MAX);
        // A process dies with the thread that started it (`PR_SET_PDEATHSIG`), so that is one which
        // lives as long as the host.
        let watcher = Watcher::new(program.clone(), args.clone());
        thread::Builder::new().name("process-launcher".to_owned()).spawn(move || {
            for Job { command, runtime, started } in queue {
                let _inside = runtime.enter();
                let child = tokio::process::Command::from(command).kill_on_drop(true).spawn();
                let launched = child.map(|child| {
                    // It leads its group, or will in a moment.
                    let watched = child.id().map(|group| watcher.watch(group));
                    Launched { child, watched }
                });
                // One that nobody waits for any more is dropped, and killed with that.
                drop(started.send(launched));
            }
        })?;
        Ok(Self { program, args, jobs })
    }

    /// Starts a process with these variables in addition to its command's.
    ///
    /// # Errors
    /// [`Code::Provider`] when the system starts no process.
    pub(super) async fn launch(
        &self,
        command: &ProcessCommand,
        variables: [(&str, &std::ffi::OsStr); 2],
    ) -> Result<Launched, CallError> {
        let limits = command.limits;
        let mut launched = Command::new(&self.program);
        launched
            .args(&self.args)
            .arg(std::process::id().to_string())
            .args(
                [limits.memory_bytes_max, limits.open_files_max, limits.processes_max]
                    .map(|n| n.to_string()),
            )
            .arg(command.digest.map_or_else(|| ANY_PROGRAM.to_owned(), |it| HEXLOWER.encode(&it)))
            .arg(&command.program)
            .args(&command.args)
            .env_clear()
            .envs(&command.environment)
            .envs(variables)
            .current_dir(&command.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let (started, child) = oneshot::channel();
        let job = Job { command: launched, runtime: Handle::current(), started };
        let lost = || io::Error::other("the launcher is gone");
        let child = match self.jobs.try_send(job) {
            Ok(()) => child.await.unwrap_or_else(|_| Err(lost())),
            Err(mpsc::TrySendError::Full(_)) => {
                Err(io::Error::other(format!("{JOBS_MAX} processes are being started already")))
            }
            Err(mpsc::TrySendError::Disconnected(_)) => Err(lost()),
        };
        child.map_err(|error| {
            let folder = command.folder.display();
            let message = format!("`{command}` could not be started in {folder}: {error}");
            CallError::new(Code::Provider, message)
        })
    }
}

/// The whole `main` of the launcher: `HOST_PID MEMORY_BYTES FILES PROCESSES DIGEST PROGRAM
/// ARGUMENT...`, or `watch`.
pub fn launcher_main(args: impl Iterator<Item = OsString>) -> ExitCode {
    let mut args = args.peekable();
    if args.peek().is_some_and(|first| first == WATCH) {
        return watch_main();
    }
    let mut number = || args.next()?.to_str()?.parse::<u64>().ok();
    let (Some(host), Some(memory), Some(files), Some(processes)) =
        (number(), number(), number(), number())
    else {
        return not_started("a host starts this, with its process id and three limits");
    };
    let (Some(digest), Some(program)) = (args.next(), args.next()) else {
        return not_started("there is no program to start");
    };
    if let Err(error) = bound(host, memory, files, processes) {
        return not_started(&format!("its limits could not be set: {error}"));
    }
    let path = match check(&digest, program.as_ref()) {
        Ok(path) => path,
        Err(why) => return not_started(&why),
    };
    let error = become_it(Command::new(path).arg0(&program).args(args));
    not_started(&format!("{}: {error}", program.display()))
}

/// Becomes a program; gives why not.
///
/// Whoever is between its own fork and exec has what the host had open, so a program that the host
/// has just unpacked may look as if it were still being written (`ETXTBSY`). That passes by itself.
fn become_it(command: &mut Command) -> io::Error {
    let since = Instant::now();
    loop {
        let error = command.exec();
        if error.kind() != io::ErrorKind::ExecutableFileBusy || since.elapsed() > BUSY_TIME_MAX {
            return error;
        }
        thread::park_timeout(BUSY_PAUSE);
    }
}

#[expect(clippy::print_stderr, reason = "the host reads it as the last line of the process")]
fn not_started(why: &str) -> ExitCode {
    eprintln!("{why}");
    ExitCode::from(u8::try_from(EXIT_NOT_STARTED).unwrap_or(u8::MAX))
}

/// Makes sure of the program as late as can be: right before this process becomes it. Gives where
/// it is.
fn check(digest: &OsStr, program: &Path) -> Result<PathBuf, String> {
    let path = std::env::var_os("PATH");
    let found = find(program, (Path::new("."), path.as_deref()))
        .and_then(|found| check_form(&found).map(|()| found));
    let found = found.map_err(|why| format!("{}: {why}", program.display()))?;
    if digest != ANY_PROGRAM {
        check_digest(digest, &found)?;
    }
    Ok(found)
}

fn check_digest(digest: &OsStr, program: &Path) -> Result<(), String> {
    let path = program.display();
    let digest = HEXLOWER.decode(digest.as_encoded_bytes()).ok();
    let digest: Option<Digest> = digest.and_then(|digest| digest.try_into().ok());
    let digest = digest.ok_or_else(|| format!("{path} was given no digest"))?;
    match is_program(program, &digest) {
        Ok(true) => Ok(()),
        Ok(false) => Err(format!(
            "{path} is not the program that was signed; have the manifest read again (SIGHUP), \
             which unpacks it anew"
        )),
        Err(error) => Err(format!("{path} cannot be read: {error}")),
    }
}

/// Bounds this process, and all that come of it.
fn bound(host: u64, memory: u64, files: u64, processes: u64) -> io::Result<()> {
    // A group of its own, so that all of it can be ended together.
    rustix::process::setsid()?;
    rustix::thread::set_no_new_privs(true)?;
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    // The host may have died before that.
    let parent = getppid().map(Pid::as_raw_nonzero).map(|pid| u64::from(pid.get().unsigned_abs()));
    if parent != Some(host) {
        return Err(io::Error::other("the host is gone"));
    }
    for (resource, max) in [
        (Resource::Data, memory),
        (Resource::Nofile, files),
        (Resource::Nproc, processes),
        (Resource::Core, 0),
    ] {
        // Nobody may raise what was given.
        let max = getrlimit(resource).maximum.map_or(max, |given| given.min(max));
        let limit = Rlimit { current: Some(max), maximum: Some(max) };
        rustix::process::setrlimit(resource, limit)?;
    }
    Ok(())
}
