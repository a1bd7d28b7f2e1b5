//! What a process says of values, before it is anybody's provider.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::timeout;
use trellis_core::{CallError, Code};
use trellis_providers_sdk::{BoxFuture, Context, Invoke, Invoker, ValueProblem, Wanted};

use super::command::ProcessCommand;
use super::log::ProcessLog;
use super::session::Session;
use super::started::Started;

/// Longest wait for a process to say what is wrong with its values.
const CHECK_TIME_MAX: Duration = Duration::from_secs(8);

/// Asks a process that was just started, and ends it.
///
/// # Errors
/// What it answers, or [`Code::Provider`] when it does not.
pub(super) async fn check(
    (started, log): (Started, ProcessLog),
    (provider, command): (&str, &ProcessCommand),
    wanted: Wanted,
) -> Result<Vec<ValueProblem>, CallError> {
    let Started { process, frames, out, .. } = started;
    let context = Context::new(Arc::new(Nobody));
    let session = Session::new((frames, out), (context, log.clone()), provider);
    let asked = timeout(CHECK_TIME_MAX, session.check(wanted)).await;
    let found = asked.unwrap_or_else(|_| {
        let text = format!("it did not answer within {} s", CHECK_TIME_MAX.as_secs());
        Err(CallError::new(Code::Provider, text))
    });
    let error = match found {
        Ok(found) => return Ok(found),
        Err(error) => error,
    };
    // What it wrote may still be on its way when its connection has ended.
    process.hear_out().await;
    let (why, wrote) = (error.message(), log.last_words());
    let text = format!("`{command}` does not say whether its values are right: {why}{wrote}");
    Err(CallError::new(error.code(), text))
}

/// There is no actor yet.
struct Nobody;

impl Invoker for Nobody {
    fn invoke(&self, _: Invoke) -> BoxFuture<'_, Result<Bytes, CallError>> {
        let error = CallError::new(Code::NotFound, "nothing is bound during a check");
        Box::pin(async { Err(error) })
    }
}
