//! The gate: claims, binding and policy, in this order, become a [`Permit`] or a typed [`Denial`].
//!
//! The control plane describes who is here as a [`Roster`]; [`Table::build`] turns it once into
//! interned lookups, so that a check on the road of a call is three table look-ups and no string
//! work. The gate reads the table as an immutable snapshot; publishing a new one never blocks a
//! call. A permit can only be made here and is consumed by the router: one check pays for one call.
//!
//! **Deliberately absent:** WebAssembly, providers, how a call is carried out, and signatures: the
//! claims that arrive here were verified by `trellis-claims`.

mod audit;
mod denial;
mod gate;
mod link;
mod metrics;
mod permit;
mod policy;
mod roster;
mod table;

pub use audit::{AuditSink, LogAudit};
pub use denial::{Denial, Reason};
pub use gate::{Ask, Gate};
pub use metrics::Metrics;
pub use permit::{Granted, Permit};
pub use policy::{AllowAll, Decision, Policy, Question};
pub use roster::{ActorId, LinkId, LinkSpec, Member, Roster, Rules, TargetId};
pub use table::Table;
