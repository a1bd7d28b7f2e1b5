//! One module in the engine, called one operation at a time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use data_encoding::HEXLOWER;
use serde::Serialize;
use trellis_app::COMPILE_COMMAND;
use trellis_claims::{SystemClock, TrustList, Unsigned, Verified, verify};
use trellis_core::{CallError, Code, ErrorKind, Trace};
use trellis_engine::{
    Actor, CacheConfig, Call, Compiler, Engine, EngineConfig, HostCalls, LogSink, ModuleSpec,
    host_caps,
};
use trellis_limits::ActorLimits;

use super::advice;
use super::args::CallArgs;
use super::desk::{Desk, RecordedCall};
use super::replies::Reply;
use crate::failure::Failure;
use crate::module;
use crate::output::Output;
use crate::payload::brief;

/// How one operation ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Status {
    /// It answered.
    Ok,
    /// It answered with an error of its own.
    GuestError,
    /// It trapped, or broke a limit.
    Trap,
    /// It was cut at its deadline; its instance is gone.
    Timeout,
    /// The engine did not run it.
    Refused,
}

/// One operation and its result. Texts are empty where there is nothing to say.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Outcome {
    pub(super) operation: String,
    pub(super) status: Status,
    pub(super) response_hex: String,
    pub(super) error: String,
    pub(super) host_calls: Vec<RecordedCall>,
    pub(super) log: Vec<String>,
    pub(super) micros: u64,
    /// What the caller of one operation can do about its failure, where that is known.
    #[serde(skip)]
    pub(super) advice: Option<String>,
}

/// A module that is ready to be called.
pub(super) struct Session {
    actor: Actor,
    desk: Arc<Desk>,
    timeout: Duration,
}

impl Status {
    /// The status that an error of the engine means.
    pub(super) fn of(error: &CallError) -> Self {
        match (error.code(), error.kind()) {
            (Code::Guest, _) => Self::GuestError,
            (_, ErrorKind::Guest) => Self::Trap,
            (_, ErrorKind::Deadline) => Self::Timeout,
            _ => Self::Refused,
        }
    }
}

impl Outcome {
    /// An operation that was never run.
    pub(super) fn refused(operation: &str, error: String) -> Self {
        Self {
            operation: operation.to_owned(),
            status: Status::Refused,
            response_hex: String::new(),
            error,
            host_calls: Vec::new(),
            log: Vec::new(),
            micros: 0,
            advice: None,
        }
    }
}

impl Session {
    /// Reads, verifies and loads the module.
    ///
    /// # Errors
    /// Why it is refused, or cannot run.
    pub(super) async fn open(args: &CallArgs, output: Output) -> Result<Self, Failure> {
        let about_file = |failure: Failure| failure.about(args.file.display());
        let cache = args.cache_dir.clone();
        let module = module::read(&args.file, args.registry, cache, output).await?;
        let verified = admit(args, &module, output).map_err(about_file)?;
        let desk = Arc::new(Desk::new(args.trace.then_some(output)));
        let log = Arc::clone(&desk) as Arc<dyn LogSink>;
        let engine = Engine::new(config(args, log))?;
        let spec = ModuleSpec {
            // One instance: what it keeps in memory is there for the next operation.
            limits: ActorLimits {
                call_time_max: args.timeout,
                instances_max: 1,
                ..ActorLimits::default()
            },
            ..ModuleSpec::new(verified.claims().display_name(), module, *verified.digest())
        };
        let calls = Arc::clone(&desk) as Arc<dyn HostCalls>;
        let loaded = engine.load(spec, calls).await;
        let actor = loaded.map_err(|error| about_file(not_loaded(error)))?;
        Ok(Self { actor, desk, timeout: args.timeout })
    }

    /// Runs one operation.
    pub(super) async fn call(
        &self,
        operation: &str,
        payload: Bytes,
        replies: Vec<Reply>,
    ) -> (Outcome, Result<Bytes, CallError>) {
        self.desk.lay_out(replies);
        self.desk.say(|| format!("=> {} {}", operation.escape_debug(), brief(&payload)));
        let started = Instant::now();
        let request = Call {
            operation: operation.to_owned().into(),
            payload,
            deadline: started + self.timeout,
            depth: 0,
            trace: Trace::default(),
            caller: 0,
        };
        let result = self.actor.call(request).await;
        let micros = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        let record = self.desk.clear();
        let (status, response_hex, error) = match &result {
            Ok(reply) => (Status::Ok, HEXLOWER.encode(reply), String::new()),
            // The guest's own words; other errors begin with their code.
            Err(error) if error.code() == Code::Guest => {
                (Status::GuestError, String::new(), error.message().to_owned())
            }
            Err(error) => (Status::of(error), String::new(), error.to_string()),
        };
        let outcome = Outcome {
            operation: operation.to_owned(),
            status,
            response_hex,
            error,
            advice: advice::of(&result, operation, &record),
            host_calls: record.host_calls,
            log: record.log,
            micros,
        };
        (outcome, result)
    }
}

/// Why the module cannot be loaded. There is no manifest here that could raise a limit.
fn not_loaded(error: CallError) -> Failure {
    let is_over = matches!(error.code(), Code::ModuleLimit | Code::Memory);
    let failure = Failure::from(error);
    if is_over {
        failure.cure(
            "Make the module smaller: strip debug information, optimize for size. This command \
             runs it within the default limits of docs/limits.md.",
        )
    } else {
        failure
    }
}

/// How modules are compiled: in a child of this very program, which can be killed.
fn compiler() -> Compiler {
    match trellis_app::own_program() {
        Ok(program) => Compiler::Child { program, args: vec![COMPILE_COMMAND.into()] },
        // There is no way to this program. In this process a compilation is slower to stop.
        Err(_) => Compiler::InProcess,
    }
}

/// Checks the claims. Any signer is trusted unless the user names issuers: the module is given
/// nothing here that would need trust.
fn admit(args: &CallArgs, module: &[u8], output: Output) -> Result<Verified, Failure> {
    let mut trust = if args.trust.is_silent() {
        match trellis_claims::inspect(module).claims {
            Some(claims) => TrustList::new(0).trust(&claims.issuer)?,
            None => TrustList::new(0),
        }
    } else {
        args.trust.list(output)?
    };
    if args.allow_unsigned {
        trust = trust.unsigned_modules(Unsigned::Allow { caps: Vec::new() });
    }
    verify(module, &trust, &SystemClock).map_err(|error| {
        let unsigned = error.code() == Code::Unsigned;
        let failure = Failure::from(error);
        if unsigned {
            failure.cure("Sign it: `trellis sign FILE`; or run it as it is with --allow-unsigned.")
        } else {
            failure
        }
    })
}

fn config(args: &CallArgs, log: Arc<dyn LogSink>) -> EngineConfig {
    let cache = args.cache_dir.clone().or_else(trellis_app::cache::default_dir);
    let mut caps = host_caps();
    caps.call_time_max = caps.call_time_max.max(args.timeout);
    EngineConfig {
        cache: cache.map(CacheConfig::at),
        compiler: compiler(),
        caps,
        // One module, one instance; a second while the first is taken down.
        instances_total_max: 4,
        modules_resident_max: 1,
        log,
        ..EngineConfig::default()
    }
}
