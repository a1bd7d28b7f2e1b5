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
mod stage;

pub use fake::{FakeClock, FakeHost};
pub use stage::{Answer, HostCall, call, console_lines, reply, with_host};
