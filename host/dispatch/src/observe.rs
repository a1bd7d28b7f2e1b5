//! Whoever looks at calls while they go on. Mostly nobody does, and then it costs a call one look
//! at a flag.

use std::borrow::Cow;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use trellis_core::{CallError, Entity, Parties, Trace};

use crate::invocation::Invocation;

/// Told of calls by the threads that carry them: whoever looks must be quick.
pub trait Observer: Send + Sync {
    /// True when a call between these is to be told of; asked while somebody
    /// [looks](Observed::look). `callee` is the name of its target in the manifest.
    fn wants(&self, parties: Parties<'_>, callee: &str) -> bool;

    /// One that was wanted ended.
    fn ended(&self, call: &SeenCall, ending: Ending<'_>);

    /// A call failed that was admitted, whether or not somebody looks.
    fn failed(&self, callee: &str, error: &CallError, trace: Trace);
}

/// A call that was admitted and looked at.
#[derive(Debug)]
pub struct SeenCall {
    /// Who asks.
    pub origin: Entity,
    /// Who is asked.
    pub target: Entity,
    /// The name of that in the manifest.
    pub callee: Arc<str>,
    /// What is asked.
    pub operation: Cow<'static, str>,
    /// The request.
    pub payload: Bytes,
    /// How many calls stand above it.
    pub depth: u32,
    /// What it belongs to.
    pub trace: Trace,
}

/// How a call that was looked at ended.
#[derive(Clone, Copy, Debug)]
pub struct Ending<'a> {
    /// The answer; `None` when its caller gave it up.
    pub outcome: Option<&'a Result<Bytes, CallError>>,
    /// How long it took.
    pub took: Duration,
}

/// Who looks, if anybody does.
#[derive(Default)]
pub struct Observed {
    looks: AtomicBool,
    observer: OnceLock<Arc<dyn Observer>>,
}

/// A call that is being looked at. One that is dropped was given up.
pub(crate) struct Watched {
    call: SeenCall,
    began: Instant,
    observer: Arc<dyn Observer>,
    is_over: bool,
}

impl Observed {
    /// From now on this one is told; only the first who is named is.
    pub fn set(&self, observer: Arc<dyn Observer>) {
        // An error says that there is one already.
        let _ = self.observer.set(observer);
    }

    /// Has the observer told of calls that begin from now on, or no more.
    pub fn look(&self, looks: bool) {
        // Relaxed, as where it is read: calls that begin at the same time may be told of or not.
        self.looks.store(looks, Ordering::Relaxed);
    }

    /// A call begins: looked at, if somebody wants to.
    #[inline]
    pub(crate) fn begin(
        &self,
        (parties, callee): (Parties<'_>, &Arc<str>),
        call: &Invocation,
    ) -> Option<Box<Watched>> {
        if !self.looks.load(Ordering::Relaxed) {
            return None;
        }
        self.watch((parties, callee), call)
    }

    #[cold]
    fn watch(
        &self,
        (parties, callee): (Parties<'_>, &Arc<str>),
        call: &Invocation,
    ) -> Option<Box<Watched>> {
        let observer = self.observer.get().filter(|it| it.wants(parties, callee))?;
        let call = SeenCall {
            origin: parties.origin.clone(),
            target: parties.target.clone(),
            callee: Arc::clone(callee),
            operation: call.operation.clone(),
            payload: call.payload.clone(),
            depth: call.depth,
            trace: call.trace,
        };
        let (began, observer) = (Instant::now(), Arc::clone(observer));
        Some(Box::new(Watched { call, began, observer, is_over: false }))
    }

    /// A call failed that was admitted.
    #[cold]
    pub(crate) fn failed(&self, callee: &str, error: &CallError, trace: Trace) {
        if let Some(observer) = self.observer.get() {
            observer.failed(callee, error, trace);
        }
    }
}

impl Watched {
    #[cold]
    pub(crate) fn end(mut self: Box<Self>, outcome: &Result<Bytes, CallError>) {
        self.tell(Some(outcome));
    }

    fn tell(&mut self, outcome: Option<&Result<Bytes, CallError>>) {
        self.is_over = true;
        self.observer.ended(&self.call, Ending { outcome, took: self.began.elapsed() });
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if !self.is_over {
            self.tell(None);
        }
    }
}

impl fmt::Debug for Observed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observed").field("looks", &self.looks).finish_non_exhaustive()
    }
}
