//! What a module needs that serves a contract to other actors.
//!
//! It implements the contract's `Provider`, as a provider that is part of a host or a program of
//! its own does, and says so with [`serve!`](crate::serve):
//!
//! ```
//! use trellis_actor::prelude::*;
//! use trellis_actor::provider::{About, Setting, caller};
//! use trellis_actor::CallError;
//!
//! struct Zone;
//!
//! impl clock::Provider for Zone {
//!     type Caller = ();
//!
//!     async fn now(&self, (): &()) -> Result<clock::Reading, CallError> {
//!         let hours: u64 = caller()?.values.get("HOURS").and_then(|it| it.parse().ok()).unwrap_or(0);
//!         let unix_nanos = hours * 3_600_000_000_000;
//!         Ok(clock::Reading { unix_nanos, monotonic_nanos: 0 })
//!     }
//! }
//!
//! trellis_actor::serve! {
//!     clock => Zone,
//!     About::new("zone", "0.1.0", "What time it is elsewhere.")
//!         .settings(&[Setting::integer("HOURS", (0, 23), "Hours to add.")])
//! }
//! # fn main() {}
//! ```
//!
//! Sign it with `trellis sign --provider`, and list it under `providers` of a manifest as
//! `module: FILE`. The host keeps one instance of it unless the manifest says otherwise, so that
//! statics last from call to call; a trap ends them.
//!
//! An `async fn` of a provider may wait for nothing but the host, whose answers are there at once.

mod about;
mod messages;

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use trellis_core::generated::Bytes;
use trellis_core::{CallError, Code, Contract, OperationSpec as _};

use crate::error::Result;
use crate::host::Host;
use messages::{BindActor, RemoveActor};

pub use about::{About, Setting};
pub use messages::{Configuration, Origin};

/// What a host asks a provider first.
const DESCRIBE: &[u8] = b"GetCapabilityDescriptor";

/// What a module serves: an operation and its payload, to the answer; `None` for an operation that
/// it does not know.
pub type Serve = fn(&[u8], &[u8]) -> Option<Result<Vec<u8>>>;

/// Answers an operation if the provider has it; written by [`serve!`](crate::serve).
#[doc(hidden)]
#[derive(Debug)]
pub struct Served(pub Serve);

inventory::collect!(Served);

/// Makes a module a provider: `CONTRACT => PROVIDER, ABOUT`. The contract is a module that
/// `contract!` made, the provider implements its `Provider` with the caller `()`, and the last is
/// an [`About`](crate::provider::About).
#[macro_export]
macro_rules! serve {
    ($contract:ident => $provider:expr, $about:expr $(,)?) => {
        $crate::inventory::submit! {
            $crate::provider::Served(|operation, payload| {
                static ABOUT: $crate::provider::About = $about;
                static CONTRACT: $crate::Contract = $contract::CONTRACT;
                let serve = |operation: &str, payload: &[u8]| {
                    $crate::provider::at_once($contract::serve(&$provider, &(), operation, payload))
                };
                $crate::provider::answer((&ABOUT, &CONTRACT), operation, payload, serve)
            })
        }
    };
}

/// Who makes the call that is served now; while an actor is bound, that one.
///
/// # Errors
/// When nobody does: the host asks what the provider is.
pub fn caller() -> Result<Origin, CallError> {
    messages::Client::new(Host).caller()
}

/// Answers what is asked of a provider; `None` for what is not.
#[doc(hidden)]
pub fn answer(
    (about, contract): (&About, &Contract),
    operation: &[u8],
    payload: &[u8],
    serve: impl FnOnce(&str, &[u8]) -> Result<Vec<u8>, CallError>,
) -> Option<Result<Vec<u8>>> {
    if operation == DESCRIBE {
        return Some(Ok(about.descriptor(contract)));
    }
    let operation = std::str::from_utf8(operation).ok()?;
    let reply = if operation == BindActor::NAME {
        BindActor::decode_input(payload).and_then(|it| (about.bind)(&it)).map(|()| Vec::new())
    } else if operation == RemoveActor::NAME {
        Ok(Vec::new())
    } else {
        contract.operation(operation)?;
        serve(operation, payload)
    };
    Some(reply.map_err(Into::into))
}

/// What such work gives that waits for nothing.
#[doc(hidden)]
pub fn at_once(work: impl Future<Output = Result<Bytes, CallError>>) -> Result<Vec<u8>, CallError> {
    match pin!(work).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(reply) => reply.map(Into::into),
        Poll::Pending => {
            let text = "the provider waits for something else than its host";
            Err(CallError::new(Code::Internal, text))
        }
    }
}

/// Runs the operation of a provider, if the module is one and has it.
pub(crate) fn dispatch(operation: &[u8], payload: &[u8]) -> Option<Result<Vec<u8>>> {
    inventory::iter::<Served>.into_iter().find_map(|served| served.0(operation, payload))
}
