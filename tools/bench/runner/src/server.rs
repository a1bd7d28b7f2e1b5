//! Servers under load: started on a free port, waited for, ended.

use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::places::Places;
use crate::rows::Server;

/// Longest time until a server accepts.
const READY_TIME_MAX: Duration = Duration::from_secs(30);
/// Pause between two tries to connect.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A server that accepts connections.
pub(crate) struct Running {
    child: Child,
    url: String,
}

impl Running {
    pub(crate) fn start(server: Server, places: &Places) -> Result<Self> {
        if matches!(server, Server::BareHyper) {
            return Self::bare(places);
        }
        let port = free_port()?;
        let mut command = match server {
            Server::Ours(app) => {
                let mut command = Command::new(&places.host);
                command.arg("--manifest").arg(places.manifest(app, port)?);
                command.args(["--log", "warn"]);
                command
            }
            Server::WasmtimeServe | Server::BareHyper => {
                let mut command = Command::new(&places.wasmtime);
                // The standard library of the target imports more than the HTTP world has.
                command.args(["serve", "-Scli", "--addr", &format!("127.0.0.1:{port}")]);
                command.arg(&places.hello);
                command
            }
        };
        // Nothing may wait for a reader of its log.
        command.stdout(Stdio::null()).stderr(Stdio::null()).stdin(Stdio::null());
        let child = command.spawn().context("starting a server")?;
        let mut running = Self { child, url: format!("http://127.0.0.1:{port}/") };
        running.await_port(port)?;
        Ok(running)
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The bare server prints its address and ends with its input, which it inherits a pipe for.
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
            ensure!(self.child.try_wait()?.is_none(), "the server on port {port} ended at once");
            ensure!(Instant::now() < until, "nothing accepts on port {port}");
            thread::park_timeout(LOOK_EVERY);
        }
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It holds nothing that must be kept; a failure means that it has ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A port that was free a moment ago: neither server can report one it chose itself.
fn free_port() -> Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).context("finding a free port")?;
    Ok(listener.local_addr()?.port())
}
