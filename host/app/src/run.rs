//! The life of a host, from its arguments to its exit.

use std::process::ExitCode;
use std::sync::Arc;

use trellis_claims::PublicKey;
use trellis_core::{CallError, Code};
use trellis_engine::{CacheConfig, EngineConfig};
use trellis_manifest::Manifest;
use trellis_supervisor::dry_run;
use trellis_telemetry::Telemetry;

use crate::admin::{Admin, AdminSocket, SocketFile};
use crate::announcer::Announcer;
use crate::args::{HostArgs, SocketPlace};
use crate::children;
use crate::edits::{Edits, Overlay};
use crate::failure::Failure;
use crate::guest_log::GuestLog;
use crate::host::{Host, HostConfig};
use crate::host_key::host_key;
use crate::identity::name_of;
use crate::life::{Life, first_text, rules};
use crate::logging;
use crate::manifest::{For, Loader};
use crate::output::{Output, Remarks};
use crate::process::raise_open_files;
use crate::readiness::Readiness;
use crate::settings::StartSettings;
use crate::signals::Signals;
use crate::telemetry::{telemetry, tell_of_environment};
use crate::watch::FileWatch;

/// Does what the arguments ask for, and tells how it went, to the exit code of the process.
#[must_use]
pub fn run_to_exit(args: HostArgs, output: Output) -> ExitCode {
    if let Err(problem) = logging::start(&args.log, args.log_format) {
        return output.misused(&problem);
    }
    let outcome = run_blocking(args, output);
    logging::finish();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => output.failed(&failure),
    }
}

fn run_blocking(args: HostArgs, output: Output) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| internal("threads", &error))?;
    let outcome = runtime.block_on(run(args, output));
    // What was cut by a second signal, or waits for a disk, must not hold the process.
    runtime.shutdown_background();
    outcome
}

/// Runs a manifest until it is told to stop, or only checks it, or tells what it would do.
///
/// # Errors
/// Why it could not start. Once it runs, nothing a manifest or a module holds stops it.
pub async fn run(args: HostArgs, output: Output) -> Result<(), Failure> {
    let loader = Loader::new(&args);
    if args.check || args.dry_run {
        let text = loader.understood(loader.read().await?).await?;
        let loaded = loader.prepare(text, For::Checking, &Overlay::default()).await?;
        let settings = StartSettings::of(&args, &loaded.base.manifest.host);
        tell_of_environment(&settings.telemetry);
        let remarks = Remarks { warnings: &loaded.warnings, notes: &loaded.notes };
        if args.dry_run {
            output.planned(
                &args.manifest,
                &dry_run(&loaded.prepared, rules(&loaded.base.manifest.host)),
                remarks,
            );
        } else {
            output.checked(&args.manifest, remarks);
        }
        return Ok(());
    }
    let mut signals = Signals::listen().map_err(|error| internal("signals", &error))?;
    raise_open_files();
    let watch = Arc::new(FileWatch::start());
    let first = first_text(&loader, &watch, &mut signals, args.wait).await?;
    // Told to stop before there was anything to run.
    let Some(text) = first else { return Ok(()) };
    let announcer = Announcer::start(output.form());
    let settings = StartSettings::of(&args, &text.manifest.host);
    let running = async {
        let key = host_key(loader.path()).await;
        let telemetry =
            telemetry(&settings.telemetry, (&key, name_of(loader.path(), &text.manifest)));
        let host = build(&settings, (key, telemetry.clone()))?;
        let feeds = host.feeds().clone();
        let (edits, mut orders) = Edits::new(feeds.events.clone());
        let readiness = Readiness::new(host.supervisor().clone(), edits, telemetry.clone());
        loader.runs_in(host.engine());
        host.identity().runs(loader.path(), &text.manifest, &loader.trusted());
        let files = (loader.modules().clone(), loader.archives().clone());
        let admin = Admin::new(&host, readiness.clone(), files);
        let measured = admin.clone();
        let sending = telemetry.start(Arc::new(move || measured.metrics_page()));
        let _socket = open_admin(&settings, admin, (&loader, &text.manifest), &announcer).await?;
        let life = Life::new((loader, watch), (host, readiness), announcer.clone(), args.clone());
        let outcome = life.run(text, settings, (&mut signals, &mut orders)).await;
        feeds.end().await;
        if let Some(sending) = sending {
            tokio::select! {
                () = sending.finish() => {}
                () = signals.stop() => {}
            }
        }
        outcome
    };
    let outcome = running.await;
    // Nothing else runs by now, and it is bounded.
    announcer.finish();
    outcome
}

/// The host that runs a manifest; nothing of the manifest runs yet.
fn build(
    settings: &StartSettings,
    (key, telemetry): (PublicKey, Telemetry),
) -> Result<Host, Failure> {
    let config = HostConfig { key, telemetry, ..HostConfig::new(engine_config(settings)) };
    Host::build(config).map_err(|error| Failure::call("the sandbox", error))
}

/// Has the host answer over its admin socket and its admin address. The socket is there until what
/// this gives is dropped.
async fn open_admin(
    settings: &StartSettings,
    admin: Admin,
    (loader, manifest): (&Loader, &Manifest),
    announcer: &Announcer,
) -> Result<Option<SocketFile>, Failure> {
    let name = name_of(loader.path(), manifest);
    let socket = match &settings.socket {
        SocketPlace::Off => None,
        SocketPlace::At(path) => {
            let made = AdminSocket::at(path.clone()).await;
            Some(made.map_err(|error| no_socket(&error))?.linked(name).await)
        }
        SocketPlace::User => match AdminSocket::of_user(name).await {
            Ok(socket) => Some(socket),
            Err(error) => {
                tracing::warn!(
                    "there is no admin socket: {error}; `--socket PATH` makes one elsewhere"
                );
                None
            }
        },
    };
    let socket = socket.map(|socket| {
        let file = admin.clone().serve_on(socket);
        tracing::info!("the admin socket is {}", file.path().display());
        file
    });
    if let Some(address) = settings.admin {
        let bound = admin.serve(address).await.map_err(|error| {
            let message = format!("{address} cannot be bound: {error}");
            Failure::call("the admin address", CallError::new(Code::Address, message))
        })?;
        announcer.admin(bound);
    }
    Ok(socket)
}

fn no_socket(error: &std::io::Error) -> Failure {
    let failure =
        Failure::call("the admin socket", CallError::new(Code::Address, error.to_string()));
    failure.help("Choose another path with `--socket` or `host: {socket: PATH}`, or `off`.")
}

fn engine_config(settings: &StartSettings) -> EngineConfig {
    let limits = settings.limits;
    EngineConfig {
        instances_total_max: limits.instances_total_max,
        modules_resident_max: limits.modules_resident_max,
        host_calls_in_flight_max: limits.host_calls_in_flight_max,
        cache: settings.cache.clone().map(CacheConfig::at),
        compiler: children::compiler(),
        log: Arc::new(GuestLog),
        ..EngineConfig::default()
    }
}

fn internal(what: &str, error: &dyn std::fmt::Display) -> Failure {
    let message = format!("the operating system refused: {error}");
    Failure::call(what, CallError::new(Code::Internal, message))
}
