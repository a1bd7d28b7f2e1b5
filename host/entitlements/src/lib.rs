//! The gate: claims, binding and policy, in this order, become a [`Permit`] or a typed [`Denial`].
//!
//! The control plane describes who is here and who is bound to what; an [`EntitlementSet`] turns
//! that into interned lookups, so that a check on the road of a call is a few look-ups, in which
//! names are compared in registers. The gate reads the set as an immutable snapshot; publishing a
//! new one never blocks a call, and an edit of one entry costs the same among ten thousand as among
//! ten ([`CowMap`]). A permit can only be made here and is consumed by the router: one check pays
//! for one call.
//!
//! **Deliberately absent:** WebAssembly, providers, how a call is carried out, and signatures: the
//! claims that arrive here were verified by `trellis-claims`.

mod audit;
mod binding;
mod cow;
mod denial;
mod departed;
mod gate;
mod metrics;
mod names;
mod permit;
mod policy;
mod principal;
mod refusal;
mod set;
mod spec;
mod unserved;
mod word;

pub use audit::{AuditSink, LogAudit};
pub use cow::CowMap;
pub use denial::{Absence, AbsentEnd, Denial, Reason, Refusal};
pub use gate::{AuthzRequest, Gate};
pub use metrics::Metrics;
pub use names::looks_like_a_contract;
pub use permit::{Admitted, Granted, Permit};
pub use policy::{AllowAll, Decision, Policy, PolicyInput};
pub use set::EntitlementSet;
pub use spec::{ActorId, BindingSpec, PrincipalSpec, Rules, TargetId};
pub use unserved::{Unserved, UnservedBindings};
