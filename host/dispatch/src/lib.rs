//! The one road of a call: admit, resolve, call, record.
//!
//! Whoever calls (a guest calling out, a provider with a request from outside, the host itself)
//! comes through [`Dispatcher::dispatch`]. The gate turns the request into a permit, the routes
//! take the permit and give the target, the target does the work, and the outcome is recorded. Both
//! are read from one [`Snapshot`], so that a call never sees new routes under old entitlements.
//! A model checker goes through that, and through the end of a route (`tests/models.rs`). Of a
//! call whose trace is recorded a tracer is told; what becomes of that is not known here.
//!
//! **Deliberately absent:** WebAssembly, sockets, NATS, manifests. A target is whatever implements
//! [`Target`]; the composition root puts actors and providers behind it.

mod dispatcher;
mod failures;
mod invocation;
mod metrics;
mod observe;
mod route;
mod snapshot;
mod sync;
mod tally;
mod target;
mod trace;
mod under_way;

pub use dispatcher::{Bounds, Dispatcher, Message};
pub use invocation::Invocation;
pub use metrics::{Metrics, TargetLoad};
pub use observe::{Ending, Observed, Observer, SeenCall};
pub use route::{Route, RouteHandle};
pub use snapshot::{Routes, Snapshot};
pub use tally::Tally;
pub use target::{BoxFuture, Target};
