//! WASI's functions for the guests of any ABI whose state has what WASI needs.

use trellis_limits::fixed;
use wasmtime::{AsContextMut, Caller, Extern, Linker};
use wasmtime_wasi::p0::{self, wasi_unstable};
use wasmtime_wasi::p1::{self, WasiP1Ctx, wasi_snapshot_preview1};
use wiggle::GuestMemory;

use super::instance::{HasWasi, RANDOM_PIECE_BYTES};
use crate::guest::Guest;

/// What WASI's functions answer when they did what they were asked.
const ERRNO_SUCCESS: i32 = 0;
/// WASI's error for an argument that cannot be served, in both generations.
const ERRNO_INVAL: i32 = 28;

/// Subscriptions, events, how many, and where the number of events goes.
type Poll = (i32, i32, i32, i32);

/// Puts a bound before the `poll_oneoff` of one generation.
macro_rules! bound_poll {
    ($linker:ident, $generation:ident) => {
        $linker.func_wrap_async(
            stringify!($generation),
            "poll_oneoff",
            |mut caller, poll: Poll| {
                Box::new(async move {
                    if is_over(&caller, poll) {
                        return Ok(ERRNO_INVAL);
                    }
                    let memory = caller.get_export("memory");
                    let (mut memory, context) = parts(memory.as_ref(), &mut caller)?;
                    let (subscriptions, events, count, ready) = poll;
                    let memory = &mut memory;
                    $generation::poll_oneoff(context, memory, subscriptions, events, count, ready)
                        .await
                })
            },
        )?;
    };
}

/// Lets the `random_get` of one generation fill any buffer, a piece at a time: what the host sets
/// aside stays small, and between two pieces the deadline can end the call.
macro_rules! random_in_pieces {
    ($linker:ident, $generation:ident) => {
        $linker.func_wrap_async(
            stringify!($generation),
            "random_get",
            |mut caller, (start, length): (i32, i32)| {
                Box::new(async move {
                    let memory = caller.get_export("memory");
                    let (mut memory, context) = parts(memory.as_ref(), &mut caller)?;
                    let (mut start, mut left) = (start.cast_unsigned(), length.cast_unsigned());
                    loop {
                        let piece = left.min(RANDOM_PIECE_BYTES);
                        let at = (start.cast_signed(), piece.cast_signed());
                        let errno = $generation::random_get(context, &mut memory, at.0, at.1)?;
                        left -= piece;
                        if errno != ERRNO_SUCCESS || left == 0 {
                            return Ok(errno);
                        }
                        // A buffer that goes beyond the memory ends with its first piece there.
                        start = start.wrapping_add(piece);
                        tokio::task::yield_now().await;
                    }
                })
            },
        )?;
    };
}

/// Adds both generations.
pub(crate) fn link<S: HasWasi + Send + 'static>(
    linker: &mut Linker<Guest<S>>,
) -> wasmtime::Result<()> {
    p1::add_to_linker_async(linker, context_of)?;
    p0::add_to_linker_async(linker, context_of)?;
    linker.allow_shadowing(true);
    bound_poll!(linker, wasi_snapshot_preview1);
    bound_poll!(linker, wasi_unstable);
    random_in_pieces!(linker, wasi_snapshot_preview1);
    random_in_pieces!(linker, wasi_unstable);
    linker.allow_shadowing(false);
    Ok(())
}

fn context_of<S: HasWasi>(guest: &mut Guest<S>) -> &mut WasiP1Ctx {
    guest.abi.wasi()
}

/// Whether a guest polls for more than it may; the number is a guest's, so without a sign.
fn is_over<S: 'static>(caller: &Caller<'_, Guest<S>>, (_, _, count, _): Poll) -> bool {
    let is_over = u64::from(count.cast_unsigned()) > fixed::WASI_POLL.default;
    if is_over {
        caller.data().actor.metrics.limit_hit(fixed::WASI_POLL.name);
    }
    is_over
}

/// The guest's memory and its WASI, as the library's functions take them.
fn parts<'a, S: HasWasi + 'static>(
    memory: Option<&Extern>,
    caller: &'a mut Caller<'_, Guest<S>>,
) -> wasmtime::Result<(GuestMemory<'a>, &'a mut WasiP1Ctx)> {
    let Some(Extern::Memory(memory)) = memory else {
        wasmtime::bail!("the guest exports no memory");
    };
    let fuel = caller.as_context_mut().hostcall_fuel();
    let (bytes, guest) = memory.data_and_store_mut(caller);
    let context = guest.abi.wasi();
    wasi_snapshot_preview1::WasiSnapshotPreview1::set_hostcall_fuel(context, fuel);
    Ok((GuestMemory::Unshared(bytes), context))
}
