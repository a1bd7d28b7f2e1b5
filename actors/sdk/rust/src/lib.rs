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
//! bind them in a manifest. [`http_server`], [`keyvalue`], [`logging`] and [`extras`] hold the
//! messages and clients of the contracts; [`actor`] calls other actors; the macros of the `log`
//! crate write to the host's log; [`testing`] runs handlers in ordinary unit tests.
//!
//! An instance handles one call at a time and keeps its statics between calls, but the host may
//! start many instances and drop any between two calls: what must last belongs into a capability.
//!
//! **Deliberately absent:** async, threads, files, sockets and clocks. An actor can do nothing but
//! compute and ask the host.

/// The ways to a contract's client on the host.
macro_rules! client_of {
    ($client:ident) => {
        /// The client of the binding named `default`.
        #[must_use]
        pub const fn default() -> $client<crate::Host> {
            $client::new(crate::Host)
        }

        /// The client of the binding of that name.
        #[must_use]
        pub fn binding(name: &'static str) -> $client<crate::Host> {
            default().binding(name)
        }
    };
}

mod abi;
mod error;
mod handler;
mod host;
mod logger;
#[cfg(not(target_family = "wasm"))]
pub mod testing;

pub use error::{Error, Result};
pub use handler::{Registration, handle};
pub use host::{Actor, Host, actor};
pub use trellis_capabilities_http_server as http_server;
pub use trellis_core::{CallError, Code, OperationSpec};
pub use trellis_macros::handler;

#[doc(hidden)]
pub use inventory;

/// The key-value store: counters, strings, lists and sets.
pub mod keyvalue {
    pub use trellis_capabilities_keyvalue::*;

    client_of!(Client);
}

/// The host's log. The macros of the `log` crate are the usual way to it.
pub mod logging {
    pub use trellis_capabilities_logging::*;

    client_of!(Client);
}

/// Unique ids, sequence numbers, random numbers.
pub mod extras {
    pub use trellis_capabilities_extras::*;

    client_of!(Client);
}

/// What an actor's file usually begins with.
pub mod prelude {
    pub use crate::{Error, Result, actor, extras, handler, http_server, keyvalue, logging};
    pub use log::{debug, error, info, trace, warn};
}
