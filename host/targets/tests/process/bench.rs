//! What the tests share: factories of this very program, and somebody to call.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use trellis_core::{ActorKey, BindingId, BindingName, CallError, ContractId, Trace};
use trellis_providers_sdk::{
    Binding, BoxFuture, Call, Context, Invoke, Invoker, Provider, ProviderFactory, Values,
};
use trellis_targets::process::{Launcher, ProcessCommand, ProcessLimits, Processes};

pub(crate) const LAUNCH: &str = "launch";
pub(crate) const GOOD: &str = "good";
pub(crate) const BAD: &str = "bad";

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

async fn make(factory: &dyn ProviderFactory) -> Result<Arc<dyn Provider>, CallError> {
    factory.create(Context::new(Arc::new(Actors)), Values::default()).await
}

/// Actors that answer what they are asked, doubled; refuse to be asked for nothing; and hang.
struct Actors;

impl Invoker for Actors {
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
