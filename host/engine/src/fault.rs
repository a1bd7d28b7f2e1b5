//! From what went wrong in a guest to the error its caller sees.

use trellis_core::{CallError, Code};
use wasmtime::{FrameInfo, Trap, WasmBacktrace};

use crate::context::place;
use crate::guest::Guest;

/// How many addresses a 32-bit pointer has.
const ADDRESSES: u64 = 1 << 32;
/// How far below zero an address may be and still count as below the memory: many times the size of
/// a large frame.
const BELOW_BYTES: u64 = 16 << 20;
/// This many frames of one function among the innermost ones count as a recursion.
const RECURSION_FRAMES: usize = 4;

/// How a guest that does not answer stopped.
pub(crate) enum Fault {
    /// It was still computing at its deadline.
    Cut,
    /// It broke.
    Broken(CallError),
}

/// Why the guest stopped: a trap, or an error of the host function it was in.
pub(crate) fn of_guest<S>(error: wasmtime::Error, guest: &Guest<S>) -> Fault {
    let error = match error.downcast::<CallError>() {
        Ok(ours) => return Fault::Broken(ours),
        Err(error) => error,
    };
    if let Some(trap) = error.downcast_ref::<Trap>() {
        if *trap == Trap::MemoryOutOfBounds {
            return out_of_bounds(address_of(&error), recurses(&error));
        }
        return of_trap(*trap, guest);
    }
    if error.is::<wasmtime::PoolConcurrencyLimitError>() {
        let message = "the host has no room for one more instance";
        return Fault::Broken(CallError::new(Code::Busy, message));
    }
    if let Some(limit) = guest.limiter.refused() {
        return over(limit, guest);
    }
    tracing::warn!(actor = %guest.actor.name, error = %format!("{error:#}"), "guest failed");
    let message = "the guest broke the rules of a host function; see the log";
    Fault::Broken(CallError::new(Code::Trap, message))
}

fn of_trap<S>(trap: Trap, guest: &Guest<S>) -> Fault {
    let kind = match trap {
        Trap::Interrupt => return Fault::Cut,
        Trap::StackOverflow => return stack("it may have 512 KiB"),
        Trap::HeapMisaligned => "memory access out of bounds",
        Trap::TableOutOfBounds => "table access out of bounds",
        Trap::IndirectCallToNull | Trap::NullReference => "indirect call to nothing",
        Trap::BadSignature => "indirect call of another type",
        Trap::IntegerOverflow => "integer overflow",
        Trap::IntegerDivisionByZero => "integer division by zero",
        Trap::BadConversionToInteger => "float that is not an integer",
        // Allocators abort when memory cannot grow; the refusal is the cause worth telling.
        Trap::UnreachableCodeReached => match guest.limiter.refused() {
            Some(limit) => return over(limit, guest),
            None => "unreachable code",
        },
        _ => "trap",
    };
    trapped(kind)
}

fn stack(what: &str) -> Fault {
    Fault::Broken(CallError::new(Code::Stack, format!("the guest used up its stack: {what}")))
}

/// A guest that touched what is not its memory.
///
/// Compilers put the stack for what does not fit into locals first and let it grow down, so a deep
/// recursion of large frames ends below the start of memory. An index a little below zero has such
/// an address too, but not while a function calls itself. A fill or a copy gives no address.
fn out_of_bounds(address: Option<u64>, recurses: bool) -> Fault {
    let below = |address| (ADDRESSES - BELOW_BYTES..ADDRESSES).contains(&address);
    match address {
        Some(address) if recurses && below(address) => {
            stack("it grew down to the start of memory and beyond")
        }
        Some(_) => trapped("memory access out of bounds"),
        None => trapped(
            "memory access out of bounds by a fill or a copy (a stack that is used up by deep \
             recursion can end like this)",
        ),
    }
}

/// True when one function stands among the innermost frames again and again.
fn recurses(error: &wasmtime::Error) -> bool {
    let Some(trace) = error.downcast_ref::<WasmBacktrace>() else { return false };
    let functions = || trace.frames().iter().map(FrameInfo::func_index);
    functions().any(|one| functions().filter(|other| *other == one).count() >= RECURSION_FRAMES)
}

/// Where a guest touched its memory wrongly; the library tells it only as text.
fn address_of(error: &wasmtime::Error) -> Option<u64> {
    error.chain().find_map(|cause| {
        let text = cause.to_string();
        let digits = text.strip_prefix("memory fault at wasm address 0x")?.split(' ').next()?;
        u64::from_str_radix(digits, 16).ok()
    })
}

fn trapped(kind: &str) -> Fault {
    Fault::Broken(CallError::new(Code::Trap, format!("the guest trapped: {kind}")))
}

fn over<S>(limit: &'static str, guest: &Guest<S>) -> Fault {
    guest.actor.metrics.limit_hit(limit);
    let max = match limit {
        "table_elements_max" => u64::from(guest.actor.limits.table_elements_max),
        _ => guest.actor.limits.memory_bytes_max,
    };
    let message = format!("the guest needs more than {limit} allows ({max}){}", place(limit));
    Fault::Broken(CallError::new(Code::Memory, message))
}
