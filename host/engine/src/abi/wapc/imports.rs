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
#[inline]
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
