//! Providers that are signed modules, as the host sees them.
//!
//! [`ModuleProviders`] finds out what a module serves, by asking it in the sandbox; the factory it
//! gives makes providers of it. Such a provider is called as an actor is, by the engine. What sets
//! it apart is that each of its instances is told of the actors that are bound to it, with the
//! messages of waSCC, before it serves a call.
//!
//! **Deliberately absent:** signatures. A module that comes here was verified.

mod bound;
mod calls;
mod descriptor;
mod factory;
mod messages;
mod provider;
mod teller;
mod topic;
mod unhandled;
mod untold;

pub use factory::{ModuleFile, ModuleProviders, ProviderModule};
