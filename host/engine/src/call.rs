//! One call of an actor, as its caller asks for it.

use std::borrow::Cow;
use std::time::Instant;

use bytes::Bytes;
use trellis_core::Trace;

/// What [`Actor::call`](crate::Actor::call) is asked to run.
#[derive(Clone, Debug)]
pub struct Call {
    /// The operation's name on the wire. Borrowed for those of a contract, which costs nothing to
    /// pass on.
    pub operation: Cow<'static, str>,
    /// The request, encoded.
    pub payload: Bytes,
    /// When the caller stops waiting.
    pub deadline: Instant,
    /// How many calls stand above this one; 0 for a call that enters the host.
    pub depth: u32,
    /// What ties the calls of one request together.
    pub trace: Trace,
    /// Who calls, to whoever answers the guest's host calls: it is given back with each of them.
    /// The guest does not see it.
    pub caller: u64,
}

impl Call {
    /// No call: what an instance holds while it starts.
    pub(crate) fn none(deadline: Instant) -> Self {
        Self {
            operation: Cow::Borrowed(""),
            payload: Bytes::new(),
            deadline,
            depth: 0,
            trace: Trace::default(),
            caller: 0,
        }
    }
}
