//! The one thing that a generated guest client needs from its surroundings.

use crate::call_error::CallError;
use crate::error::Code;

/// How an actor reaches the host. The Rust guest SDK implements it with the waPC imports; a test
/// implements it with a closure.
pub trait Transport {
    /// Asks the host. `binding` and `namespace` name the target, `operation` names the request.
    ///
    /// # Errors
    /// The host's error text, `E_CODE: message`, when the call was refused or failed.
    fn call(
        &self,
        binding: &str,
        namespace: &str,
        operation: &str,
        payload: &[u8],
    ) -> Result<Vec<u8>, String>;
}

/// Asks the host and reads its error text; generated clients do this for each operation. The target
/// is a binding, a namespace and an operation.
///
/// # Errors
/// What the operation failed with, or why the host refused the call.
pub fn call(
    transport: &impl Transport,
    (binding, namespace, operation): (&str, &str, &str),
    payload: &[u8],
) -> Result<Vec<u8>, CallError> {
    let reply = transport.call(binding, namespace, operation, payload);
    reply.map_err(|text| CallError::from_text(text, Code::Provider))
}

impl<T: Transport + ?Sized> Transport for &T {
    fn call(
        &self,
        binding: &str,
        namespace: &str,
        operation: &str,
        payload: &[u8],
    ) -> Result<Vec<u8>, String> {
        (**self).call(binding, namespace, operation, payload)
    }
}
