//! What the tests share: factories of this very program, and somebody to call.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use trellis_core::{ActorKey, BindingId, BindingName, CallError, ContractId, Trace};
use trellis_providers_sdk::{
    Binding, BoxFuture, Call, Context, Invoke, Invoker, Provider, ProviderFactory, Restart, Values,
};
use trellis_targets::process::{Launcher, ProcessCommand, ProcessLimits, Processes};

pub(crate) const LAUNCH: &str = "launch";
pub(crate) const GOOD: &str = "good";
pub(crate) const BAD: &str = "bad";
pub(crate) const HOST: &str = "host";

/// Longest wait for what has to come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn processes() -> Processes {
    let own = std::env::current_exe().expect("this program");
    let launcher = Launcher::new(own, vec![LAUNCH.into()]).expect("a thread");
    let environment = [("PATH", "/bin:/usr/bin"), ("SECRET", "canary"), ("NAMED", "given")];
    let pair = |(name, value): (&str, &str)| (OsString::from(name), OsString::from(value));
    Processes::new(launcher, environment.map(pair).into())
}

pub(crate) fn command(args: &[&str]) -> ProcessCommand {
    ProcessCommand {
        program: std::env::current_exe().expect("this program"),
        args: args.iter().map(ToString::to_string).collect(),
        folder: PathBuf::from("/"),
        environment: processes().environment(["NAMED"]),
        limits: ProcessLimits { open_files_max: 200, ..ProcessLimits::default() },
        digest: None,
    }
}

pub(crate) async fn factory(args: &[&str]) -> Result<Arc<dyn ProviderFactory>, CallError> {
    processes().factory("test", command(args)).await
}

/// The good provider, by the SDK that makes it. They behave alike.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Sdk {
    Rust,
    Python,
    Node,
}

impl Sdk {
    pub(crate) const ALL: [Self; 3] = [Self::Rust, Self::Python, Self::Node];

    pub(crate) fn command(self) -> ProcessCommand {
        let sdks = concat!(env!("CARGO_MANIFEST_DIR"), "/../../providers/sdk");
        let (program, file) = match self {
            Self::Rust => return command(&[GOOD]),
            Self::Python => (format!("{sdks}/python/.venv/bin/python"), "python/tests/good.py"),
            Self::Node => ("node".to_owned(), "node/test/good.mjs"),
        };
        let path = std::env::var_os("PATH").expect("a path");
        ProcessCommand {
            program: program.into(),
            args: vec![format!("{sdks}/{file}")],
            environment: [("PATH".into(), path)].into(),
            ..command(&[])
        }
    }

    pub(crate) async fn factory(self) -> Arc<dyn ProviderFactory> {
        let factory = processes().factory("test", self.command()).await;
        factory.unwrap_or_else(|error| {
            panic!("{self:?}: {error}; `tools/setup.sh` installs what these tests need")
        })
    }

    /// The provider, made, with the binding that calls go through.
    pub(crate) async fn made(self) -> Arc<dyn Provider> {
        let provider = make(&*self.factory().await).await.expect("it is made");
        provider.bind(binding(1, "")).await.expect("it is bound");
        provider
    }
}

/// The good provider of this very program, made.
pub(crate) async fn good() -> Arc<dyn Provider> {
    Sdk::Rust.made().await
}

pub(crate) async fn made(args: &[&str]) -> Result<Arc<dyn Provider>, CallError> {
    make(&*factory(args).await?).await
}

/// One of a command, whose steps are noted.
pub(crate) async fn made_of(
    command: ProcessCommand,
    told: Arc<Told>,
) -> Result<Arc<dyn Provider>, CallError> {
    let factory = processes().factory("test", command).await?;
    factory.create(Context::new(told), Values::default()).await
}

pub(crate) async fn make(factory: &dyn ProviderFactory) -> Result<Arc<dyn Provider>, CallError> {
    factory.create(Context::new(Arc::<Told>::default()), Values::default()).await
}

/// The good provider behind a script that does something first.
pub(crate) fn script(folder: &Path, first: &str) -> ProcessCommand {
    let own = std::env::current_exe().expect("this program");
    script_of(folder, &format!("{first}\nexec {} {GOOD}", own.display()))
}

/// A script.
pub(crate) fn script_of(folder: &Path, lines: &str) -> ProcessCommand {
    let script = folder.join("provider");
    let program = format!("#!/bin/sh\n{lines}\n");
    std::fs::write(&script, program).expect("it is written");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&script, mode).expect("it may be run");
    ProcessCommand { program: script, folder: folder.to_owned(), ..command(&[]) }
}

/// Actors that answer what they are asked, doubled; refuse to be asked for nothing; and hang. And
/// the host, as it is told what becomes of a provider.
#[derive(Default)]
pub(crate) struct Told(Mutex<Vec<&'static str>>);

impl Told {
    /// What it was told so far.
    pub(crate) fn steps(&self) -> Vec<&'static str> {
        self.0.lock().clone()
    }
}

impl Invoker for Told {
    fn failed(&self, next: Restart, _: &CallError) {
        self.0.lock().push(match next {
            Restart::AtOnce => "at once",
            Restart::BackOff(_) => "back-off",
            Restart::Quarantine(_) => "quarantine",
        });
    }

    fn recovered(&self) {
        self.0.lock().push("recovered");
    }

    fn invoke(&self, invoke: Invoke) -> BoxFuture<'_, Result<Bytes, CallError>> {
        Box::pin(async move {
            if invoke.payload.starts_with(b"hang") {
                return std::future::pending().await;
            }
            if invoke.payload.is_empty() {
                return Err(CallError::new(trellis_core::Code::Denied, "nothing is refused"));
            }
            Ok([&*invoke.payload, &*invoke.payload].concat().into())
        })
    }
}

pub(crate) fn call(operation: &'static str, payload: impl Into<Bytes>) -> Call {
    Call {
        binding: BindingId(1),
        operation: operation.into(),
        payload: payload.into(),
        remaining: Duration::from_secs(10),
        trace: Trace::default(),
        depth: 0,
    }
}

pub(crate) fn binding(id: u64, greeting: &str) -> Binding {
    let values = BTreeMap::from([("GREETING".to_owned(), greeting.to_owned())]);
    Binding {
        id: BindingId(id),
        actor: ActorKey::from("MACTOR".to_owned()),
        actor_name: "actor".to_owned(),
        contract: ContractId::from_static("test:good"),
        name: BindingName::default(),
        payload_bytes_max: 1 << 20,
        values: Values::new(values),
    }
}

/// Waits until a process has ended.
pub(crate) async fn until_gone(pid: &str) {
    let gone = async {
        let path = format!("/proc/{pid}/stat");
        // A process that was killed stays as a zombie until it is waited for.
        while std::fs::read_to_string(&path).is_ok_and(|stat| !stat.contains(" Z ")) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.expect("it was killed");
}

/// What an operation answers, as text.
pub(crate) async fn ask(
    provider: &Arc<dyn Provider>,
    operation: &'static str,
    payload: impl Into<Bytes>,
) -> Result<String, CallError> {
    let reply = provider.call(call(operation, payload)).await?;
    Ok(String::from_utf8(reply.to_vec()).expect("text"))
}

/// The number under a name in what a provider measured.
pub(crate) fn sample(provider: &Arc<dyn Provider>, line: &str) -> bool {
    provider.samples().iter().any(|sample| sample.to_string() == line)
}
