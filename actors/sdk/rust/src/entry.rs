//! Where the host comes in: the exports of the waPC protocol.
#![allow(unsafe_code, reason = "an export has a name without mangling")]

use std::cell::Cell;
use std::panic;

use crate::{abi, handler, logger};

/// Largest request buffer kept for the next call.
const KEPT_BUFFER_BYTES: usize = 64 << 10;

unsafe extern "C" {
    /// The linker's own: runs the registrations that `#[handler]` leaves behind.
    fn __wasm_call_ctors();
}

thread_local! {
    static STARTED: Cell<bool> = const { Cell::new(false) };
    static REQUEST: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Prepares the instance. Hosts that know it call it once, before the first call.
#[unsafe(no_mangle)]
extern "C" fn wapc_init() {
    if STARTED.replace(true) {
        return;
    }
    // SAFETY: called once, before any registration is read, as the linker asks of a reactor.
    unsafe { __wasm_call_ctors() };
    panic::set_hook(Box::new(|info| {
        // It begins with `panicked at` and the place: by that the host knows a panic from a line
        // that the actor wants in the log, and warns.
        let text = info.to_string();
        abi::console_log(&text);
        abi::fail(&text);
    }));
    logger::install();
}

/// Handles one call; 1 is success.
#[unsafe(no_mangle)]
extern "C" fn __guest_call(operation_len: usize, payload_len: usize) -> i32 {
    wapc_init();
    let mut request = REQUEST.take();
    abi::request(operation_len, payload_len, &mut request);
    let (operation, payload) = request.split_at(operation_len);
    let code = match handler::dispatch(operation, payload) {
        Ok(reply) => {
            abi::respond(&reply);
            1
        }
        Err(error) => {
            abi::fail(error.text());
            0
        }
    };
    if request.capacity() <= KEPT_BUFFER_BYTES {
        REQUEST.set(request);
    }
    code
}
