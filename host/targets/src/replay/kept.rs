//! The latest calls of an actor, whole, within a number of calls and of bytes.

use std::collections::{HashMap, VecDeque};
use std::mem::size_of;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use trellis_core::{CallError, ErrorKind};
use trellis_engine::{HostCall, Metrics};

/// The limit that one call alone may hit.
const REPLAY_BYTES: &str = "replay_bytes_max";

/// The latest calls of an actor that ended. Several versions of it may add to them.
#[derive(Debug)]
pub struct Kept {
    state: Mutex<State>,
    metrics: Arc<Metrics>,
}

/// How much is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KeptBounds {
    /// Most calls.
    pub calls: usize,
    /// Most bytes of all of them, and of those that run.
    pub bytes: usize,
}

/// A call that ended.
#[derive(Debug)]
pub(super) struct KeptCall {
    pub(super) operation: String,
    pub(super) payload: Bytes,
    /// What the actor asked for itself, in its order.
    pub(super) asked: Vec<Asked>,
    pub(super) answer: Result<Bytes, CallError>,
}

/// What an actor asked for during a call.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) binding: String,
    pub(super) namespace: String,
    pub(super) operation: String,
    pub(super) payload: Bytes,
    /// What it was told; `None` until it was.
    pub(super) answer: Option<Result<Bytes, CallError>>,
}

#[derive(Debug)]
struct State {
    bounds: KeptBounds,
    /// Those that run, by the number they have been given.
    open: HashMap<u64, (KeptCall, usize)>,
    ended: VecDeque<(Arc<KeptCall>, usize)>,
    /// Of both.
    bytes: usize,
    last: u64,
}

/// A call that runs; it is forgotten when this is dropped before it ended.
#[derive(Debug)]
pub(super) struct Open {
    kept: Arc<Kept>,
    number: u64,
}

impl Kept {
    /// Nothing so far.
    #[must_use]
    pub fn new(bounds: KeptBounds, metrics: Arc<Metrics>) -> Self {
        let (open, ended) = (HashMap::new(), VecDeque::new());
        let state = Mutex::new(State { bounds, open, ended, bytes: 0, last: 0 });
        Self { state, metrics }
    }

    /// From now on so much is kept.
    pub fn bound(&self, bounds: KeptBounds) {
        let mut state = self.state.lock();
        state.bounds = bounds;
        state.make_room();
    }

    /// How many calls there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.state.lock().ended.len()
    }

    /// True when there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The latest ones, the oldest first.
    pub(super) fn latest(&self, most: usize) -> Vec<Arc<KeptCall>> {
        let state = self.state.lock();
        let skipped = state.ended.len().saturating_sub(most);
        state.ended.iter().skip(skipped).map(|(call, _)| Arc::clone(call)).collect()
    }

    /// A call begins.
    pub(super) fn begin(self: &Arc<Self>, operation: &str, payload: &Bytes) -> Open {
        let bytes = size_of::<KeptCall>() + operation.len() + payload.len();
        let number = {
            let mut state = self.state.lock();
            // Nobody has the number 0.
            state.last += 1;
            state.last
        };
        if self.is_too_large(bytes) {
            return Open { kept: Arc::clone(self), number };
        }
        let call = KeptCall {
            operation: operation.to_owned(),
            payload: Bytes::copy_from_slice(payload),
            asked: Vec::new(),
            answer: Ok(Bytes::new()),
        };
        let mut state = self.state.lock();
        state.open.insert(number, (call, 0));
        self.grow(&mut state, number, bytes);
        drop(state);
        Open { kept: Arc::clone(self), number }
    }

    /// A call that runs asks for something.
    pub(super) fn asks(&self, number: u64, call: &HostCall<'_>) {
        let HostCall { binding, namespace, operation, payload, .. } = call;
        let names = binding.len() + namespace.len() + operation.len();
        let bytes = size_of::<Asked>() + names + payload.len();
        if self.is_too_large(bytes) {
            self.state.lock().give_up(number);
            return;
        }
        let asked = Asked {
            binding: (*binding).to_owned(),
            namespace: (*namespace).to_owned(),
            operation: (*operation).to_owned(),
            payload: Bytes::copy_from_slice(payload),
            answer: None,
        };
        let mut state = self.state.lock();
        let Some((open, _)) = state.open.get_mut(&number) else { return };
        open.asked.push(asked);
        self.grow(&mut state, number, bytes);
    }

    /// It was told something.
    pub(super) fn told(&self, number: u64, answer: &Result<Bytes, CallError>) {
        if self.is_too_large(length(answer)) {
            self.state.lock().give_up(number);
            return;
        }
        let kept = copied(answer);
        let mut state = self.state.lock();
        let Some((open, _)) = state.open.get_mut(&number) else { return };
        let Some(asked) = open.asked.last_mut() else { return };
        asked.answer = Some(kept);
        self.grow(&mut state, number, length(answer));
    }

    /// True for what alone is more than all may be, which is counted: it is not even copied.
    fn is_too_large(&self, bytes: usize) -> bool {
        let is_so = bytes > self.state.lock().bounds.bytes;
        if is_so {
            self.metrics.limit_hit(REPLAY_BYTES);
        }
        is_so
    }

    /// A call that runs takes more. If one alone is more than all may be, it is not kept.
    fn grow(&self, state: &mut State, number: u64, bytes: usize) {
        if !state.grow(number, bytes) {
            self.metrics.limit_hit(REPLAY_BYTES);
        }
    }
}

impl State {
    /// False when it was given up for that.
    fn grow(&mut self, number: u64, bytes: usize) -> bool {
        let Some((_, own)) = self.open.get_mut(&number) else { return true };
        *own += bytes;
        self.bytes += bytes;
        if self.make_room() {
            return true;
        }
        self.give_up(number);
        false
    }

    /// A call that runs is not kept.
    fn give_up(&mut self, number: u64) {
        if let Some((_, own)) = self.open.remove(&number) {
            self.bytes -= own;
        }
    }

    /// The oldest ones go; false when that is not enough.
    fn make_room(&mut self) -> bool {
        while self.ended.len() > self.bounds.calls || self.bytes > self.bounds.bytes {
            let Some((_, bytes)) = self.ended.pop_front() else {
                return self.bytes <= self.bounds.bytes;
            };
            self.bytes -= bytes;
        }
        true
    }
}

impl Open {
    pub(super) const fn number(&self) -> u64 {
        self.number
    }

    /// It ended like this. Of one that was refused before it ran, or that is late, nobody knows
    /// what it would have done.
    pub(super) fn end(self, answer: &Result<Bytes, CallError>) {
        let kind = answer.as_ref().err().map(CallError::kind);
        if matches!(kind, Some(ErrorKind::Busy | ErrorKind::Deadline)) {
            return;
        }
        // When this is dropped, now, a call that is given up is forgotten.
        if self.kept.is_too_large(length(answer)) {
            return;
        }
        let kept = copied(answer);
        let mut state = self.kept.state.lock();
        self.kept.grow(&mut state, self.number, length(answer));
        let Some((mut call, bytes)) = state.open.remove(&self.number) else { return };
        if call.asked.iter().any(|asked| asked.answer.is_none()) {
            state.bytes -= bytes;
            return;
        }
        call.answer = kept;
        state.ended.push_back((Arc::new(call), bytes));
        state.make_room();
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let mut state = self.kept.state.lock();
        if let Some((_, bytes)) = state.open.remove(&self.number) {
            state.bytes -= bytes;
        }
    }
}

fn length(answer: &Result<Bytes, CallError>) -> usize {
    match answer {
        Ok(reply) => reply.len(),
        Err(error) => error.message().len(),
    }
}

/// An answer that keeps no larger buffer alive.
fn copied(answer: &Result<Bytes, CallError>) -> Result<Bytes, CallError> {
    answer.as_ref().map(|reply| Bytes::copy_from_slice(reply)).map_err(CallError::clone)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use trellis_core::{Code, Trace};

    use super::*;

    fn kept(calls: usize, bytes: usize) -> Arc<Kept> {
        Arc::new(Kept::new(KeptBounds { calls, bytes }, Arc::default()))
    }

    fn call(kept: &Arc<Kept>, payload: &'static [u8], answer: &Result<Bytes, CallError>) {
        kept.begin("Do", &Bytes::from_static(payload)).end(answer);
    }

    fn ask(payload: Bytes) -> HostCall<'static> {
        let (binding, namespace, operation) = ("default", "wascc:keyvalue", "Get");
        let (deadline, trace) = (Instant::now(), Trace::default());
        HostCall { binding, namespace, operation, payload, deadline, depth: 0, trace, caller: 0 }
    }

    fn payloads(kept: &Kept) -> Vec<Bytes> {
        kept.latest(usize::MAX).iter().map(|call| call.payload.clone()).collect()
    }

    #[test]
    fn the_latest_that_ended_are_kept() {
        let kept = kept(2, 1 << 20);
        let fine = Ok(Bytes::new());
        for payload in [&b"1"[..], b"2", b"3"] {
            call(&kept, payload, &fine);
        }
        call(&kept, b"late", &Err(CallError::new(Code::Timeout, "late")));
        call(&kept, b"busy", &Err(CallError::new(Code::Busy, "busy")));
        drop(kept.begin("Do", &Bytes::from_static(b"cut")));
        assert_eq!(payloads(&kept), ["2", "3"]);
        assert_eq!(kept.latest(1)[0].payload, "3");
        call(&kept, b"4", &Err(CallError::new(Code::Trap, "it traps")));
        assert_eq!(payloads(&kept), ["3", "4"], "a failure is an answer");
        kept.bound(KeptBounds { calls: 1, bytes: 1 << 20 });
        assert_eq!(payloads(&kept), ["4"]);
    }

    #[test]
    fn bytes_are_bounded_with_those_of_calls_that_run() {
        let kept = kept(1_000, 10_000);
        let fine = Ok(Bytes::from_static(&[0; 500]));
        for _ in 0..100 {
            call(&kept, &[1; 500], &fine);
        }
        let full = kept.len();
        assert!((5..10).contains(&full), "{full}");
        let open = kept.begin("Do", &Bytes::from_static(&[2; 4_000]));
        assert!(kept.len() < full, "one that runs takes the place of older ones");
        for _ in 0..3 {
            kept.asks(open.number(), &ask(Bytes::from_static(&[3; 1_500])));
            kept.told(open.number(), &fine);
        }
        let hits = kept.metrics.limit_hits(REPLAY_BYTES);
        assert_eq!((kept.len(), hits), (0, 1), "it alone is more than all may be");
        open.end(&fine);
        assert_eq!((kept.len(), kept.state.lock().bytes), (0, 0));
        call(&kept, b"small", &fine);
        assert_eq!(kept.len(), 1);
    }

    #[test]
    fn a_call_that_asks_without_an_answer_is_not_kept() {
        let kept = kept(10, 10_000);
        let open = kept.begin("Do", &Bytes::new());
        kept.asks(open.number(), &ask(Bytes::new()));
        open.end(&Err(CallError::new(Code::Trap, "cut in the middle")));
        assert_eq!((kept.len(), kept.state.lock().bytes), (0, 0));
    }
}
