//! The admin API as types: the steps of a change, what came of them, the state of a host, and the
//! lifecycle of what runs on it.
//!
//! Each has a text for people and a JSON form for programs. The supervisor makes them; the log, the
//! dry run, the admin address and the command line show them; a lattice will send them.
//!
//! **Deliberately absent:** how anything is done, and sockets. These are values.

mod applied;
mod changing;
mod code;
mod lifecycle;
mod loss;
mod name;
mod status;
mod step;

pub use applied::{Applied, ApplyError};
pub use changing::Changing;
pub use lifecycle::{
    Cause, Component, ComponentKind, IllegalTransition, Lifecycle, LifecycleState,
};
pub use loss::Loss;
pub use name::Name;
pub use status::{Address, Degraded, Expiry, ProviderStatus, Status};
pub use step::{BindingRef, Step};
