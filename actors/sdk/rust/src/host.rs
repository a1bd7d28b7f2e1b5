//! Calls to the host: capabilities and other actors.

use trellis_core::guest::Transport;
use trellis_core::{CallError, Code, OperationSpec};

use crate::abi;

/// The way to the host this actor runs on. In unit tests it is what
/// `testing::with_host` put in its place.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Host;

impl Transport for Host {
    fn call(
        &self,
        binding: &str,
        namespace: &str,
        operation: &str,
        payload: &[u8],
    ) -> Result<Vec<u8>, String> {
        abi::host_call(binding, namespace, operation, payload)
    }
}

/// Another actor, by its call alias, its name in the manifest or its public key (`M…`).
#[must_use]
pub const fn actor(name: &str) -> Actor<'_> {
    Actor { name }
}

/// Another actor; made by [`actor`].
#[derive(Clone, Copy, Debug)]
pub struct Actor<'a> {
    name: &'a str,
}

impl Actor<'_> {
    /// Calls an operation of a contract.
    ///
    /// # Errors
    /// Why the host refused the call, or what the other actor failed with.
    pub fn call<O: OperationSpec>(self, request: &O::Input) -> Result<O::Output, CallError> {
        let reply = self.call_raw(O::NAME, &O::encode_input(request))?;
        O::decode_output(&reply)
    }

    /// Calls an operation by name, with a payload of its own form.
    ///
    /// # Errors
    /// Why the host refused the call, or what the other actor failed with.
    pub fn call_raw(self, operation: &str, payload: &[u8]) -> Result<Vec<u8>, CallError> {
        abi::host_call("", self.name, operation, payload)
            .map_err(|text| CallError::from_text(text, Code::Guest))
    }
}
