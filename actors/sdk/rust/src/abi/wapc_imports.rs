//! What a host that speaks waPC gives to the guest.
//!
//! Source: the waPC protocol, <https://wapc.io/docs/spec/>, as rust's `wapc-guest` speaks it. The
//! host keeps the request and every reply; the guest asks for a length, sets memory aside, and has
//! the host write there.
#![allow(unsafe_code, reason = "the host reads and writes this module's memory")]

#[link(wasm_import_module = "wapc")]
unsafe extern "C" {
    fn __guest_request(operation: *mut u8, payload: *mut u8);
    fn __guest_response(text: *const u8, len: usize);
    fn __guest_error(text: *const u8, len: usize);
    fn __console_log(text: *const u8, len: usize);
    fn __host_call(
        binding: *const u8,
        binding_len: usize,
        namespace: *const u8,
        namespace_len: usize,
        operation: *const u8,
        operation_len: usize,
        payload: *const u8,
        payload_len: usize,
    ) -> usize;
    safe fn __host_response_len() -> usize;
    fn __host_response(buffer: *mut u8);
    safe fn __host_error_len() -> usize;
    fn __host_error(buffer: *mut u8);
}

/// Has the host write the operation and its payload, of these lengths, to the buffer, one behind
/// the other. They are the lengths it called us with.
pub(crate) fn request(operation_len: usize, payload_len: usize, buffer: &mut Vec<u8>) {
    let len = operation_len + payload_len;
    buffer.clear();
    buffer.reserve(len);
    // SAFETY: the host writes `operation_len` bytes at the first pointer and `payload_len` at the
    // second, the lengths it called us with; both lie in the `len` bytes reserved above, and are
    // written before the length is set.
    unsafe {
        let operation = buffer.as_mut_ptr();
        __guest_request(operation, operation.add(operation_len));
        buffer.set_len(len);
    }
}

/// Hands over the reply.
pub(crate) fn respond(reply: &[u8]) {
    // SAFETY: the host reads exactly the bytes of a slice that lives through the call.
    unsafe { __guest_response(reply.as_ptr(), reply.len()) };
}

/// Hands over why there is no reply.
pub(crate) fn fail(text: &str) {
    // SAFETY: the host reads exactly the bytes of a slice that lives through the call.
    unsafe { __guest_error(text.as_ptr(), text.len()) };
}

/// Calls out; the host answers before this returns.
pub(crate) fn host_call(
    binding: &str,
    namespace: &str,
    operation: &str,
    payload: &[u8],
) -> Result<Vec<u8>, String> {
    // SAFETY: the host reads exactly the bytes of four slices that live through the call.
    let ok = unsafe {
        __host_call(
            binding.as_ptr(),
            binding.len(),
            namespace.as_ptr(),
            namespace.len(),
            operation.as_ptr(),
            operation.len(),
            payload.as_ptr(),
            payload.len(),
        )
    };
    if ok == 1 {
        Ok(fetch(__host_response_len(), __host_response))
    } else {
        let text = fetch(__host_error_len(), __host_error);
        Err(String::from_utf8_lossy(&text).into_owned())
    }
}

/// Writes one line to the host's log, without any capability.
pub(crate) fn console_log(line: &str) {
    // SAFETY: the host reads exactly the bytes of a slice that lives through the call.
    unsafe { __console_log(line.as_ptr(), line.len()) };
}

fn fetch(len: usize, write: unsafe extern "C" fn(*mut u8)) -> Vec<u8> {
    let mut buffer = Vec::with_capacity(len);
    if len > 0 {
        // SAFETY: the host writes the `len` bytes it announced, into room for as many, before the
        // length is set.
        unsafe {
            write(buffer.as_mut_ptr());
            buffer.set_len(len);
        }
    }
    buffer
}
