//! The actor's settings by key.

use trellis_capabilities::config::Client;
use trellis_core::{CallError, Code};

use crate::host::Host;

/// The text under `key` in the `values` of the actor's manifest entry; `None` when there is none.
///
/// # Errors
/// Why the host refused the call: the actor does not claim `trellis:config`.
pub fn get(key: &str) -> Result<Option<String>, CallError> {
    host().get(key)
}

/// The text under a key the actor cannot do without.
///
/// # Errors
/// `E_CONFIG` that names the key when the manifest does not give it; else as [`get`].
pub fn required(key: &str) -> Result<String, CallError> {
    get(key)?.ok_or_else(|| {
        let sentence = format!("the manifest gives no `{key}` under `values` of this actor");
        CallError::new(Code::Config, sentence)
    })
}

/// Every key with its text, in the order of the keys.
///
/// # Errors
/// As [`get`].
pub fn all() -> Result<Vec<(String, String)>, CallError> {
    Ok(host().all()?.0)
}

const fn host() -> Client<Host> {
    Client::new(Host)
}
