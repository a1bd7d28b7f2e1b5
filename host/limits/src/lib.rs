//! Every limit of actors and of the host: its name, its unit, its default, and what happens when it
//! is hit.
//!
//! The manifest sets them, the engine enforces them, and the documentation lists [`TABLE`],
//! [`HOST_TABLE`] and [`fixed::TABLE`].
//!
//! **Deliberately absent:** enforcement, and the text forms of sizes and times, which providers
//! read too (`trellis_core::units`). A provider's own limits are settings of that provider.

mod actor;
pub mod fixed;
pub mod followed;
mod host;
mod limit;
mod named;

pub use actor::{ActorLimits, TABLE};
pub use host::{HOST_TABLE, HostLimits};
pub use limit::Limit;
pub use named::{in_manifest, named};
