//! One live waPC guest: a store, its memory and its one entry point.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use trellis_core::{CallError, Code};
use wasmtime::{Store, TypedFunc};

use super::link::Linked;
use super::state::{State, WapcGuest};
use crate::abi::wasi;
use crate::call::Call;
use crate::context::ActorContext;
use crate::fault::{self, Fault};
use crate::guest::Guest;

/// `__guest_call`: the sizes of operation and payload, and 1 for success.
type GuestCall = TypedFunc<(u32, u32), i32>;

/// A guest that has started.
pub(crate) struct Instance {
    store: Store<WapcGuest>,
    guest_call: GuestCall,
}

impl Instance {
    /// Instantiates and starts.
    pub(crate) async fn start(
        linked: &Linked,
        actor: Arc<ActorContext>,
        deadline: Instant,
    ) -> Result<Self, Fault> {
        let state = State::new(linked.wasi.then(|| wasi::context(&actor)));
        let engine = linked.pre.module().engine();
        let mut store = Guest::store(engine, actor, deadline, state);
        match run_starts(linked, &mut store).await {
            Ok(guest_call) => Ok(Self { store, guest_call }),
            Err(error) => Err(of_guest(error, store.data())),
        }
    }

    /// Prepares the next call; [`run`](Self::run) runs it.
    #[inline]
    pub(crate) fn begin(&mut self, call: Call, deadline: Instant) {
        Guest::begin(&mut self.store, call, deadline);
    }

    /// When the prepared call is to be cut.
    #[inline]
    pub(crate) fn deadline(&self) -> Instant {
        self.store.data().call.deadline
    }

    /// Runs the prepared call.
    #[inline]
    pub(crate) async fn run(&mut self) -> Result<(), Fault> {
        let call = &self.store.data().call;
        let sizes = (size(call.operation.as_bytes()), size(&call.payload));
        match self.guest_call.call_async(&mut self.store, sizes).await {
            Ok(code) => {
                self.store.data_mut().abi.code = code;
                Ok(())
            }
            Err(error) => Err(of_guest(error, self.store.data())),
        }
    }

    /// Takes out what the guest left as its answer, and makes it forget the call.
    #[inline]
    pub(crate) fn answer(&mut self) -> Result<Bytes, CallError> {
        let guest = self.store.data_mut();
        let answer = guest.abi.take_answer();
        guest.abi.clear();
        guest.end();
        answer
    }
}

/// A size is below `payload_bytes_max`, a u32.
fn size(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}

/// Instantiates and runs the start functions.
async fn run_starts(linked: &Linked, store: &mut Store<WapcGuest>) -> wasmtime::Result<GuestCall> {
    let instance = linked.pre.instantiate_async(&mut *store).await?;
    let memory = instance.get_module_export(&mut *store, &linked.memory);
    store.data_mut().abi.memory = memory.and_then(wasmtime::Extern::into_memory);
    for export in &linked.starts {
        let function = instance.get_module_export(&mut *store, export);
        if let Some(function) = function.and_then(wasmtime::Extern::into_func) {
            let ended = function.typed::<(), ()>(&*store)?.call_async(&mut *store, ()).await;
            if let Err(error) = ended
                // tinygo's `_start` ends with `proc_exit(0)`, as a command says that all is well.
                && wasi::exit_status(&error) != Some(0)
            {
                return Err(error);
            }
        }
    }
    let guest_call = instance
        .get_module_export(&mut *store, &linked.guest_call)
        .and_then(wasmtime::Extern::into_func)
        .ok_or_else(|| CallError::new(Code::ModuleAbi, "`__guest_call` is not a function"))?;
    store.data_mut().abi.clear();
    guest_call.typed(&*store)
}

/// Why the guest stopped; `proc_exit` in a call is a fault as well.
#[cold]
fn of_guest(error: wasmtime::Error, guest: &WapcGuest) -> Fault {
    match wasi::exit_status(&error) {
        Some(status) => {
            let message = format!("the guest exited with status {status}");
            Fault::Broken(CallError::new(Code::Trap, message))
        }
        None => fault::of_guest(error, guest),
    }
}
