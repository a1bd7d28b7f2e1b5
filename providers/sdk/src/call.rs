//! One call from an actor to a provider.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use trellis_core::{BindingId, CallError, Trace};

use crate::payload;

/// What a provider answers.
pub type Reply = Result<Bytes, CallError>;

/// One admitted call from an actor.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Call {
    /// The binding the actor used; its configuration was given to
    /// [`Provider::bind`](crate::Provider::bind).
    pub binding: BindingId,
    /// The operation's name.
    pub operation: Cow<'static, str>,
    /// The encoded request.
    #[serde(with = "payload")]
    pub payload: Bytes,
    /// How long the caller waits, counted from the hand-over: clocks do not cross a process border.
    pub remaining: Duration,
    /// The request this call belongs to.
    pub trace: Trace,
    /// How many calls stand above this one: what the provider asks for because of it stands one
    /// deeper, so that a circle of calls ends.
    #[serde(default)]
    pub depth: u32,
}

impl Call {
    /// When the caller stops waiting. For a provider that works long enough to give up by itself;
    /// taken at the start of its work, so that the clock is read only where it matters. The host
    /// cuts the call then in any case.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        Instant::now() + self.remaining
    }
}
