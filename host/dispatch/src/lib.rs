//! The one road of a call: admit, resolve, call, record.
//!
//! Whoever calls (a guest calling out, a provider with a request from outside, the host itself)
//! comes through [`Dispatcher::dispatch`]. The gate turns the ask into a permit, the router
//! takes the permit and gives the target, the target does the work, and the outcome is recorded.
//!
//! **Deliberately absent:** WebAssembly, sockets, NATS, manifests. A target is whatever implements
//! [`Target`]; the composition root puts actors and providers behind it.

mod dispatcher;
mod failures;
mod metrics;
mod router;
mod target;
mod under_way;

pub use dispatcher::{Bounds, Dispatcher, Message, RouteEditor};
pub use metrics::Metrics;

pub use target::{Delivery, Target};

/// The future type of the object-safe traits here.
pub type BoxFuture<'a, T> = futures_util::future::BoxFuture<'a, T>;
