//! From an operation's name to the function that handles it.

use trellis_core::OperationSpec;

use crate::error::{Error, Result};
use crate::{logger, provider};

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
    logger::begin_call();
    for registration in inventory::iter::<Registration> {
        if registration.operation.as_bytes() == operation {
            return (registration.run)(payload);
        }
    }
    if let Some(reply) = provider::dispatch(operation, payload) {
        return reply;
    }
    if operation == b"HealthRequest" {
        return Ok(Vec::new());
    }
    Err(Error::new(unknown(&String::from_utf8_lossy(operation))))
}

/// The sentence about an operation without a handler; it begins as other guests begin theirs.
fn unknown(operation: &str) -> String {
    let mut text =
        format!("No handler registered for function \"{operation}\"; this actor handles ");
    // Smallest first, each once. Sorting a list would make every actor 10 kB larger.
    let mut last = None;
    let after = |name: &&str, last: Option<&str>| last.is_none_or(|last| *name > last);
    let names = || inventory::iter::<Registration>.into_iter().map(|known| known.operation);
    while let Some(next) = names().filter(|name| after(name, last)).min() {
        text.push_str(if last.is_some() { ", " } else { "" });
        text.push_str(next);
        last = Some(next);
    }
    if last.is_none() {
        text.push_str("nothing: no function has #[handler]");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    register!("Zip", |_| Ok(Vec::new()));
    register!("Bless", |_| Ok(b"blessed".to_vec()));

    #[test]
    fn an_unknown_operation_names_those_that_exist() {
        let error = dispatch(b"Blss", b"").expect_err("there is no such handler");
        let expected = "No handler registered for function \"Blss\"; this actor handles Bless, Zip";
        assert_eq!(error.text(), expected);
        assert_eq!(dispatch(b"Bless", b"").expect("there is a handler"), b"blessed");
        assert_eq!(dispatch(b"HealthRequest", b"").expect("every actor answers"), b"");
    }
}
