//! The way out of the sandbox: what a guest asks of the host.

use std::time::Instant;

use bytes::Bytes;
use trellis_core::{CallError, Trace};
use trellis_meters::Restart;

/// A boxed future, as [`HostCalls`] returns it.
pub type BoxFuture<'a, T> = futures_util::future::BoxFuture<'a, T>;

/// Answers the calls guests make; the dispatcher implements it, once per actor, so that the caller
/// is known from the object and never from what the guest says.
///
/// The future is polled on the guest's own fiber stack (1.5 MiB beside the guest's part) and may
/// move between threads. It is dropped when the caller's deadline passes. A panic in it becomes an
/// `E_INTERNAL` for the guest.
pub trait HostCalls: Send + Sync + 'static {
    /// Makes one call; an error reaches the guest as [`HostCalls::error_text`].
    fn host_call<'a>(&'a self, call: HostCall<'a>) -> BoxFuture<'a, Result<Bytes, CallError>>;

    /// What the guest reads of an error; a host that plays back another's answers may say it in
    /// that one's words.
    fn error_text(&self, error: &CallError) -> String {
        error.to_string()
    }

    /// Instances of the actor fail again and again when they start; until one
    /// [`started`](Self::recovered) calls are refused.
    fn failed(&self, next: Restart, why: &CallError) {
        let _ = (next, why);
    }

    /// An instance started after they had failed again and again.
    fn recovered(&self) {}
}

/// One call a guest makes.
///
/// The names are bounded by `name_bytes_max`, UTF-8 and free of control characters; what they mean
/// is for the dispatcher to decide.
#[derive(Clone, Debug)]
pub struct HostCall<'a> {
    /// Binding name; `default` when the guest sent none.
    pub binding: &'a str,
    /// Contract id, actor key or call alias.
    pub namespace: &'a str,
    /// Operation.
    pub operation: &'a str,
    /// The request, encoded.
    pub payload: Bytes,
    /// When the guest's own call ends.
    pub deadline: Instant,
    /// Depth of the guest's own call; what it calls stands one deeper.
    pub depth: u32,
    /// Trace of the guest's own call.
    pub trace: Trace,
    /// Who made the guest's own call; see [`Call::caller`](crate::Call::caller).
    pub caller: u64,
}
