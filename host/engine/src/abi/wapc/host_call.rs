//! `__host_call`, a guest's way out, in its three forms.
//!
//! The only asynchronous import. A bad pointer ends the guest's call with `E_GUEST_POINTER`;
//! everything else that is wrong with a host call is told to the guest as text, and it goes on.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use trellis_core::{BindingName, CallError, Code};
use wasmtime::{AsContextMut, Caller, Linker};

use super::imports::memory_of;
use super::recognize::Arity;
use super::state::{Names, WapcGuest};
use super::{memory, names};
use crate::blame::Told;
use crate::context::{ActorContext, bad_name};
use crate::guest::SLICE_TICKS;
use crate::host_calls::{BoxFuture, HostCall};
use crate::in_flight::{InFlight, Waiting};

/// Binding, namespace, operation, payload: each a pointer and a length.
type Eight = (u32, u32, u32, u32, u32, u32, u32, u32);
/// Namespace, operation, payload.
type Six = (u32, u32, u32, u32, u32, u32);
/// Operation, payload.
type Four = (u32, u32, u32, u32);

/// Separates capability and operation in the form with four parameters.
const SEPARATOR: u8 = b'!';

/// Adds the form of this arity under both namespaces. The older forms are the newest one with less
/// in it: one function serves them all, so that the newest is as quick as if it were alone.
pub(super) fn link(linker: &mut Linker<WapcGuest>, arity: Arity) -> wasmtime::Result<()> {
    for module in names::NAMESPACES {
        match arity {
            Arity::Eight => {
                linker.func_wrap_async(module, names::HOST_CALL, |caller, p: Eight| {
                    Box::new(host_call(caller, p, Arity::Eight))
                })?
            }
            Arity::Six => linker.func_wrap_async(module, names::HOST_CALL, |caller, p: Six| {
                let (ns, ns_len, op, op_len, payload, payload_len) = p;
                let p = (0, 0, ns, ns_len, op, op_len, payload, payload_len);
                Box::new(host_call(caller, p, Arity::Six))
            })?,
            Arity::Four => {
                linker.func_wrap_async(module, names::HOST_CALL, |caller, p: Four| {
                    let (op, op_len, payload, payload_len) = p;
                    let p = (0, 0, 0, 0, op, op_len, payload, payload_len);
                    Box::new(host_call(caller, p, Arity::Four))
                })?
            }
        };
    }
    Ok(())
}

async fn host_call(
    mut caller: Caller<'_, WapcGuest>,
    params: Eight,
    arity: Arity,
) -> wasmtime::Result<u32> {
    let memory = memory_of(&mut caller)?;
    let (answer, waited) = {
        let (bytes, guest) = memory.data_and_store_mut(&mut caller);
        guest.host_calls = guest.host_calls.saturating_add(1);
        guest.abi.forget_host_call();
        let spans = Spans::read(bytes, params)?;
        let (actor, call, names) = (&*guest.actor, &guest.call, &mut guest.abi.names);
        let checked = spans.check(actor, (guest.host_calls, arity), names);
        match checked {
            Ok(()) => {
                let future = actor.host.host_call(HostCall {
                    binding: BindingName::normalize(&names.binding),
                    namespace: &names.namespace,
                    operation: &names.operation,
                    payload: Bytes::copy_from_slice(spans.payload),
                    deadline: call.deadline,
                    depth: call.depth,
                    trace: call.trace,
                    caller: call.caller,
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
    let guest = caller.data_mut();
    let error = match answer {
        Ok(reply) => match guest.actor.check_payload("reply of the host", reply.len()) {
            Ok(()) => {
                guest.abi.host_response = reply;
                return Ok(1);
            }
            Err(error) => error,
        },
        Err(error) => error,
    };
    let text = guest.actor.host.error_text(&error);
    guest.abi.host_error.clone_from(&text);
    guest.abi.told = Some(Told { error, text });
    Ok(0)
}

/// The parts of a host call, as they lie in the guest's memory.
struct Spans<'a> {
    binding: &'a [u8],
    namespace: &'a [u8],
    operation: &'a [u8],
    payload: &'a [u8],
}

impl<'a> Spans<'a> {
    /// Finds them; a bad pointer ends the guest.
    #[inline]
    fn read(bytes: &'a [u8], params: Eight) -> Result<Self, CallError> {
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
        actor: &ActorContext,
        (made, arity): (u32, Arity),
        names: &mut Names,
    ) -> Result<(), CallError> {
        actor.check_host_calls(made)?;
        actor.check_payload("payload of a host call", self.payload.len())?;
        actor.in_flight.check(&actor.metrics)?;
        let (namespace, operation) = match arity {
            Arity::Four => take_apart(actor, self.operation)?,
            Arity::Eight | Arity::Six => (self.namespace, self.operation),
        };
        take_over(actor, "binding name", self.binding, &mut names.binding)?;
        take_over(actor, "namespace", namespace, &mut names.namespace)?;
        take_over(actor, "operation", operation, &mut names.operation)
    }
}

/// Namespace and operation out of one text such as `wascc:keyvalue!Add`.
fn take_apart<'a>(actor: &ActorContext, text: &'a [u8]) -> Result<(&'a [u8], &'a [u8]), CallError> {
    // Two names and what separates them; a guest's text may be as long as its memory.
    let bound = 2 * actor.limits.name_bytes_max as usize + 1;
    let head = &text[..text.len().min(bound)];
    if let Some(at) = head.iter().position(|byte| *byte == SEPARATOR) {
        return Ok((&text[..at], &text[at + 1..]));
    }
    actor.check_name("operation", text)?;
    let why = "does not say of which capability, as `wascc:keyvalue!Add` does";
    Err(bad_name("operation", why))
}

#[inline]
fn take_over(
    actor: &ActorContext,
    what: &str,
    bytes: &[u8],
    known: &mut String,
) -> Result<(), CallError> {
    if bytes != known.as_bytes() {
        let name = actor.check_name(what, bytes)?;
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
    future: BoxFuture<'a, Result<Bytes, CallError>>,
    in_flight: &'a InFlight,
    waiting: Option<Waiting<'a>>,
}

impl Future for Answer<'_> {
    type Output = Result<Bytes, CallError>;

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
