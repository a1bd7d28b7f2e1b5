//! What every guest has, whatever language it speaks with the host.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use wasmtime::{Store, StoreContextMut, UpdateDeadline};

use crate::call::Call;
use crate::context::ActorContext;
use crate::deadline;
use crate::limiter::Limiter;
use crate::slice::Slice;

/// How many ticks pass between two checks of a guest's time.
pub(crate) const SLICE_TICKS: u64 = 1;

/// What the store of an instance holds: this, and the state of the guest's ABI.
pub(crate) struct Guest<S> {
    slice: Slice,
    /// The call that runs. Everything in it is set anew by the next call.
    pub(crate) call: Call,
    /// Host calls the running call has made.
    pub(crate) host_calls: u32,
    pub(crate) limiter: Limiter,
    pub(crate) actor: Arc<ActorContext>,
    pub(crate) abi: S,
}

impl<S: Send + 'static> Guest<S> {
    /// The store of a new instance, which must have started by `deadline`.
    pub(crate) fn store(
        engine: &wasmtime::Engine,
        actor: Arc<ActorContext>,
        deadline: Instant,
        abi: S,
    ) -> Store<Self> {
        // What one call of an import may hand over is a message like any other.
        let message_bytes_max = actor.limits.payload_bytes_max as usize;
        let guest = Self {
            slice: Slice::default(),
            call: Call::none(deadline),
            host_calls: 0,
            limiter: Limiter::new(&actor.limits),
            actor,
            abi,
        };
        let mut store = Store::new(engine, guest);
        store.limiter(|guest| &mut guest.limiter);
        store.epoch_deadline_callback(on_epoch);
        store.set_epoch_deadline(SLICE_TICKS);
        store.set_hostcall_fuel(message_bytes_max);
        store
    }

    /// A call begins, to be cut at `deadline`.
    #[inline]
    pub(crate) fn begin(store: &mut Store<Self>, call: Call, deadline: Instant) {
        let guest = store.data_mut();
        guest.slice = Slice::default();
        // Part by part: to copy as a whole what was just written in parts takes longer.
        let Call { operation, payload, deadline: _, depth, trace, caller } = call;
        guest.call.operation = operation;
        guest.call.payload = payload;
        guest.call.deadline = deadline;
        guest.call.depth = depth;
        guest.call.trace = trace;
        guest.call.caller = caller;
        guest.host_calls = 0;
        guest.limiter.reset();
        store.set_epoch_deadline(SLICE_TICKS);
    }

    /// The call ended: drops everything large.
    #[inline]
    pub(crate) fn end(&mut self) {
        self.call.payload = Bytes::new();
    }
}

/// wasmtime asks at every tick while the guest computes.
fn on_epoch<S>(mut store: StoreContextMut<'_, Guest<S>>) -> wasmtime::Result<UpdateDeadline> {
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
