//! Compiling in a process of its own, so that a module made to be slow or huge to compile is
//! killed and nobody else notices.
//!
//! The parent writes a header and the module to the child's standard input, and reads a
//! fingerprint and the code from its standard output. The child bounds itself before it reads the
//! module; the parent watches its memory and the clock.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::{ExitCode, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setpriority_process, setrlimit};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use trellis_core::{CallError, Code};
use trellis_limits::{ActorLimits, named};

use super::artifact::{self, Artifact};
use super::haste::Haste;
use crate::refusal::Refusal;
use crate::settings;

/// The names of the two limits of a compilation.
const TIME: &str = "compile_time_ms_max";
const MEMORY: &str = "compile_memory_bytes_max";
/// The child says "the module is wrong", with the reason on its standard error.
const EXIT_REFUSED: u8 = 3;
/// Header of the child's input: memory bytes, processor seconds and threads, little-endian.
const HEADER_BYTES: usize = 24;
/// Most threads of one compilation.
const THREADS_MAX: u64 = 8;
/// Stack of each, as the main thread's: a compiler follows the nesting of its input.
const STACK_BYTES: usize = 8 << 20;
/// Gives way to everybody: about a sixtieth of a contended core.
const NICENESS_MAX: i32 = 19;
/// The time limit is processor time, so that a busy machine refuses nothing; after so many times
/// the limit a child is killed whatever it has used.
const PATIENCE: u32 = 6;
/// Longest reason taken from the child.
const REASON_BYTES_MAX: u64 = 4 << 10;
/// Compiled code larger than this is not read. Code is a few times as large as its module.
const CODE_BYTES_MAX: u64 = 1 << 30;

/// How often a running compilation is checked.
const WATCH_EVERY: Duration = Duration::from_millis(10);

/// What a child is to do.
pub(super) struct Order<'a> {
    pub(super) wasm: &'a [u8],
    pub(super) limits: &'a ActorLimits,
    pub(super) haste: Haste,
}

impl Order<'_> {
    /// What the child reads before the module.
    fn header(&self) -> [u8; HEADER_BYTES] {
        let seconds = self.limits.compile_time_max.as_secs().max(1);
        let threads = match self.haste {
            Haste::OneThread => 1,
            Haste::AllCores => cores().min(THREADS_MAX),
        };
        let mut header = [0; HEADER_BYTES];
        let numbers = [self.limits.compile_memory_bytes_max, seconds, threads];
        for (place, number) in header.chunks_exact_mut(8).zip(numbers) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        header
    }
}

fn cores() -> u64 {
    std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64)
}

/// Compiles in a child process, within the compile limits.
///
/// # Errors
/// `E_MODULE_LIMIT` naming the limit; `E_MODULE_INVALID` when the compiler refuses the module;
/// `E_INTERNAL` when the child cannot be started or is another program.
pub(super) async fn compile(
    (program, args): (&Path, &[OsString]),
    order: &Order<'_>,
    fingerprint: &blake3::Hash,
) -> Result<Artifact, Refusal> {
    let limits = order.limits;
    let mut child = Command::new(program)
        .args(args)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| broken("cannot be started", &error))?;
    let working = converse(&mut child, order);
    let outcome = tokio::time::timeout(limits.compile_time_max * PATIENCE, working).await;
    let (status, code, reason) = match outcome {
        Ok(Ok(Watched::Ended(status, code, reason))) => (status, code, reason),
        Ok(Ok(Watched::Over(limit))) => return Err(over(limit, limits)),
        Ok(Err(error)) => return Err(broken("was lost", &error).into()),
        Err(_) => return Err(over(TIME, limits)),
    };
    if status.success() {
        return Ok(accept(code, fingerprint)?);
    }
    Err(explain(status, &reason, limits))
}

/// What became of a child.
enum Watched {
    /// It ended by itself: status, standard output, standard error.
    Ended(ExitStatus, Vec<u8>, Vec<u8>),
    /// It is over the limit of this name.
    Over(&'static str),
}

/// Feeds the child and reads its answer, while it stays within its limits.
async fn converse(child: &mut Child, order: &Order<'_>) -> io::Result<Watched> {
    let missing = || io::Error::other("the child has no pipe");
    let mut stdin = child.stdin.take().ok_or_else(missing)?;
    let stdout = child.stdout.take().ok_or_else(missing)?;
    let stderr = child.stderr.take().ok_or_else(missing)?;
    let pid = child.id();
    let feed = async {
        // A child that ends early closes the pipe; its status says why it ended.
        let _ = stdin.write_all(&order.header()).await;
        let _ = stdin.write_all(order.wasm).await;
        drop(stdin);
    };
    let talk = async {
        let read = |pipe, max| async move { read_bounded(pipe, max).await };
        let ((), code, reason) = tokio::join!(
            feed,
            read(Box::new(stdout) as Box<dyn AsyncRead + Send + Unpin>, CODE_BYTES_MAX),
            read(Box::new(stderr), REASON_BYTES_MAX)
        );
        Ok(Watched::Ended(child.wait().await?, code?, reason?))
    };
    tokio::select! {
        ended = talk => ended,
        limit = grown_over(pid, order.limits) => Ok(Watched::Over(limit)),
    }
}

async fn read_bounded(pipe: impl AsyncRead + Unpin, max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut pipe = pipe.take(max);
    pipe.read_to_end(&mut bytes).await?;
    Ok(bytes)
}

/// Ends when the process is over a limit, with its name; never when that cannot be seen.
async fn grown_over(pid: Option<u32>, limits: &ActorLimits) -> &'static str {
    loop {
        tokio::time::sleep(WATCH_EVERY).await;
        let Some((memory_bytes, time)) = pid.and_then(usage) else { continue };
        if memory_bytes > limits.compile_memory_bytes_max {
            return MEMORY;
        }
        if time > limits.compile_time_max {
            return TIME;
        }
    }
}

/// Private memory in bytes and processor time of a process.
///
/// Source: proc_pid_statm(5), proc_pid_stat(5); a tick is a hundredth of a second on every Linux
/// this runs on.
fn usage(pid: u32) -> Option<(u64, Duration)> {
    let statm = std::fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
    let pages = |field: usize| statm.split(' ').nth(field)?.parse::<u64>().ok();
    // Resident without shared: what the compilation itself allocated.
    let private = pages(1)?.saturating_sub(pages(2)?);
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the program's name in parentheses, which may hold anything.
    let fields = stat.rsplit_once(')')?.1;
    let ticks = |field: usize| fields.split(' ').nth(field)?.parse::<u64>().ok();
    let used = Duration::from_millis((ticks(12)? + ticks(13)?).saturating_mul(10));
    Some((private.saturating_mul(rustix::param::page_size() as u64), used))
}

/// Checks that the code comes from a program with this one's settings.
fn accept(code: Vec<u8>, fingerprint: &blake3::Hash) -> Result<Artifact, CallError> {
    if !code.starts_with(fingerprint.as_bytes()) {
        let message = "the compile helper is not this program, or another version of it";
        return Err(CallError::new(Code::Internal, message));
    }
    Ok(Artifact::of_child(code, fingerprint.as_bytes().len()))
}

fn explain(status: ExitStatus, reason: &[u8], limits: &ActorLimits) -> Refusal {
    use std::os::unix::process::ExitStatusExt;
    let reason = String::from_utf8_lossy(reason);
    match (status.code(), status.signal().and_then(rustix::process::Signal::from_named_raw)) {
        (Some(code), _) if code == i32::from(EXIT_REFUSED) => {
            CallError::new(Code::ModuleInvalid, reason.trim().to_owned()).into()
        }
        (_, Some(signal)) if signal == rustix::process::Signal::XCPU => over(TIME, limits),
        // Running out of memory aborts a Rust program; the kernel's own killer sends KILL.
        (_, Some(signal))
            if [rustix::process::Signal::ABORT, rustix::process::Signal::KILL]
                .contains(&signal) =>
        {
            over(MEMORY, limits)
        }
        _ => {
            tracing::error!(%status, %reason, "the compile helper failed");
            CallError::new(Code::Internal, "the compile helper failed; see the log").into()
        }
    }
}

fn over(limit: &'static str, limits: &ActorLimits) -> Refusal {
    let max = if limit == TIME {
        format!("{} ms", limits.compile_time_max.as_millis())
    } else {
        format!("{} bytes", limits.compile_memory_bytes_max)
    };
    let message = format!("compiling the module needs more than {max} ({})", named(limit));
    Refusal::over(Code::ModuleLimit, limit, message)
}

fn broken(what: &str, error: &io::Error) -> CallError {
    tracing::error!(%error, "the compile helper {what}");
    CallError::new(Code::Internal, format!("the compile helper {what}; see the log"))
}

/// The whole program of the compile child: a hidden subcommand of the host calls it. Reads limits
/// and a module from standard input, bounds itself, compiles, writes the code to standard output.
///
/// Never called in a process that does anything else: its limits stay.
#[must_use]
pub fn compile_child_main() -> ExitCode {
    match compile_stdin() {
        Ok(()) => ExitCode::SUCCESS,
        Err(NoCode::Module(error)) => {
            // Standard error is the parent's channel for the reason; it may be gone.
            let _ = writeln!(io::stderr(), "{}", error.message());
            ExitCode::from(EXIT_REFUSED)
        }
        Err(NoCode::Io(error)) => {
            let _ = writeln!(io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

/// Why the child ends without code.
enum NoCode {
    Module(CallError),
    Io(io::Error),
}

impl From<io::Error> for NoCode {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

fn compile_stdin() -> Result<(), NoCode> {
    let mut header = [0_u8; HEADER_BYTES];
    io::stdin().read_exact(&mut header)?;
    let number = |at: usize| {
        let bytes = header[at..at + 8].try_into();
        u64::from_le_bytes(bytes.expect("a slice of eight bytes is eight bytes"))
    };
    let engine = compiler(number(16)).map_err(NoCode::Module)?;
    bound_this_process(number(0), Duration::from_secs(number(8)))?;
    let mut wasm = Vec::new();
    io::stdin().read_to_end(&mut wasm)?;
    let artifact = Artifact::compile(&engine, &wasm).map_err(NoCode::Module)?;
    let mut stdout = io::stdout().lock();
    stdout.write_all(artifact::fingerprint(&engine).as_bytes())?;
    stdout.write_all(artifact.bytes())?;
    stdout.flush()?;
    Ok(())
}

/// An engine that compiles on so many threads. They start before the process is bounded, so that
/// their stacks do not count.
fn compiler(threads: u64) -> Result<wasmtime::Engine, CallError> {
    if threads <= 1 {
        return settings::compile_engine();
    }
    // Nothing else was going on when this was ordered; should a call come, it comes first. The
    // threads are as nice as the one that starts them.
    let _ = setpriority_process(None, NICENESS_MAX);
    let threads = usize::try_from(threads.min(THREADS_MAX)).unwrap_or(1);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).stack_size(STACK_BYTES);
    match pool.build_global() {
        Ok(()) => settings::parallel_compile_engine(),
        // A machine without room for threads compiles on one.
        Err(_) => settings::compile_engine(),
    }
}

/// Hard limits that need nobody to watch. Data is bounded above what the program itself already
/// mapped: allocators reserve in advance.
fn bound_this_process(memory_bytes: u64, time: Duration) -> io::Result<()> {
    let lower = |resource: Resource, value: u64| {
        let maximum = getrlimit(resource).maximum.map_or(value, |maximum| maximum.min(value));
        setrlimit(resource, Rlimit { current: Some(maximum), maximum: Some(maximum) })
    };
    let mapped = std::fs::read_to_string("/proc/self/statm")
        .ok()
        .and_then(|statm| statm.split(' ').nth(5)?.parse::<u64>().ok())
        .map_or(0, |pages| pages.saturating_mul(rustix::param::page_size() as u64));
    lower(Resource::Data, mapped.saturating_add(memory_bytes))?;
    lower(Resource::Cpu, time.as_secs().max(1) + 1)?;
    lower(Resource::Core, 0)?;
    lower(Resource::Fsize, 0)?;
    Ok(())
}
