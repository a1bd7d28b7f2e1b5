//! From an operation's name to the function that handles it.

use trellis_core::OperationSpec;

use crate::error::{Error, Result};

/// One handler, as `#[handler]` registers it.
#[derive(Debug)]
pub struct Registration {
    /// The operation's name on the wire.
    pub operation: &'static str,
    /// Takes the request and answers the reply, both encoded.
    pub run: fn(&[u8]) -> Result<Vec<u8>>,
}

inventory::collect!(Registration);

/// Registers a handler; written by `#[handler]`.
#[doc(hidden)]
#[macro_export]
macro_rules! register {
    ($operation:expr, $run:expr) => {
        $crate::inventory::submit! {
            $crate::Registration { operation: $operation, run: $run }
        }
    };
}

/// Runs a typed handler on an encoded request.
///
/// # Errors
/// The handler's own, or `E_MESSAGE` when the request is not the operation's.
#[inline]
pub fn handle<O: OperationSpec>(
    payload: &[u8],
    handler: impl FnOnce(O::Input) -> Result<O::Output>,
) -> Result<Vec<u8>> {
    let reply = handler(O::decode_input(payload)?)?;
    Ok(O::encode_output(&reply))
}

/// Runs the handler of an operation. Every actor answers `HealthRequest`, with an empty reply
/// unless it has a handler of its own.
pub(crate) fn dispatch(operation: &[u8], payload: &[u8]) -> Result<Vec<u8>> {
    for registration in inventory::iter::<Registration> {
        if registration.operation.as_bytes() == operation {
            return (registration.run)(payload);
        }
    }
    if operation == b"HealthRequest" {
        return Ok(Vec::new());
    }
    let name = String::from_utf8_lossy(operation);
    Err(Error::new(format!("No handler registered for function \"{name}\"")))
}
