//! From what went wrong in a guest to the error its caller sees.

use trellis_core::{CallError, Code};
use wasmtime::Trap;
use wasmtime_wasi::I32Exit;

use crate::instance::Guest;

/// The call ran past its deadline.
pub(crate) fn timeout(limit: &'static str) -> CallError {
    CallError::new(Code::Timeout, format!("the actor was cut at its deadline ({limit})"))
}

/// Why the guest stopped: a trap, an exit, or an error of the host function it was in.
pub(crate) fn of_guest(error: wasmtime::Error, guest: &Guest) -> CallError {
    let error = match error.downcast::<CallError>() {
        Ok(ours) => return ours,
        Err(error) => error,
    };
    if let Some(trap) = error.downcast_ref::<Trap>() {
        return of_trap(*trap, guest);
    }
    if let Some(I32Exit(status)) = error.downcast_ref::<I32Exit>() {
        return CallError::new(Code::Trap, format!("the guest exited with status {status}"));
    }
    if error.is::<wasmtime::PoolConcurrencyLimitError>() {
        return CallError::new(Code::Busy, "the host has no room for one more instance");
    }
    if let Some(limit) = guest.limiter.refused() {
        return over(limit, guest);
    }
    tracing::warn!(actor = %guest.actor.name, error = %format!("{error:#}"), "guest failed");
    CallError::new(Code::Trap, "the guest broke the rules of a host function; see the log")
}

fn of_trap(trap: Trap, guest: &Guest) -> CallError {
    if trap == Trap::Interrupt {
        return timeout("call_time_ms_max");
    }
    if trap == Trap::StackOverflow {
        return CallError::new(Code::Stack, "the guest used up its stack of 512 KiB");
    }
    // Allocators abort when memory cannot grow; the refusal is the cause worth telling.
    if let (Trap::UnreachableCodeReached, Some(limit)) = (trap, guest.limiter.refused()) {
        return over(limit, guest);
    }
    let kind = match trap {
        Trap::MemoryOutOfBounds | Trap::HeapMisaligned => "memory access out of bounds",
        Trap::TableOutOfBounds => "table access out of bounds",
        Trap::IndirectCallToNull | Trap::NullReference => "indirect call to nothing",
        Trap::BadSignature => "indirect call of another type",
        Trap::IntegerOverflow => "integer overflow",
        Trap::IntegerDivisionByZero => "integer division by zero",
        Trap::BadConversionToInteger => "float that is not an integer",
        Trap::UnreachableCodeReached => "unreachable code",
        _ => "trap",
    };
    CallError::new(Code::Trap, format!("the guest trapped: {kind}"))
}

fn over(limit: &'static str, guest: &Guest) -> CallError {
    guest.actor.metrics.limit_hit(limit);
    let max = match limit {
        "table_elements_max" => u64::from(guest.actor.limits.table_elements_max),
        _ => guest.actor.limits.memory_bytes_max,
    };
    CallError::new(Code::Memory, format!("the guest needs more than {limit} allows ({max})"))
}
