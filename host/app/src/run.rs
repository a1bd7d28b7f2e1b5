//! The life of a host, from its arguments to its exit.

use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use trellis_control::{Address, Applied};
use trellis_core::{CallError, Code};
use trellis_engine::{CacheConfig, Compiler, EngineConfig};
use trellis_entitlements::Rules;
use trellis_manifest::CacheSpec;
use trellis_supervisor::ApplyOptions;

use crate::admin::Admin;
use crate::args::HostArgs;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::guest_log::GuestLog;
use crate::host::{Host, HostConfig};
use crate::manifest::{self, For, Loaded};
use crate::process::raise_open_files;
use crate::signals::{Request, Signals};
use crate::watch::FileWatch;

/// The hidden command with which a binary compiles one module for the host it is: a module that
/// compiles without end is then a child that is killed. See [`trellis_engine::compile_child_main`].
pub const COMPILE_COMMAND: &str = "compile-module";

/// Runs a manifest until it is told to stop, on a runtime of its own.
///
/// # Errors
/// Why it could not start. Once it runs, nothing a manifest or a module holds stops it.
pub fn run_blocking(args: HostArgs) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| internal("threads", &error))?;
    let outcome = runtime.block_on(run(args));
    // What was cut by a second signal must not hold the process.
    runtime.shutdown_background();
    outcome
}

/// Prints a failure and gives its exit code.
pub fn complain(text: &str, exit: Exit) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "{}", text.trim_end());
    exit.into()
}

/// Runs a manifest until it is told to stop.
///
/// # Errors
/// Why it could not start. Once it runs, nothing a manifest or a module holds stops it.
pub async fn run(args: HostArgs) -> Result<(), Failure> {
    let purpose = if args.check { For::Checking } else { For::Running };
    let loaded = manifest::load(&args.manifest, args.allow_unsigned, purpose)?;
    if args.check {
        say(&format!("{}: ok", args.manifest.display()));
        return Ok(());
    }
    raise_open_files();
    let host = Host::build(HostConfig::new(engine_config(&args, &loaded)))
        .map_err(|error| Failure::call("the sandbox", error))?;
    let admin = Admin::new(Arc::clone(host.registry()), host.supervisor().clone());
    let mut signals = Signals::listen().map_err(|error| internal("signals", &error))?;
    let mut watch = FileWatch::new().map_err(|error| internal("file notifications", &error))?;
    watch.follow(files(&args.manifest, &loaded));
    let address = args.admin.or(loaded.manifest.host.admin.as_ref().map(|admin| admin.value));
    serve_admin(&admin, address).await?;
    let drain = loaded.manifest.host.drain;
    start(&host, loaded).await?;
    admin.set_ready(true);

    let mut life = Life { args, host, watch, printed: Vec::new() };
    life.print_addresses();
    life.until_stopped(&mut signals).await;
    admin.set_ready(false);
    tracing::info!("stopping; a second signal stops at once");
    tokio::select! {
        () = life.host.stop(Instant::now() + drain) => tracing::info!("stopped"),
        () = again(&mut signals) => tracing::warn!("stopped at once; calls were cut"),
    }
    Ok(())
}

/// A host that runs.
struct Life {
    args: HostArgs,
    host: Host,
    watch: FileWatch,
    /// The addresses that were printed, with their actors.
    printed: Vec<Address>,
}

impl Life {
    async fn until_stopped(&mut self, signals: &mut Signals) {
        loop {
            tokio::select! {
                request = signals.next() => match request {
                    Request::Stop => return,
                    Request::Reload => self.reload().await,
                },
                () = self.watch.changed() => self.reload().await,
            }
        }
    }

    /// Reads everything again and applies the difference. A manifest that is wrong changes
    /// nothing, except that an actor it no longer trusts is stopped.
    async fn reload(&mut self) {
        let path = &self.args.manifest;
        let allow_unsigned = self.args.allow_unsigned;
        match manifest::load(path, allow_unsigned, For::Running) {
            Ok(loaded) => {
                self.watch.follow(files(path, &loaded));
                self.host.supervisor().enforce(loaded.trust).await;
                let options = options(&loaded.manifest);
                report(&self.host.supervisor().apply(loaded.prepared, options).await);
                self.host.metrics().applied();
                self.print_addresses();
            }
            Err(failure) => {
                self.host.metrics().refused(&failure);
                tracing::error!("the manifest was not applied; what ran goes on\n{failure}");
                if let Ok(trust) = manifest::load_trust(path, allow_unsigned) {
                    self.host.supervisor().enforce(trust).await;
                }
            }
        }
    }

    /// Prints every address that was not there before.
    fn print_addresses(&mut self) {
        let addresses = self.host.supervisor().status().state.addresses.clone();
        for address in addresses.iter().filter(|address| !self.printed.contains(address)) {
            let Address { url, actor } = address;
            say(&format!("listening {url} -> {actor}"));
        }
        self.printed = addresses;
    }
}

fn engine_config(args: &HostArgs, loaded: &Loaded) -> EngineConfig {
    let written = match &loaded.manifest.host.cache {
        CacheSpec::User => crate::cache::default_dir(),
        CacheSpec::Off => None,
        CacheSpec::Dir(folder) => Some(loaded.folder.join(&folder.value)),
    };
    let dir = args.cache_dir.clone().or(written).filter(|_| !args.no_cache);
    let limits = loaded.manifest.host.limits;
    EngineConfig {
        instances_total_max: limits.instances_total_max,
        modules_resident_max: limits.modules_resident_max,
        host_calls_in_flight_max: limits.host_calls_in_flight_max,
        cache: dir.map(CacheConfig::at),
        compiler: compiler(),
        log: Arc::new(GuestLog),
        ..EngineConfig::default()
    }
}

/// This very binary, so that parent and child always agree on the compiler.
fn compiler() -> Compiler {
    std::env::current_exe().map_or(Compiler::InProcess, |program| Compiler::Child {
        program,
        args: vec![COMPILE_COMMAND.into()],
    })
}

async fn start(host: &Host, loaded: Loaded) -> Result<(), Failure> {
    let options = options(&loaded.manifest);
    let applied = host.supervisor().apply(loaded.prepared, options).await;
    report(&applied);
    if let Some(fault) = applied.faults.into_iter().next() {
        return Err(Failure::call(fault.what.clone(), fault.error()));
    }
    Ok(())
}

async fn serve_admin(admin: &Admin, address: Option<SocketAddr>) -> Result<(), Failure> {
    let Some(address) = address else { return Ok(()) };
    let served = admin.clone().serve(address).await.map_err(|error| {
        let message = format!("{address} cannot be bound: {error}");
        Failure::call("the admin address", CallError::new(Code::Address, message))
    })?;
    say(&format!("admin     http://{served}"));
    Ok(())
}

/// The manifest's owner decides for the whole host.
fn options(manifest: &trellis_manifest::Manifest) -> ApplyOptions {
    let rules = Rules { open_calls: manifest.host.open_calls };
    ApplyOptions { rules, ..ApplyOptions::default() }
}

fn files<'a>(manifest: &'a Path, loaded: &'a Loaded) -> impl Iterator<Item = &'a Path> {
    std::iter::once(manifest).chain(loaded.prepared.module_paths())
}

/// What was done, and what was not, the supervisor logs itself.
fn report(applied: &Applied) {
    if applied.steps.is_empty() && applied.faults.is_empty() && !applied.superseded {
        tracing::info!("unchanged");
    }
}

/// Data for scripts and people goes to stdout; a closed stdout stops nobody.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

async fn again(signals: &mut Signals) {
    while signals.next().await != Request::Stop {}
}

fn internal(what: &str, error: &dyn std::fmt::Display) -> Failure {
    let message = format!("the operating system refuses: {error}");
    Failure::call(what, CallError::new(Code::Internal, message))
}
