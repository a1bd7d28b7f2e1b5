//! What a waPC guest leaves with the host between its function calls.

use bytes::Bytes;
use trellis_core::CallError;
use wasmtime::Memory;
use wasmtime_wasi::p1::WasiP1Ctx;

use crate::abi::wasi::HasWasi;
use crate::blame::{self, Told};
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
    /// The last failure of a host call in this call, also when others went well after it: a guest
    /// may write to the log before it gives up.
    pub(super) told: Option<Told>,
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
            told: None,
        }
    }

    /// Drops everything large, and everything the next call could read.
    #[inline]
    pub(super) fn clear(&mut self) {
        self.response = None;
        self.guest_error = None;
        self.told = None;
        self.forget_host_call();
    }

    /// Every host call begins without what the one before left.
    #[inline]
    pub(super) fn forget_host_call(&mut self) {
        self.host_response = Bytes::new();
        self.host_error.clear();
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
    #[cold]
    fn failure(&mut self) -> CallError {
        let text = self.guest_error.take().unwrap_or_else(|| NO_MESSAGE.to_owned());
        blame::of_answer(text, self.told.take())
    }
}

impl HasWasi for State {
    fn wasi(&mut self) -> &mut WasiP1Ctx {
        self.wasi.as_mut().expect("only guests that import WASI are linked with it")
    }
}
