//! A host as a process.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};

use crate::http::{Client, Response};
use crate::lines::Lines;
use crate::signal::{Signal, signal};
use crate::wait::eventually;

/// A running host, killed when dropped.
pub struct HostProcess {
    process: Process,
    admin: SocketAddr,
}

/// A host that has exited.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code; `None` when a signal killed it.
    pub code: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// Its log and its errors.
    pub stderr: String,
}

/// A process whose output is read. It is killed when dropped.
struct Process {
    child: Child,
    stdout: Lines,
    stderr: Lines,
}

/// Runs a command until it exits.
///
/// # Panics
/// When it does not exit.
#[must_use]
pub fn run_to_end(command: &mut Command) -> Ended {
    Process::spawn(command).wait()
}

impl HostProcess {
    /// Starts a host and waits until it is ready.
    ///
    /// # Errors
    /// How it exited, when it did not become ready.
    pub fn start(command: &mut Command) -> Result<Self, Ended> {
        let mut host = Self::begin(command)?;
        // An error means that it was neither ready nor gone when patience ran out.
        let settled = eventually(|| match host.ask("/readyz") {
            Some(answer) if answer.status == 200 => Ok(true),
            _ if host.process.has_ended() => Ok(false),
            _ => Err(()),
        });
        if settled == Ok(true) { Ok(host) } else { Err(host.process.end()) }
    }

    /// Starts a host and waits until its admin address answers: whatever it has to do to get ready
    /// may still go on.
    ///
    /// # Errors
    /// How it ended, when it has no admin address.
    pub fn begin(command: &mut Command) -> Result<Self, Ended> {
        let process = Process::spawn(command);
        let admin = process.stdout.wait_for(0, |line| address_in(line.strip_prefix("admin ")?));
        match admin {
            Some(admin) => Ok(Self { process, admin }),
            None => Err(process.end()),
        }
    }

    /// The address of an actor, as the host last printed it.
    ///
    /// # Panics
    /// When the host prints none.
    #[must_use]
    pub fn address_of(&self, actor: &str) -> SocketAddr {
        let of_actor = |line: &str| {
            let (url, name) = line.strip_prefix("listening ")?.split_once(" -> ")?;
            if name == actor { address_in(url) } else { None }
        };
        let stdout = &self.process.stdout;
        let printed = stdout.text().lines().rev().find_map(of_actor);
        printed.or_else(|| stdout.wait_for(0, of_actor)).unwrap_or_else(|| {
            panic!(
                "the host printed no address of {actor}:\n{}\n{}",
                stdout.text(),
                self.log().text()
            )
        })
    }

    /// Sends a `GET` to the admin address; `None` when there is no response.
    #[must_use]
    pub fn ask(&self, path: &str) -> Option<Response> {
        Client::new(self.admin).send("GET", path, b"").ok()
    }

    /// The value of a metric, by the name in `/metrics`; 0 when it is not there yet.
    #[must_use]
    pub fn metric(&self, name: &str) -> f64 {
        let text = self.ask("/metrics").map(|answer| answer.text()).unwrap_or_default();
        let value = |line: &str| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok();
        text.lines().find_map(value).unwrap_or_default()
    }

    /// The admin address.
    #[must_use]
    pub const fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// Its log so far.
    #[must_use]
    pub const fn log(&self) -> &Lines {
        &self.process.stderr
    }

    /// What it printed so far.
    #[must_use]
    pub const fn printed(&self) -> &Lines {
        &self.process.stdout
    }

    /// Sends it a signal.
    pub fn signal(&self, which: Signal) {
        signal(self.process_id(), which);
    }

    /// Its process id.
    #[must_use]
    pub fn process_id(&self) -> u32 {
        self.process.child.id()
    }

    /// Waits until it exits.
    ///
    /// # Panics
    /// When it does not.
    #[must_use]
    pub fn wait(self) -> Ended {
        self.process.wait()
    }
}

impl Process {
    fn spawn(command: &mut Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let stdout = Lines::read(child.stdout.take().expect("it is piped"));
        let stderr = Lines::read(child.stderr.take().expect("it is piped"));
        Self { child, stdout, stderr }
    }

    fn has_ended(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|status| status.is_some())
    }

    fn wait(mut self) -> Ended {
        let ended = eventually(|| if self.has_ended() { Ok(()) } else { Err(()) });
        assert!(ended.is_ok(), "it is still running:\n{}", self.stderr.text());
        self.end()
    }

    /// Kills it unless it has exited, and reads the rest of its output.
    fn end(mut self) -> Ended {
        // It fails if the process has exited, which is fine.
        let _ = self.child.kill();
        let status = self.child.wait().expect("it is our child");
        self.stdout.wait_for_end();
        self.stderr.wait_for_end();
        Ended { code: status.code(), stdout: self.stdout.text(), stderr: self.stderr.text() }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It fails if the process has exited, which is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The address in a URL such as `http://127.0.0.1:8080/path`.
fn address_in(url: &str) -> Option<SocketAddr> {
    let authority = url.trim().strip_prefix("http://")?.split('/').next()?;
    match authority.strip_prefix("localhost:") {
        Some(port) => Some((Ipv4Addr::LOCALHOST, port.parse().ok()?).into()),
        None => authority.parse().ok(),
    }
}
