//! What the two sides say to each other.

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use trellis_core::{BindingId, CallError, Code, Trace};

use crate::binding::Binding;
use crate::call::Call;
use crate::descriptor::Descriptor;
use crate::payload;
use crate::provider::{Health, Listening};
use crate::sample::Sample;
use crate::values::Values;
use crate::wanted::{ValueProblem, Wanted};

/// What a host says to a provider's process. `id` is chosen by the host and repeated by the answer.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "t", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum FromHost {
    /// Make the provider. Comes once, before anything but `check`.
    Create {
        /// Answered by `ready`, or by `result` with an error.
        id: u64,
        /// The manifest's values for the provider.
        values: Values,
        /// Most `invoke`s that may be unanswered at once; one more ends the connection.
        invokes_max: u32,
    },
    /// Say what is wrong with these values, without doing anything.
    Check {
        /// Answered by `result` with `problems`.
        id: u64,
        /// All that a manifest wants of the provider.
        wanted: Wanted,
    },
    /// An actor is bound.
    Bind {
        /// Answered by `result`.
        id: u64,
        /// What is to be served.
        binding: Binding,
    },
    /// The actor is no longer bound.
    Unbind {
        /// Answered by `result`.
        id: u64,
        /// The binding's id.
        binding: BindingId,
    },
    /// An actor calls.
    Call {
        /// Answered by `result`, unless it is cancelled.
        id: u64,
        /// The binding it used.
        binding: BindingId,
        /// The operation.
        operation: Cow<'static, str>,
        /// The encoded request.
        #[serde(with = "payload")]
        payload: Bytes,
        /// How long the caller waits from now on, in milliseconds.
        deadline_ms: u64,
        /// The request it belongs to, as the value of a `traceparent` header.
        trace: Option<String>,
    },
    /// Nobody waits for the answer to this `call` any more.
    Cancel {
        /// The call's id.
        id: u64,
    },
    /// How are you?
    Health {
        /// Answered by `healthy`.
        id: u64,
    },
    /// The answer to an `invoke`.
    Invoked {
        /// The id of the `invoke`.
        id: u64,
        /// The actor's answer; absent when it failed.
        #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
        payload: Option<Bytes>,
        /// Why it failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<Failure>,
    },
    /// Finish what is under way, and end.
    Shutdown {
        /// How long that may take, in milliseconds.
        deadline_ms: u64,
    },
}

/// What a provider's process says to its host. In answers, `id` is the host's.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "t", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum FromProvider {
    /// The first frame.
    Hello(Box<Offer>),
    /// The provider was made.
    Ready {
        /// The id of the `create`.
        id: u64,
    },
    /// The answer to `create`, `check`, `bind`, `unbind` and `call`.
    Result {
        /// The id of what is answered.
        id: u64,
        /// What a call is answered with.
        #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
        payload: Option<Bytes>,
        /// Why it failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<Failure>,
        /// What a `check` found.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        problems: Vec<ValueProblem>,
    },
    /// The provider calls the actor behind a binding.
    Invoke {
        /// Chosen by the provider; answered by `invoked`.
        id: u64,
        /// The binding.
        binding: BindingId,
        /// The operation.
        operation: Cow<'static, str>,
        /// The encoded request.
        #[serde(with = "payload")]
        payload: Bytes,
        /// How long the provider waits, in milliseconds; the actor's limit without it.
        #[serde(default)]
        deadline_ms: Option<u64>,
        /// The request it belongs to, as the value of a `traceparent` header.
        #[serde(default)]
        trace: Option<String>,
    },
    /// Nobody waits for the answer to this `invoke` any more.
    Cancel {
        /// The id of the `invoke`.
        id: u64,
    },
    /// The answer to `health`.
    Healthy {
        /// The id of the `health`.
        id: u64,
        /// What does not work, when something does not.
        #[serde(default)]
        degraded: Option<String>,
        /// Where it takes work from outside.
        #[serde(default)]
        addresses: Vec<Listening>,
        /// What it measured so far.
        #[serde(default)]
        samples: Vec<Sample>,
    },
    /// A line for the host's log.
    Log {
        /// How bad it is.
        level: LogLevel,
        /// The line.
        message: String,
    },
}

/// Who a provider's process is.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Offer {
    /// The host's one-time token.
    pub token: String,
    /// The protocol it speaks: [`PROTOCOL`](super::protocol::PROTOCOL).
    pub protocol: u32,
    /// What it is and serves.
    pub descriptor: Descriptor,
    /// True when it answers `check`; otherwise the descriptor's rules alone hold.
    #[serde(default)]
    pub checks: bool,
}

/// How bad a line is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    /// Somebody must act.
    Error,
    /// Somebody should know.
    Warn,
    /// Worth a line.
    Info,
    /// For who develops it.
    Debug,
}

/// A failed call, as it crosses the border.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Failure {
    /// An error code such as `E_PROVIDER`; an unknown one counts as that.
    pub code: String,
    /// One sentence.
    pub message: String,
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        Self { code: error.code().as_str().to_owned(), message: error.message().to_owned() }
    }
}

impl From<Failure> for CallError {
    fn from(failure: Failure) -> Self {
        let code = Code::ALL.iter().find(|code| code.as_str() == failure.code);
        Self::new(code.copied().unwrap_or(Code::Provider), failure.message)
    }
}

impl FromProvider {
    /// The answer to a call, or to anything else that succeeds or fails.
    #[must_use]
    pub fn result(id: u64, outcome: Result<Bytes, CallError>) -> Self {
        let (payload, error) = split(outcome);
        Self::Result { id, payload, error, problems: Vec::new() }
    }

    /// The answer to a question about health.
    #[must_use]
    pub fn healthy(
        id: u64,
        health: Health,
        (addresses, samples): (Vec<Listening>, Vec<Sample>),
    ) -> Self {
        let degraded = match health {
            Health::Healthy => None,
            Health::Degraded(why) => Some(why),
        };
        Self::Healthy { id, degraded, addresses, samples }
    }
}

impl FromHost {
    /// An actor's call.
    #[must_use]
    pub fn call(id: u64, call: Call) -> Self {
        let Call { binding, operation, payload, remaining, trace, depth: _ } = call;
        let (deadline_ms, trace) = (milliseconds(remaining), of_trace(trace));
        Self::Call { id, binding, operation, payload, deadline_ms, trace }
    }

    /// The wish that the process ends within that time.
    #[must_use]
    pub fn shutdown(grace: Duration) -> Self {
        Self::Shutdown { deadline_ms: milliseconds(grace) }
    }

    /// The answer to an `invoke`.
    #[must_use]
    pub fn invoked(id: u64, outcome: Result<Bytes, CallError>) -> Self {
        let (payload, error) = split(outcome);
        Self::Invoked { id, payload, error }
    }
}

fn split(outcome: Result<Bytes, CallError>) -> (Option<Bytes>, Option<Failure>) {
    match outcome {
        Ok(payload) => (Some(payload), None),
        Err(error) => (None, Some(error.into())),
    }
}

/// The outcome that an answer's `payload` and `error` mean; neither means an empty answer.
pub(super) fn outcome(payload: Option<Bytes>, error: Option<Failure>) -> Result<Bytes, CallError> {
    match error {
        Some(failure) => Err(failure.into()),
        None => Ok(payload.unwrap_or_default()),
    }
}

/// The value of a `traceparent` header for a trace; none for no trace.
pub(super) fn of_trace(trace: Trace) -> Option<String> {
    (!trace.is_none()).then(|| trace.to_traceparent())
}

/// Whole milliseconds, at least one: zero would mean that nobody waits at all.
pub(super) fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1)
}

/// A payload that may be absent.
mod optional {
    use bytes::Bytes;
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::payload;

    pub(super) fn serialize<S: Serializer>(
        payload: &Option<Bytes>,
        out: S,
    ) -> Result<S::Ok, S::Error> {
        match payload {
            Some(payload) => payload::serialize(payload, out),
            None => out.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        input: D,
    ) -> Result<Option<Bytes>, D::Error> {
        #[derive(Deserialize)]
        struct Present(#[serde(with = "payload")] Bytes);
        Ok(Option::<Present>::deserialize(input)?.map(|present| present.0))
    }
}
