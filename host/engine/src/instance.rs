//! One live guest: a store, its memory and its one entry point. It serves one call at a time.

use std::borrow::Cow;
use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use trellis_core::limits::ActorLimits;
use trellis_core::{CallError, Code, Invocation, Trace};
use wasmtime::{Memory, Store, StoreContextMut, TypedFunc, UpdateDeadline};
use wasmtime_wasi::p1::WasiP1Ctx;

use crate::abi::wapc::imports::{InFlight, Names};
use crate::abi::wapc::start;
use crate::abi::wasi;
use crate::deadline;
use crate::fault;
use crate::host_calls::HostCalls;
use crate::limiter::Limiter;
use crate::log::ActorLog;
use crate::metrics::Metrics;
use crate::module::Compiled;
use crate::pool::Seat;
use crate::slice::Slice;

/// After how many ticks a guest's time is looked at.
pub(crate) const SLICE_TICKS: u64 = 1;
/// waPC's words for a guest that answers "failed" and gives no reason.
const NO_MESSAGE: &str = "No error message set for call failure";

/// What all instances of one actor share.
pub(crate) struct ActorShared {
    pub(crate) name: Arc<str>,
    pub(crate) limits: ActorLimits,
    pub(crate) host: Arc<dyn HostCalls>,
    pub(crate) log: ActorLog,
    pub(crate) in_flight: Arc<InFlight>,
    pub(crate) metrics: Arc<Metrics>,
}

impl ActorShared {
    /// `E_TOO_LARGE` when a message is over `payload_bytes_max`.
    #[inline]
    pub(crate) fn check_payload(&self, what: &str, bytes: usize) -> Result<(), CallError> {
        if bytes <= self.limits.payload_bytes_max as usize {
            return Ok(());
        }
        self.metrics.limit_hit("payload_bytes_max");
        let max = self.limits.payload_bytes_max;
        let message = format!("the {what} has {bytes} bytes, payload_bytes_max is {max}");
        Err(CallError::new(Code::TooLarge, message))
    }

    /// `E_QUOTA` when one call made more than `host_calls_per_call_max` host calls.
    #[inline]
    pub(crate) fn check_host_calls(&self, made: u32) -> Result<(), CallError> {
        let max = self.limits.host_calls_per_call_max;
        if made <= max {
            return Ok(());
        }
        self.metrics.limit_hit("host_calls_per_call_max");
        let message = format!("one call may make {max} host calls (host_calls_per_call_max)");
        Err(CallError::new(Code::Quota, message))
    }
}

/// What the store of an instance holds.
pub(crate) struct Guest {
    pub(crate) slice: Slice,
    pub(crate) call: Call,
    pub(crate) names: Names,
    pub(crate) memory: Option<Memory>,
    pub(crate) limiter: Limiter,
    pub(crate) wasi: Option<Box<WasiP1Ctx>>,
    pub(crate) actor: Arc<ActorShared>,
}

/// One call of a guest. Everything in it is set anew by the next call.
pub(crate) struct Call {
    pub(crate) operation: Cow<'static, str>,
    pub(crate) payload: Bytes,
    pub(crate) deadline: Instant,
    pub(crate) depth: u32,
    pub(crate) trace: Trace,
    pub(crate) response: Option<Bytes>,
    pub(crate) guest_error: Option<String>,
    pub(crate) host_response: Bytes,
    pub(crate) host_error: String,
    /// The code of `host_error`.
    pub(crate) host_fault: Option<Code>,
    pub(crate) host_calls: u32,
}

impl Call {
    /// The start of an instance, as a call without operation.
    fn start(deadline: Instant) -> Self {
        Self {
            operation: Cow::Borrowed(""),
            payload: Bytes::new(),
            deadline,
            depth: 0,
            trace: Trace::default(),
            response: None,
            guest_error: None,
            host_response: Bytes::new(),
            host_error: String::new(),
            host_fault: None,
            host_calls: 0,
        }
    }

    /// Begins a call; what the one before left is gone (see `clear`).
    #[inline]
    fn begin(&mut self, request: Invocation, deadline: Instant) {
        self.operation = request.operation;
        self.payload = request.payload;
        self.deadline = deadline;
        self.depth = request.depth;
        self.trace = request.trace;
        self.host_calls = 0;
    }

    /// Lets go of everything big, and of everything the next call could read.
    #[inline]
    fn clear(&mut self) {
        self.payload = Bytes::new();
        self.response = None;
        self.guest_error = None;
        self.host_response = Bytes::new();
        self.host_error.clear();
        self.host_fault = None;
    }

    /// Why the guest says it failed.
    ///
    /// A guest that ends its words with the host's (so does every `?`) failed because what it
    /// called failed: an outage behind a provider stays an outage for whoever called the guest.
    /// Refusals are not passed on: what this guest may not do is no refusal of its caller.
    #[cold]
    fn failure(&mut self) -> CallError {
        let text = self.guest_error.take().unwrap_or_else(|| NO_MESSAGE.to_owned());
        let passed_on = self.host_fault.filter(|code| {
            matches!(code, Code::Provider | Code::Storage | Code::Timeout)
                && text.ends_with(&self.host_error)
        });
        let Some(code) = passed_on else { return CallError::new(Code::Guest, text) };
        // The code says it already; the caller reads it from there.
        let sentence = text.strip_prefix(code.as_str()).and_then(|rest| rest.strip_prefix(": "));
        CallError::new(code, sentence.unwrap_or(&text).to_owned())
    }
}

/// A live guest. Boxed, because it moves with every call: out of the pool, into the call, back.
pub(crate) struct Instance(Box<Live>);

struct Live {
    store: Store<Guest>,
    guest_call: TypedFunc<(u32, u32), i32>,
    /// Dropped after the store, so that a freed place is really free.
    seat: Seat,
}

/// How a call ended. Small on purpose: the answer stays in the instance until its caller takes it
/// out, because every move of it costs a few nanoseconds.
pub(crate) enum Ended {
    /// The guest returned this code; [`Instance::answer`] has its answer.
    Returned(Instance, i32),
    /// The guest trapped or was cut, and its instance is gone. Or it never had one.
    Failed(CallError),
}

impl Instance {
    /// Makes an instance and runs its start functions, within `init_time_max` and `deadline`.
    pub(crate) async fn create(
        compiled: &Compiled,
        mut seat: Seat,
        deadline: Instant,
    ) -> Result<Self, CallError> {
        let actor = Arc::clone(&seat.actor().shared);
        let deadline = deadline.min(Instant::now() + actor.limits.init_time_max);
        let guest = Guest {
            slice: Slice::default(),
            call: Call::start(deadline),
            names: Names::default(),
            memory: None,
            limiter: Limiter::new(&actor.limits),
            wasi: compiled.wasi.then(|| wasi::context(&actor)),
            actor,
        };
        let mut store = Store::new(compiled.engine(), guest);
        store.limiter(|guest| &mut guest.limiter);
        store.epoch_deadline_callback(on_epoch);
        store.set_epoch_deadline(SLICE_TICKS);
        seat.born();
        let started = deadline::until(pin!(start(compiled, &mut store)), deadline).await;
        match started {
            Some(Ok(guest_call)) => Ok(Self(Box::new(Live { store, guest_call, seat }))),
            Some(Err(error)) => {
                seat.ends("start_failed");
                Err(fault::of_guest(error, store.data()))
            }
            None => {
                seat.ends("start_failed");
                Err(fault::timeout("init_time_ms_max"))
            }
        }
    }

    /// Prepares the next call; [`run`](Self::run) runs it.
    #[inline]
    pub(crate) fn begin(&mut self, request: Invocation, deadline: Instant) {
        let store = &mut self.0.store;
        let guest = store.data_mut();
        guest.slice = Slice::default();
        guest.call.begin(request, deadline);
        guest.limiter.reset();
        store.set_epoch_deadline(SLICE_TICKS);
    }

    /// Runs the prepared call. A guest that trapped or was cut is in an unknown state, so its
    /// instance ends here.
    pub(crate) async fn run(mut self) -> Ended {
        let live = &mut *self.0;
        let call = &live.store.data().call;
        let deadline = call.deadline;
        let sizes = (size(call.operation.as_bytes()), size(&call.payload));
        let code = {
            let running = pin!(live.guest_call.call_async(&mut live.store, sizes));
            deadline::until(running, deadline).await
        };
        let error = match code {
            Some(Ok(code)) => return Ended::Returned(self, code),
            Some(Err(error)) => fault::of_guest(error, live.store.data()),
            None => fault::timeout("call_time_ms_max"),
        };
        self.retire(error.code().as_str());
        Ended::Failed(error)
    }

    /// Takes out what the guest left as its answer, and makes it forget the call.
    #[inline]
    pub(crate) fn answer(&mut self, code: i32) -> Result<Bytes, CallError> {
        let call = &mut self.0.store.data_mut().call;
        let answer = match code {
            0 => Err(call.failure()),
            _ => Ok(call.response.take().unwrap_or_default()),
        };
        call.clear();
        answer
    }

    /// Ends the instance, saying why.
    pub(crate) fn retire(mut self, reason: &'static str) {
        self.0.seat.ends(reason);
    }
}

/// A size is below `payload_bytes_max`, a u32.
fn size(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}

/// Instantiates and starts; the deadline is the caller's business.
async fn start(
    compiled: &Compiled,
    store: &mut Store<Guest>,
) -> wasmtime::Result<TypedFunc<(u32, u32), i32>> {
    let instance = compiled.pre.instantiate_async(&mut *store).await?;
    let memory = instance.get_module_export(&mut *store, &compiled.memory);
    store.data_mut().memory = memory.and_then(wasmtime::Extern::into_memory);
    for export in &compiled.starts {
        let function = instance.get_module_export(&mut *store, export);
        if let Some(function) = function.and_then(wasmtime::Extern::into_func) {
            let ended = function.typed::<(), ()>(&*store)?.call_async(&mut *store, ()).await;
            if let Err(error) = ended
                && !start::is_success(&error)
            {
                return Err(error);
            }
        }
    }
    let guest_call = instance
        .get_module_export(&mut *store, &compiled.guest_call)
        .and_then(wasmtime::Extern::into_func)
        .ok_or_else(|| CallError::new(Code::ModuleAbi, "`__guest_call` is not a function"))?;
    store.data_mut().call.clear();
    guest_call.typed(&*store)
}

/// wasmtime asks at every tick while the guest computes.
fn on_epoch(mut store: StoreContextMut<'_, Guest>) -> wasmtime::Result<UpdateDeadline> {
    let guest = store.data_mut();
    if Instant::now() >= guest.call.deadline {
        return Ok(UpdateDeadline::Interrupt);
    }
    if !guest.slice.is_over() {
        return Ok(UpdateDeadline::Continue(SLICE_TICKS));
    }
    deadline::note_slice_over();
    Ok(UpdateDeadline::Yield(SLICE_TICKS))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn future_bytes<A, F: Future>(_: impl FnOnce(A) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn the_future_of_a_call_stays_small() {
        let bytes = future_bytes(Instance::run);
        assert!(bytes <= 512, "{bytes} bytes are allocated for every call");
    }
}
