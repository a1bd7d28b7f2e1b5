//! Paths of the measured programs and guests.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

/// A guest that computes.
const WORK: &str = include_str!("../../guests/work.wat");

/// Paths of everything that is measured, and a folder for temporary files.
pub(crate) struct Places {
    pub(crate) sides: PathBuf,
    pub(crate) host: PathBuf,
    pub(crate) actors: PathBuf,
    pub(crate) wasmtime: PathBuf,
    pub(crate) hello: PathBuf,
    pub(crate) scratch: TempDir,
}

impl Places {
    /// Signs an actor and writes a manifest that serves it; returns the manifest's path.
    pub(crate) fn manifest(&self, app: App, port: u16) -> Result<PathBuf> {
        let actor = app.actor();
        let signed = self.scratch.path().join(format!("{actor}.wasm"));
        let issuer = self.sign(&self.module(app)?, &signed)?;
        let text = format!(
            "name: bench\ntrust: {{issuers: [{issuer}]}}\n\
             actors:\n  - {{image: {actor}.wasm, name: {actor}, isolation: {}{}}}\n\
             providers:\n  - builtin: http-server\n  - builtin: keyvalue-embedded\n\
             bindings:\n\
             \x20 - {{actor: {actor}, capability: \"wascc:http_server\",\n\
             \x20    values: {{PORT: {port}{}}}}}\n\
             \x20 - {{actor: {actor}, capability: \"wascc:keyvalue\"}}\n",
            app.isolation(),
            app.limits(),
            app.values()
        );
        let path = self.scratch.path().join(format!("{actor}-{port}.yaml"));
        fs::write(&path, text).context("writing a manifest")?;
        Ok(path)
    }

    /// The module to sign.
    fn module(&self, app: App) -> Result<PathBuf> {
        let App::Work = app else {
            return Ok(self.actors.join(format!("{}.wasm", app.actor())));
        };
        let module = wat::parse_str(WORK).context("assembling a guest")?;
        let path = self.scratch.path().join("unsigned.wasm");
        fs::write(&path, module).context("writing a guest")?;
        Ok(path)
    }

    fn sign(&self, from: &Path, to: &Path) -> Result<String> {
        let output = Command::new(self.sides.join("ours"))
            .arg("sign")
            .args([from, to])
            .args(["wascc:http_server", "wascc:keyvalue"])
            .output()
            .context("starting `ours sign`")?;
        let problem = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "signing {}: {problem}", from.display());
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }
}

/// What our host serves in an HTTP row.
#[derive(Clone, Copy)]
pub(crate) enum App {
    /// `echo` says hello, and an instance serves many requests.
    HelloWarm,
    /// `echo` says hello, and each request gets a new instance.
    HelloFresh,
    /// `kvcounter` counts in memory.
    Counter,
    /// A guest computes for about three quarters of a millisecond.
    Work,
}

impl App {
    const fn actor(self) -> &'static str {
        match self {
            Self::HelloWarm | Self::HelloFresh => "echo",
            Self::Counter => "kvcounter",
            Self::Work => "work",
        }
    }

    /// What its server is told besides its port.
    const fn values(self) -> &'static str {
        match self {
            Self::Work => ", QUEUE_TIME_MAX: 5ms",
            Self::HelloWarm | Self::HelloFresh | Self::Counter => "",
        }
    }

    /// What its actor is limited to, besides what is usual.
    const fn limits(self) -> &'static str {
        match self {
            Self::Work => ", limits: {queue_time: 5ms}",
            Self::HelloWarm | Self::HelloFresh | Self::Counter => "",
        }
    }

    const fn isolation(self) -> &'static str {
        match self {
            Self::HelloFresh => "fresh",
            Self::HelloWarm | Self::Counter | Self::Work => "reuse",
        }
    }
}
