//! Handlers in ordinary unit tests: the test answers what the actor asks of the host.
//!
//! ```
//! use trellis_actor::prelude::*;
//! use trellis_actor::testing;
//!
//! #[handler("Double")]
//! fn double(payload: &[u8]) -> Result<Vec<u8>> {
//!     let number = std::str::from_utf8(payload)?.parse()?;
//!     let counter = keyvalue::default().add("double", number)?;
//!     Ok((counter.value * 2).to_string().into_bytes())
//! }
//!
//! let (reply, calls) = testing::with_host(
//!     |call| {
//!         assert_eq!((call.namespace.as_str(), call.operation.as_str()), ("wascc:keyvalue", "Add"));
//!         testing::reply::<keyvalue::Add>(&keyvalue::Counter { value: 21 })
//!     },
//!     || testing::call("Double", b"21"),
//! );
//! assert_eq!(reply.expect("doubles"), b"42");
//! assert_eq!(calls.len(), 1);
//! ```
//!
//! [`FakeHost`] answers for the contracts that bind themselves: a clock that stands still until it
//! is told to go on, randomness that is the same in every run, settings of the test's own.

mod fake;

use std::cell::RefCell;
use std::sync::Once;

use trellis_core::OperationSpec;

use crate::error::Result;
use crate::{handler, logger};

pub use fake::{FakeClock, FakeHost};

/// One call of the actor to the host.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HostCall {
    /// The binding's name; empty for calls to actors.
    pub binding: String,
    /// The contract's id, or the other actor.
    pub namespace: String,
    /// The operation.
    pub operation: String,
    /// The request, encoded.
    pub payload: Vec<u8>,
}

/// What the test answers to a call: the encoded reply or the host's error text.
pub type Answer = std::result::Result<Vec<u8>, String>;

struct TestHost {
    answer: Box<dyn FnMut(&HostCall) -> Answer>,
    calls: Vec<HostCall>,
    lines: Vec<String>,
}

thread_local! {
    static HOST: RefCell<Option<TestHost>> = const { RefCell::new(None) };
}

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
    let host = TestHost { answer: Box::new(answer), calls: Vec::new(), lines: Vec::new() };
    let before = HOST.replace(Some(host));
    assert!(before.is_none(), "a test host stands inside another");
    let result = body();
    let host = HOST.take().expect("the host put in place above");
    (result, host.calls)
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
    HOST.with_borrow(|host| host.as_ref().map(|host| host.lines.clone()).unwrap_or_default())
}

pub(crate) fn host_call(binding: &str, namespace: &str, operation: &str, payload: &[u8]) -> Answer {
    let call = HostCall {
        binding: binding.to_owned(),
        namespace: namespace.to_owned(),
        operation: operation.to_owned(),
        payload: payload.to_vec(),
    };
    HOST.with_borrow_mut(|host| {
        let host = host.as_mut().ok_or("no host: run this inside `testing::with_host`")?;
        let answer = (host.answer)(&call);
        host.calls.push(call);
        answer
    })
}

pub(crate) fn console_log(line: &str) {
    HOST.with_borrow_mut(|host| {
        if let Some(host) = host {
            host.lines.push(line.to_owned());
        }
    });
}
