//! What an actor is written against.
//!
//! An actor is a few functions, each the handler of one operation:
//!
//! ```
//! use trellis_actor::prelude::*;
//!
//! #[handler(http_server::HandleRequest)]
//! fn count(request: http_server::Request) -> Result<http_server::Response> {
//!     let counter = keyvalue::default().add(&request.path, 1)?;
//!     info!("{} was asked for {} times", request.path, counter.value);
//!     Ok(http_server::Response::text(counter.value.to_string()))
//! }
//! ```
//!
//! Build it as a `cdylib` for `wasm32-unknown-unknown`, sign it with the capabilities it uses, and
//! bind them in a manifest. Each contract has a module with its messages and its client:
//! [`http_server`], [`keyvalue`], [`logging`] and so on. [`actor`] calls other actors; the macros
//! of the `log` crate write to the host's log; [`testing`] runs handlers in ordinary unit tests.
//!
//! The time, randomness and the actor's own settings are contracts like any other: [`clock`],
//! [`random`] and [`config`]. They have to be claimed (`trellis sign --cap trellis:clock`) and need
//! no binding. `SystemTime::now()` of the standard library has no clock on this target: it panics.
//!
//! An instance handles one call at a time and keeps its statics between calls, but the host may
//! start many instances and drop any between two calls: what must last belongs into a capability.
//!
//! A module may also serve a contract to other actors: see [`provider`].
//!
//! **Deliberately absent:** async, threads, files and sockets. An actor can do nothing but compute
//! and ask the host.

/// The ways to a contract's client on the host.
macro_rules! client_of {
    ($client:ident) => {
        /// The client of the binding named `default`.
        #[must_use]
        pub const fn default() -> $client<crate::host::Host> {
            $client::new(crate::host::Host)
        }

        /// The client of the binding of that name.
        #[must_use]
        pub fn binding(name: &'static str) -> $client<crate::host::Host> {
            default().binding(name)
        }
    };
}

mod abi;
mod contracts;
#[cfg(target_family = "wasm")]
mod entry;
mod error;
mod handler;
mod host;
mod logger;
pub mod provider;
#[cfg(not(target_family = "wasm"))]
pub mod testing;

pub use contracts::*;
pub use error::{Error, Result};
pub use handler::{Registration, handle};
pub use host::{Actor, Host, actor};
pub use trellis_core::{CallError, Code, Contract, OperationSpec};
pub use trellis_macros::handler;

#[doc(hidden)]
pub use inventory;

/// What an actor's file usually begins with: every contract, `handler`, `actor` and the log macros.
pub mod prelude {
    pub use crate::contracts::*;
    pub use crate::{Error, Result, actor, handler};
    pub use log::{debug, error, info, trace, warn};
}
