//! Answers a guest's host calls from a list, and records everything the guest does.

use std::collections::VecDeque;

use bytes::Bytes;
use data_encoding::HEXLOWER;
use parking_lot::Mutex;
use serde::Serialize;
use trellis_core::{CallError, Code};
use trellis_engine::{BoxFuture, HostCall, HostCalls, LogSink, LogSource};

use super::replies::Reply;
use crate::output::Output;
use crate::payload::brief;

/// Most bytes of host calls recorded for one operation. A guest that makes more is stopped before
/// it fills the memory.
const RECORDED_BYTES_MAX: usize = 64 << 20;
/// The code under which a script's errors go to the guest; nothing else here fails with it.
const SCRIPTED: Code = Code::Guest;

/// One host call, as results show it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RecordedCall {
    pub(super) binding: String,
    pub(super) namespace: String,
    pub(super) operation: String,
    pub(super) payload_hex: String,
}

/// What one operation did besides answering.
#[derive(Default, Debug)]
pub(super) struct Record {
    /// Its host calls, in order.
    pub(super) host_calls: Vec<RecordedCall>,
    /// What it printed, line by line.
    pub(super) log: Vec<String>,
    /// The first host call that no reply was left for.
    pub(super) unanswered: Option<String>,
    bytes: usize,
}

/// Everything outside the guest.
pub(super) struct Desk {
    state: Mutex<State>,
    trace: Option<Output>,
}

#[derive(Default)]
struct State {
    replies: VecDeque<Reply>,
    record: Record,
}

impl Desk {
    /// A desk without replies; with `trace` it prints what happens as it happens.
    pub(super) fn new(trace: Option<Output>) -> Self {
        Self { state: Mutex::default(), trace }
    }

    /// Puts out the replies for the next operation.
    pub(super) fn lay_out(&self, replies: Vec<Reply>) {
        *self.state.lock() = State { replies: replies.into(), record: Record::default() };
    }

    /// Takes what was recorded.
    pub(super) fn clear(&self) -> Record {
        std::mem::take(&mut *self.state.lock()).record
    }

    /// Says something about the run, when it is traced.
    pub(super) fn say(&self, text: impl FnOnce() -> String) {
        if let Some(output) = self.trace {
            output.say(&text());
        }
    }

    fn answer(&self, call: &HostCall<'_>) -> Result<Bytes, CallError> {
        let HostCall { binding, namespace, operation, payload, .. } = call;
        let mut state = self.state.lock();
        let state = &mut *state;
        state.record.bytes += payload.len() + binding.len() + namespace.len() + operation.len();
        if state.record.bytes > RECORDED_BYTES_MAX {
            let message = format!("more than {RECORDED_BYTES_MAX} bytes of host calls in one call");
            return Err(CallError::new(Code::Quota, message));
        }
        state.record.host_calls.push(RecordedCall {
            binding: (*binding).to_owned(),
            namespace: (*namespace).to_owned(),
            operation: (*operation).to_owned(),
            payload_hex: HEXLOWER.encode(payload),
        });
        match state.replies.pop_front() {
            Some(Reply::Bytes(bytes)) => Ok(bytes),
            Some(Reply::Error(text)) => Err(CallError::new(SCRIPTED, text)),
            None => {
                let asked = format!("{namespace} {operation}");
                let message = format!("no reply is left for {asked}");
                state.record.unanswered.get_or_insert(asked);
                Err(CallError::new(Code::NotFound, message))
            }
        }
    }
}

impl HostCalls for Desk {
    fn host_call<'a>(&'a self, call: HostCall<'a>) -> BoxFuture<'a, Result<Bytes, CallError>> {
        let answer = self.answer(&call);
        self.say(|| {
            let HostCall { binding, namespace, operation, payload, .. } = &call;
            format!("-> {namespace} {operation} (binding {binding}) {}", brief(payload))
        });
        self.say(|| match &answer {
            Ok(reply) => format!("<- {}", brief(reply)),
            Err(error) => format!("<- error {}", error.to_string().escape_debug()),
        });
        Box::pin(std::future::ready(answer))
    }

    /// A scripted error is the text of the script, byte for byte.
    fn error_text(&self, error: &CallError) -> String {
        match error.code() {
            SCRIPTED => error.message().to_owned(),
            _ => error.to_string(),
        }
    }
}

impl LogSink for Desk {
    fn line(&self, _actor: &str, source: LogSource, line: &str) {
        self.say(|| {
            let source = match source {
                LogSource::Console => "log",
                LogSource::Stdout => "stdout",
                LogSource::Stderr => "stderr",
                LogSource::Host => "host",
            };
            format!("{source}: {line}")
        });
        self.state.lock().record.log.push(line.to_owned());
    }
}
