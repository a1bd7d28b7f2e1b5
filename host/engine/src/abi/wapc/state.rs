//! What a waPC guest leaves with the host between its function calls.

use bytes::Bytes;
use trellis_core::{CallError, Code};
use wasmtime::Memory;
use wasmtime_wasi::p1::WasiP1Ctx;

use crate::abi::wasi::HasWasi;
use crate::guest::Guest;

/// waPC's words for a guest that answers "failed" and gives no reason.
const NO_MESSAGE: &str = "No error message set for call failure";

/// A guest that speaks waPC.
pub(super) type WapcGuest = Guest<State>;

/// waPC's part of a [`Guest`].
pub(super) struct State {
    /// Found once the instance has started.
    pub(super) memory: Option<Memory>,
    pub(super) names: Names,
    pub(super) wasi: Option<Box<WasiP1Ctx>>,
    /// What `__guest_call` returned.
    pub(super) code: i32,
    pub(super) response: Option<Bytes>,
    pub(super) guest_error: Option<String>,
    pub(super) host_response: Bytes,
    pub(super) host_error: String,
    /// The code of `host_error`.
    pub(super) host_fault: Option<Code>,
}

/// The names of an instance's last host call, checked. Most calls repeat them, and comparing is a
/// good deal cheaper than checking.
#[derive(Default)]
pub(super) struct Names {
    pub(super) binding: String,
    pub(super) namespace: String,
    pub(super) operation: String,
}

impl State {
    pub(super) fn new(wasi: Option<Box<WasiP1Ctx>>) -> Self {
        Self {
            memory: None,
            names: Names::default(),
            wasi,
            code: 0,
            response: None,
            guest_error: None,
            host_response: Bytes::new(),
            host_error: String::new(),
            host_fault: None,
        }
    }

    /// Lets go of everything big, and of everything the next call could read.
    #[inline]
    pub(super) fn clear(&mut self) {
        self.response = None;
        self.guest_error = None;
        self.forget_host_call();
    }

    /// Every host call begins without what the one before left.
    #[inline]
    pub(super) fn forget_host_call(&mut self) {
        self.host_response = Bytes::new();
        self.host_error.clear();
        self.host_fault = None;
    }

    /// What the guest left as its answer.
    #[inline]
    pub(super) fn take_answer(&mut self) -> Result<Bytes, CallError> {
        match self.code {
            0 => Err(self.failure()),
            _ => Ok(self.response.take().unwrap_or_default()),
        }
    }

    /// Why the guest says it failed.
    ///
    /// A guest that ends its words with the host's (so does every `?`) failed because what it
    /// called failed: an outage behind a provider stays an outage for whoever called the guest.
    /// Refusals are not passed on: what this guest may not do is no refusal of its caller.
    #[cold]
    fn failure(&mut self) -> CallError {
        let text = self.guest_error.take().unwrap_or_else(|| NO_MESSAGE.to_owned());
        let passed_on = self.host_fault.filter(|code| {
            matches!(code, Code::Provider | Code::Storage | Code::Timeout)
                && text.ends_with(&self.host_error)
        });
        let Some(code) = passed_on else { return CallError::new(Code::Guest, text) };
        // The code says it already; the caller reads it from there.
        let sentence = text.strip_prefix(code.as_str()).and_then(|rest| rest.strip_prefix(": "));
        CallError::new(code, sentence.unwrap_or(&text).to_owned())
    }
}

impl HasWasi for State {
    fn wasi(&mut self) -> &mut WasiP1Ctx {
        self.wasi.as_mut().expect("only guests that import WASI are linked with it")
    }
}
