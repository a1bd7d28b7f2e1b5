//! One call, as the road carries it.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use bytes::Bytes;
use trellis_core::BindingId;
use trellis_core::Trace;

/// One admitted call on its way: what is asked, and until when. Made by the dispatcher from what
/// the host knows (never from what a guest says), then carried out by the target it reaches.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// The operation's name on the wire. Borrowed for those of a contract, which costs nothing to
    /// pass on.
    pub operation: Cow<'static, str>,
    /// The request message, encoded.
    pub payload: Bytes,
    /// When the caller stops waiting.
    pub deadline: Instant,
    /// How long it is until then: known here, so that a target which hands the call on need not
    /// look at the clock again.
    pub remaining: Duration,
    /// How many calls stand above this one; 0 for a call that enters the host.
    pub depth: u32,
    /// What ties the calls of one request together.
    pub trace: Trace,
    /// The binding it goes over; `None` from actor to actor and from the host itself.
    pub binding: Option<BindingId>,
}
