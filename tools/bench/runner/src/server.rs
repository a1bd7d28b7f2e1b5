//! Servers under load: started on a free port, awaited, and stopped.

use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::places::Places;
use crate::rows::Server;

/// Longest time until a server accepts connections.
const READY_TIME_MAX: Duration = Duration::from_secs(30);
/// Pause between two attempts to connect.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A server that accepts connections.
pub(crate) struct Running {
    child: Child,
    url: String,
}

impl Running {
    pub(crate) fn start(server: Server, places: &Places) -> Result<Self> {
        Self::start_by(|program| Command::new(program), server, places)
    }

    /// The same with one core for it alone, as far as this program can say.
    pub(crate) fn start_on_one_core(server: Server, places: &Places) -> Result<Self> {
        let on_one_core = |program: &Path| {
            let mut command = Command::new("taskset");
            command.args(["--cpu-list", "0"]).arg(program);
            command
        };
        Self::start_by(on_one_core, server, places)
    }

    fn start_by(
        command_of: impl Fn(&Path) -> Command,
        server: Server,
        places: &Places,
    ) -> Result<Self> {
        if matches!(server, Server::BareHyper) {
            return Self::bare(places);
        }
        let port = free_port()?;
        let mut command = match server {
            Server::Ours(app) => {
                let mut command = command_of(&places.host);
                command.arg("--manifest").arg(places.manifest(app, port)?);
                command.args(["--log", "warn"]);
                command
            }
            Server::WasmtimeServe | Server::BareHyper => {
                let mut command = command_of(&places.wasmtime);
                // The target's standard library imports more than the HTTP world has.
                command.args(["serve", "-Scli", "--addr", &format!("127.0.0.1:{port}")]);
                command.arg(&places.hello);
                command
            }
        };
        // No server may block because nobody reads its log.
        command.stdout(Stdio::null()).stderr(Stdio::null()).stdin(Stdio::null());
        let child = command.spawn().context("starting a server")?;
        let mut running = Self { child, url: format!("http://127.0.0.1:{port}/") };
        running.await_port(port)?;
        Ok(running)
    }

    /// Memory it has in use.
    pub(crate) fn resident_bytes(&self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")).context("its memory")?;
        Ok(kib.trim().parse::<u64>().context("its memory")? << 10)
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The bare server prints its address, and exits when its standard input is closed.
    fn bare(places: &Places) -> Result<Self> {
        let mut child = Command::new(places.sides.join("bare-http"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("starting bare-http")?;
        let output = child.stdout.take().context("a piped output")?;
        let mut url = String::new();
        BufReader::new(output).read_line(&mut url).context("the address of bare-http")?;
        Ok(Self { child, url: url.trim().to_owned() })
    }

    fn await_port(&mut self, port: u16) -> Result<()> {
        let until = Instant::now() + READY_TIME_MAX;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            ensure!(self.child.try_wait()?.is_none(), "the server on port {port} exited at once");
            ensure!(Instant::now() < until, "nothing listens on port {port}");
            thread::park_timeout(LOOK_EVERY);
        }
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has nothing to save. A failure means that it has exited already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A port that was free a moment ago: neither server can report a port that it chose itself.
fn free_port() -> Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).context("finding a free port")?;
    Ok(listener.local_addr()?.port())
}
