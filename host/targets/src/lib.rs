//! What stands on the road: everything that adapts one side of it to another.
//!
//! A [`Target`](trellis_dispatch::Target) is what the dispatcher calls: [`ActorTarget`] an actor of
//! the engine, [`ProviderTarget`] a provider, [`HeldTarget`] a provider that is being replaced. The
//! way back is an object that knows who calls, because the host made it for that caller:
//! [`GuestCalls`] for what a guest asks, [`ProviderCalls`] for what a provider brings. They tell an
//! [`Overseer`] how it fares. A provider may be a process of its own, or a module that others call:
//! see [`process`] and [`module`]. The calls of an actor may be
//! kept on the way, for its next version to answer: see [`replay`].
//!
//! **Deliberately absent:** who runs and why (the supervisor decides that, and puts these in
//! place), and what any call means.

mod actor;
mod foreign;
mod held;
pub mod module;
mod overseer;
pub mod process;
mod provider;
pub mod replay;
mod text;

pub use actor::{ActorTarget, GuestCalls};
pub use held::{HELD_CALLS_MAX, HeldTarget, Hold};
pub use overseer::Overseer;
pub use provider::{ProviderCalls, ProviderTarget};
