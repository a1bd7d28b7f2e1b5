//! A host that answers as the test says.

use std::sync::Once;

use trellis_core::OperationSpec;

use crate::abi::stand_in;
pub use crate::abi::stand_in::{Answer, HostCall};
use crate::error::Result;
use crate::{handler, logger};

/// Runs `body` with a host that answers by `answer`; gives back its result and every call it made.
///
/// # Panics
/// When used inside itself.
pub fn with_host<T>(
    answer: impl FnMut(&HostCall) -> Answer + 'static,
    body: impl FnOnce() -> T,
) -> (T, Vec<HostCall>) {
    static LOGGER: Once = Once::new();
    LOGGER.call_once(logger::install);
    stand_in::put(Box::new(answer));
    logger::begin_instance();
    let result = body();
    (result, stand_in::take())
}

/// Calls a handler as the host does: by the operation's name, with an encoded request.
///
/// # Errors
/// The handler's, or that there is none for the operation.
pub fn call(operation: &str, payload: &[u8]) -> Result<Vec<u8>> {
    handler::dispatch(operation.as_bytes(), payload)
}

/// An [`Answer`] of one operation.
///
/// # Errors
/// Never; an [`Answer`] may be one.
pub fn reply<O: OperationSpec>(reply: &O::Output) -> Answer {
    Ok(O::encode_output(reply))
}

/// The console lines the actor has written so far, inside [`with_host`].
#[must_use]
pub fn console_lines() -> Vec<String> {
    stand_in::lines()
}
