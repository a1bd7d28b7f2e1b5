//! The one thing a generated guest client needs from its surroundings.

/// How an actor reaches the host. The Rust guest SDK implements it with the waPC imports; a test
/// implements it with a closure.
pub trait Transport {
    /// Asks the host: `binding` and `namespace` name the target, `operation` the request.
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
