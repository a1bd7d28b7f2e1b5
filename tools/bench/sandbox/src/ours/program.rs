//! Calls to a provider that is a program of its own: this one.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bench_side::{PAYLOAD, time};
use bytes::Bytes;
use futures_util::future::try_join_all;
use trellis_core::{BindingId, CallError, Code, Trace};
use trellis_providers_sdk::{BoxFuture, Call, Context, Invoke, Invoker, Provider, Values, process};
use trellis_targets::process::{Launcher, ProcessCommand, ProcessLimits, Processes, launcher_main};

use super::echo;

/// The verb of the child that becomes a provider's program.
pub const LAUNCH: &str = "launch";
/// The verb of that program.
pub const PROVIDER: &str = "provider";

/// Becomes the program that a host named.
pub fn launch(words: &[String]) -> ExitCode {
    launcher_main(words.iter().map(Into::into))
}

/// The program: it replies with what it was sent.
pub fn provider() -> ExitCode {
    process::main(echo::Factory)
}

pub(super) async fn one_at_a_time(longest: Duration) -> Result<f64> {
    let provider = start().await?;
    let taken = time(longest, async || call(&provider).await).await?;
    provider.shutdown(Duration::from_secs(1)).await;
    Ok(taken)
}

/// The time of one call, when there are always sixteen.
pub(super) async fn sixteen_at_once(longest: Duration) -> Result<f64> {
    const AT_ONCE: usize = 16;
    let provider = start().await?;
    let callers = (0..AT_ONCE).map(|_| time(longest, async || call(&provider).await));
    let taken = try_join_all(callers).await?;
    provider.shutdown(Duration::from_secs(1)).await;
    Ok(taken.iter().sum::<f64>() / (AT_ONCE * AT_ONCE) as f64)
}

async fn start() -> Result<Arc<dyn Provider>> {
    let own = std::env::current_exe().context("finding this program")?;
    let launcher = Launcher::new(own.clone(), vec![LAUNCH.into()])?;
    let command = ProcessCommand {
        program: own,
        args: vec![PROVIDER.to_owned()],
        folder: PathBuf::from("/"),
        environment: BTreeMap::new(),
        limits: ProcessLimits::default(),
        digest: None,
    };
    let factory = Processes::new(launcher, BTreeMap::new()).factory("echo", command).await?;
    Ok(factory.create(Context::new(Arc::new(Nobody)), Values::default()).await?)
}

async fn call(provider: &Arc<dyn Provider>) -> Result<()> {
    let call = Call {
        binding: BindingId(1),
        operation: "Echo".into(),
        payload: Bytes::from_static(&PAYLOAD),
        remaining: Duration::from_secs(5),
        trace: Trace::default(),
        depth: 0,
    };
    let reply = provider.call(call).await?;
    ensure!(reply.len() == PAYLOAD.len(), "the reply has {} bytes", reply.len());
    Ok(())
}

/// No actor is called here.
struct Nobody;

impl Invoker for Nobody {
    fn invoke(&self, _: Invoke) -> BoxFuture<'_, Result<Bytes, CallError>> {
        Box::pin(async { Err(CallError::new(Code::NotFound, "there is no actor")) })
    }
}
