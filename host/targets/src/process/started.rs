//! A process that was started and has said who it is.

use std::convert::Infallible;
use std::io;
use std::process::ExitStatus;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::join_all;
use rustix::process::{Pid, Signal};
use tokio::net::UnixStream;
use tokio::net::unix::OwnedWriteHalf;
use tokio::process::Child;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use trellis_core::{CallError, Code};
use trellis_providers_sdk::Descriptor;
use trellis_providers_sdk::process::{
    Frames, FromProvider, HELLO_BYTES_MAX, LogLevel, Offer, PROTOCOL, SOCKET_VARIABLE,
    TOKEN_VARIABLE,
};

use super::command::ProcessCommand;
use super::counted::Counted;
use super::door::Door;
use super::heard;
use super::launcher::{EXIT_NOT_STARTED, Launched, Launcher};
use super::log::ProcessLog;
use super::watcher::Watched;
use crate::foreign::wrong_with;

/// Longest wait for a started process to say hello.
const HELLO_TIME_MAX: Duration = Duration::from_secs(8);
/// Longest wait for what a process that ended said and wrote last.
const LAST_WORDS_TIME_MAX: Duration = Duration::from_millis(200);
/// Longest wait for lines that are on their way when a process is let go.
const LAST_LINES_TIME_MAX: Duration = Duration::from_secs(1);

/// A process, and what it said when it came in.
pub(super) struct Started {
    pub(super) process: Process,
    pub(super) frames: Frames<Counted>,
    pub(super) out: OwnedWriteHalf,
    pub(super) descriptor: Descriptor,
    /// True when it says what is wrong with values.
    pub(super) checks: bool,
}

/// A process and all that it started; ended when this is dropped.
pub(super) struct Process {
    child: Child,
    group: Option<Pid>,
    /// Its group is ended when the host is killed.
    _watched: Option<Watched>,
    /// Its other end waits for this to be dropped.
    _alive: oneshot::Sender<Infallible>,
    /// Ends when all that it wrote was read.
    written: JoinHandle<()>,
}

impl Started {
    /// Starts a process and hears it out.
    ///
    /// # Errors
    /// [`Code::Provider`] with what went wrong and what the process wrote.
    pub(super) async fn new(
        launcher: &Launcher,
        command: &ProcessCommand,
        log: &ProcessLog,
    ) -> Result<Self, CallError> {
        let failed = |what: &str, error: io::Error| {
            CallError::new(Code::Provider, format!("`{command}`: {what}: {error}"))
        };
        let door = Door::open().map_err(|error| failed("there is no socket for it", error))?;
        let token = fresh_token().map_err(|error| failed("there is no token for it", error))?;
        let variables =
            [(SOCKET_VARIABLE, door.path().as_os_str()), (TOKEN_VARIABLE, token.as_ref())];
        let launched = launcher.launch(command, variables).await?;
        let mut process = Process::new(launched, log);
        let hello = hello(&door, process.group, &token);
        tokio::pin!(hello);
        let came = tokio::select! {
            came = &mut hello => came,
            status = process.ended() => {
                // Its last words and its lines may still be on their way.
                let (came, _) = tokio::join!(
                    timeout(LAST_WORDS_TIME_MAX, hello),
                    timeout(LAST_WORDS_TIME_MAX, &mut process.written)
                );
                let early = |told: &str| io::Error::other(format!("it {told} before it said hello"));
                match came {
                    Ok(came) => came,
                    Err(_) if is_unstarted(&status) => return Err(unstarted(command, log)),
                    Err(_) => Err(early(&told(status))),
                }
            }
            () = tokio::time::sleep(HELLO_TIME_MAX) => {
                let text = format!("it did not say hello within {} s", HELLO_TIME_MAX.as_secs());
                Err(io::Error::other(text))
            }
        };
        let why = match came {
            Ok(((frames, out), offer)) => {
                let checks = offer.checks;
                let descriptor = accept(command, offer)?;
                return Ok(Self { process, frames, out, descriptor, checks });
            }
            Err(error) => error,
        };
        let message = format!("`{command}`: {why}{}", log.last_words());
        Err(CallError::new(Code::Provider, message))
    }
}

impl Process {
    /// Has what it writes go to the log.
    fn new(Launched { mut child, watched }: Launched, log: &ProcessLog) -> Self {
        let (alive, gone) = oneshot::channel::<Infallible>();
        let out = child.stdout.take().map(|out| log.clone().follow(out, LogLevel::Info));
        let error = child.stderr.take().map(|error| log.clone().follow(error, LogLevel::Warn));
        let both = [out.map(FutureExt::boxed), error.map(FutureExt::boxed)];
        let written = tokio::spawn(async move {
            let ended = async {
                drop(gone.await);
                tokio::time::sleep(LAST_LINES_TIME_MAX).await;
            };
            // What it started and left behind may hold the other ends for ever.
            tokio::select! {
                _ = join_all(both.into_iter().flatten()) => {}
                () = ended => {}
            }
        });
        let pid = child.id().and_then(|pid| i32::try_from(pid).ok());
        let group = pid.and_then(Pid::from_raw);
        Self { child, group, _watched: watched, _alive: alive, written }
    }

    /// Its process id; `None` once it was waited for.
    pub(super) fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Waits until it has ended by itself.
    pub(super) async fn ended(&mut self) -> io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// Ends it, and waits for the lines that it wrote before.
    pub(super) async fn hear_out(mut self) {
        self.kill();
        // One that left its group may hold the other ends, and is not waited for.
        let _ = timeout(LAST_LINES_TIME_MAX, &mut self.written).await;
    }

    /// Ends it and all that it started, now.
    pub(super) fn kill(&mut self) {
        if let Some(group) = self.group {
            // Before it leads a group there is none; then it is alone. A leader that was waited for
            // may have left others behind.
            let _ = rustix::process::kill_process_group(group, Signal::KILL);
        }
        // An error says that it has ended already.
        let _ = self.child.start_kill();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

type Stream = (Frames<Counted>, OwnedWriteHalf);

/// Hears out the process, or one of its own: whichever comes in first.
async fn hello(door: &Door, process: Option<Pid>, token: &str) -> io::Result<(Stream, Offer)> {
    let process = process.ok_or_else(|| io::Error::other("it has ended already"))?;
    let (stream, offer) = first_frame(door.next(process).await?).await?;
    if same(offer.token.as_bytes(), token.as_bytes()) {
        Ok((stream, offer))
    } else {
        Err(io::Error::other("it said hello without the token it was given"))
    }
}

async fn first_frame(stream: UnixStream) -> io::Result<(Stream, Offer)> {
    let (from, out) = stream.into_split();
    let mut frames = Frames::new(Counted::new(from));
    let first = frames.next::<FromProvider>(HELLO_BYTES_MAX).await.map_err(|error| {
        let why = heard::line(&error.to_string());
        io::Error::other(format!("what it said first is no hello: {why}"))
    })?;
    match first {
        Some(FromProvider::Hello(offer)) => Ok(((frames, out), *offer)),
        Some(_) => Err(io::Error::other("it said something else before hello")),
        None => Err(io::Error::other("it closed the connection before it said hello")),
    }
}

/// Compares in a time that says nothing about where they differ.
fn same(one: &[u8], other: &[u8]) -> bool {
    let differ = one.iter().zip(other).fold(0, |differ, (a, b)| differ | (a ^ b));
    one.len() == other.len() && differ == 0
}

/// 128 bits from the system, in hexadecimal.
fn fresh_token() -> io::Result<String> {
    let mut bytes = [0; 16];
    let got = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())?;
    if got < bytes.len() {
        return Err(io::Error::other("the system has too little randomness"));
    }
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// What it is, if the host can work with that.
fn accept(command: &ProcessCommand, offer: Offer) -> Result<Descriptor, CallError> {
    let Offer { protocol, descriptor, .. } = offer;
    let wrong = if protocol == PROTOCOL {
        wrong_with(&descriptor)
    } else {
        Some(format!("it speaks protocol {protocol}; this host speaks {PROTOCOL}"))
    };
    match wrong {
        None => Ok(descriptor),
        Some(wrong) => Err(CallError::new(Code::Provider, format!("`{command}`: {wrong}"))),
    }
}

fn is_unstarted(status: &io::Result<ExitStatus>) -> bool {
    status.as_ref().is_ok_and(|status| status.code() == Some(EXIT_NOT_STARTED))
}

/// What the launcher says of a command that it could not start.
fn unstarted(command: &ProcessCommand, log: &ProcessLog) -> CallError {
    let why = log.last_line().unwrap_or_default();
    CallError::new(Code::Provider, format!("`{command}` could not be started: {why}"))
}

/// How a process ended, as part of a sentence.
pub(super) fn told(status: io::Result<ExitStatus>) -> String {
    match status {
        Ok(status) => format!("ended ({status})"),
        Err(error) => format!("could not be waited for ({error})"),
    }
}
