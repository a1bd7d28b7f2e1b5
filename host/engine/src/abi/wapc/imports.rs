//! The host's side of waPC: what a guest can call, besides [`__host_call`](super::host_call).
//!
//! These are plain functions, which cost a few nanoseconds. A bad pointer ends the guest's call
//! with `E_GUEST_POINTER`.

use bytes::Bytes;
use trellis_core::{CallError, Code};
use wasmtime::{Caller, Linker, Memory};

use super::state::WapcGuest;
use super::{memory, names};
use crate::log::LogSource;

/// Longest error text kept from a guest, and longest `abort` message, in bytes.
const ERROR_TEXT_MAX: usize = 4 << 10;

type Result<T> = wasmtime::Result<T>;

/// Adds every function under both namespaces, and AssemblyScript's `env.abort`.
pub(super) fn link(linker: &mut Linker<WapcGuest>) -> Result<()> {
    for module in names::NAMESPACES {
        linker.func_wrap(module, names::GUEST_REQUEST_FN, guest_request)?;
        linker.func_wrap(module, names::GUEST_RESPONSE_FN, guest_response)?;
        linker.func_wrap(module, names::GUEST_ERROR_FN, guest_error)?;
        linker.func_wrap(module, names::HOST_RESPONSE_LEN_FN, host_response_len)?;
        linker.func_wrap(module, names::HOST_RESPONSE_FN, host_response)?;
        linker.func_wrap(module, names::HOST_ERROR_LEN_FN, host_error_len)?;
        linker.func_wrap(module, names::HOST_ERROR_FN, host_error)?;
        linker.func_wrap(module, names::HOST_CONSOLE_LOG, console_log)?;
    }
    linker.func_wrap(names::ENV, names::ABORT, abort)?;
    Ok(())
}

/// The guest's memory: found once per instance, and by name while the instance still starts.
pub(super) fn memory_of(caller: &mut Caller<'_, WapcGuest>) -> Result<Memory> {
    if let Some(memory) = caller.data().abi.memory {
        return Ok(memory);
    }
    caller
        .get_export(names::MEMORY)
        .and_then(wasmtime::Extern::into_memory)
        .ok_or_else(|| CallError::new(Code::ModuleAbi, "the guest has no memory").into())
}

fn guest_request(mut caller: Caller<'_, WapcGuest>, operation: u32, payload: u32) -> Result<()> {
    let memory = memory_of(&mut caller)?;
    let (bytes, guest) = memory.data_and_store_mut(&mut caller);
    memory::write(bytes, operation, guest.call.operation.as_bytes())?;
    memory::write(bytes, payload, &guest.call.payload)?;
    Ok(())
}

fn guest_response(mut caller: Caller<'_, WapcGuest>, pointer: u32, length: u32) -> Result<()> {
    let memory = memory_of(&mut caller)?;
    let (bytes, guest) = memory.data_and_store_mut(&mut caller);
    let reply = memory::slice(bytes, pointer, length)?;
    guest.actor.check_payload("reply", reply.len())?;
    guest.abi.response = Some(Bytes::copy_from_slice(reply));
    Ok(())
}

fn guest_error(mut caller: Caller<'_, WapcGuest>, pointer: u32, length: u32) -> Result<()> {
    let memory = memory_of(&mut caller)?;
    let (bytes, guest) = memory.data_and_store_mut(&mut caller);
    let text = memory::slice(bytes, pointer, length)?;
    let text = &text[..text.len().min(ERROR_TEXT_MAX)];
    guest.abi.guest_error = Some(String::from_utf8_lossy(text).into_owned());
    Ok(())
}

fn host_response_len(caller: Caller<'_, WapcGuest>) -> u32 {
    length(&caller.data().abi.host_response)
}

fn host_response(mut caller: Caller<'_, WapcGuest>, pointer: u32) -> Result<()> {
    let memory = memory_of(&mut caller)?;
    let (bytes, guest) = memory.data_and_store_mut(&mut caller);
    memory::write(bytes, pointer, &guest.abi.host_response)?;
    Ok(())
}

fn host_error_len(caller: Caller<'_, WapcGuest>) -> u32 {
    length(caller.data().abi.host_error.as_bytes())
}

fn host_error(mut caller: Caller<'_, WapcGuest>, pointer: u32) -> Result<()> {
    let memory = memory_of(&mut caller)?;
    let (bytes, guest) = memory.data_and_store_mut(&mut caller);
    memory::write(bytes, pointer, guest.abi.host_error.as_bytes())?;
    Ok(())
}

fn console_log(mut caller: Caller<'_, WapcGuest>, pointer: u32, length: u32) -> Result<()> {
    let memory = memory_of(&mut caller)?;
    let (bytes, guest) = memory.data_and_store_mut(&mut caller);
    guest.actor.log.write(LogSource::Console, memory::slice(bytes, pointer, length)?);
    Ok(())
}

/// AssemblyScript's `abort`. A string there is UTF-16 with its length in bytes before it.
fn abort(
    mut caller: Caller<'_, WapcGuest>,
    message: u32,
    file: u32,
    line: u32,
    column: u32,
) -> Result<()> {
    let memory = memory_of(&mut caller)?;
    let (bytes, guest) = memory.data_and_store_mut(&mut caller);
    let text = |pointer: u32| -> String {
        let header = pointer.checked_sub(4).and_then(|at| memory::slice(bytes, at, 4).ok());
        let length = header.and_then(|h| h.try_into().ok()).map_or(0, u32::from_le_bytes);
        let length = length.min(ERROR_TEXT_MAX as u32);
        let utf16 = memory::slice(bytes, pointer, length).unwrap_or_default();
        let units = utf16.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
        char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
    };
    let entry = format!("abort: {} in {}({line}:{column})", text(message), text(file));
    guest.actor.log.write(LogSource::Console, entry.as_bytes());
    Err(CallError::new(
        Code::Trap,
        format!("the guest aborted at {line}:{column}; its log has the message"),
    )
    .into())
}

/// Lengths stay below `payload_bytes_max`, so they fit; a longer one could not be stored.
fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}
<<<<<<< HEAD
=======

async fn host_call(mut caller: Caller<'_, Guest>, params: HostCallParams) -> Result<u32> {
    let memory = memory_of(&mut caller)?;
    let (answer, waited) = {
        let (bytes, guest) = memory.data_and_store_mut(&mut caller);
        let Guest { call, actor, names, .. } = guest;
        call.host_response = Bytes::new();
        call.host_error.clear();
        call.host_fault = None;
        call.host_calls = call.host_calls.saturating_add(1);
        let spans = Spans::read(bytes, params)?;
        match spans.check(actor, call.host_calls, names) {
            Ok(()) => {
                let future = actor.host.host_call(HostCall {
                    binding: BindingName::normalize(&names.binding),
                    namespace: &names.namespace,
                    operation: &names.operation,
                    payload: Bytes::copy_from_slice(spans.payload),
                    deadline: call.deadline,
                    depth: call.depth,
                    trace: call.trace,
                });
                let mut answer = Answer { future, in_flight: &actor.in_flight, waiting: None };
                ((&mut answer).await, answer.waiting.is_some())
            }
            Err(error) => (Err(error), false),
        }
    };
    if waited {
        // The guest did not compute while it waited: it gets a whole slice.
        caller.as_context_mut().set_epoch_deadline(SLICE_TICKS);
    }
    let Guest { call, actor, .. } = caller.data_mut();
    let error = match answer {
        Ok(reply) => match actor.check_payload("reply of the host", reply.len()) {
            Ok(()) => {
                call.host_response = reply;
                return Ok(1);
            }
            Err(error) => error,
        },
        Err(error) => error,
    };
    call.host_error = actor.host.error_text(&error);
    call.host_fault = Some(error.code());
    Ok(0)
}

/// The four parts of a host call, as they lie in the guest's memory.
struct Spans<'a> {
    binding: &'a [u8],
    namespace: &'a [u8],
    operation: &'a [u8],
    payload: &'a [u8],
}

impl<'a> Spans<'a> {
    /// Finds them; a bad pointer ends the guest.
    #[inline]
    fn read(bytes: &'a [u8], params: HostCallParams) -> Result<Self> {
        let (bd, bd_len, ns, ns_len, op, op_len, payload, payload_len) = params;
        Ok(Self {
            binding: memory::slice(bytes, bd, bd_len)?,
            namespace: memory::slice(bytes, ns, ns_len)?,
            operation: memory::slice(bytes, op, op_len)?,
            payload: memory::slice(bytes, payload, payload_len)?,
        })
    }

    /// Takes the names over, if the call is within all bounds; what is wrong with it is for the
    /// guest to read.
    #[inline]
    fn check(
        &self,
        actor: &ActorShared,
        made: u32,
        names: &mut Names,
    ) -> std::result::Result<(), CallError> {
        actor.check_host_calls(made)?;
        actor.check_payload("payload of a host call", self.payload.len())?;
        actor.in_flight.check(&actor.metrics)?;
        let max = actor.limits.name_bytes_max;
        take_over("binding name", self.binding, &mut names.binding, max)?;
        take_over("namespace", self.namespace, &mut names.namespace, max)?;
        take_over("operation", self.operation, &mut names.operation, max)
    }
}

/// The names of an instance's last host call, checked. Most calls repeat them, and comparing is a
/// good deal cheaper than checking.
#[derive(Default)]
pub(crate) struct Names {
    binding: String,
    namespace: String,
    operation: String,
}

#[inline]
fn take_over(
    what: &str,
    bytes: &[u8],
    known: &mut String,
    max: u32,
) -> std::result::Result<(), CallError> {
    if bytes != known.as_bytes() {
        let name = memory::name(what, bytes, max)?;
        known.clear();
        known.push_str(name);
    }
    Ok(())
}

/// The host's answer on its way; counted as in flight once it has to be waited for.
///
/// A panic of the host becomes an error for the guest: one broken provider must not take the
/// caller's thread, or its executor, down.
struct Answer<'a> {
    future: crate::BoxFuture<'a, std::result::Result<Bytes, CallError>>,
    in_flight: &'a InFlight,
    waiting: Option<Waiting<'a>>,
}

impl Future for Answer<'_> {
    type Output = std::result::Result<Bytes, CallError>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let future = self.future.as_mut();
        match std::panic::catch_unwind(AssertUnwindSafe(|| future.poll(cx))) {
            Ok(polled) => {
                if polled.is_pending() && self.waiting.is_none() {
                    self.waiting = Some(self.in_flight.enter());
                }
                polled
            }
            Err(_) => {
                let message = "the host failed while answering the call";
                Poll::Ready(Err(CallError::new(Code::Internal, message)))
            }
        }
    }
}

/// Host calls that wait, all guests together. One that is answered at once never counts.
pub(crate) struct InFlight {
    count: AtomicU32,
    max: u32,
}

impl InFlight {
    pub(crate) fn new(max: u32) -> Self {
        Self { count: AtomicU32::new(0), max }
    }

    #[inline]
    fn check(&self, metrics: &Metrics) -> std::result::Result<(), CallError> {
        if self.count.load(Ordering::Relaxed) < self.max {
            return Ok(());
        }
        metrics.limit_hit("host_calls_in_flight_max");
        let message = format!("{} host calls wait (host_calls_in_flight_max)", self.max);
        Err(CallError::new(Code::Quota, message))
    }

    fn enter(&self) -> Waiting<'_> {
        self.count.fetch_add(1, Ordering::Relaxed);
        Waiting(self)
    }
}

/// One waiting host call.
struct Waiting<'a>(&'a InFlight);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.count.fetch_sub(1, Ordering::Relaxed);
    }
}
>>>>>>> 21f2dff (core, macros: plain American English; no two files need each other)
