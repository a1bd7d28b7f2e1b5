//! What a capability provider is written against.
//!
//! A provider implements one or more contracts. It receives calls from actors through
//! [`Provider::call`] and calls actors through its [`Context`]. Most providers implement the typed
//! trait their contract crate generates (`keyvalue::Provider`) and forward [`Provider::call`] to
//! the generated `serve` function.
//!
//! **Deliberately absent:** claims, bindings' permissions, routing. A call that reaches a provider
//! was already admitted; a provider never sees another actor's binding.

mod binding;
mod context;
mod descriptor;
mod provider;
pub mod values;

pub use binding::{Binding, BindingId};
pub use context::{Context, Invoke, Invoker};
pub use descriptor::{Descriptor, Scope, Setting, SettingKind};
pub use provider::{Builtin, Call, Created, Health, Listening, Provider, Reply};
pub use values::Values;

/// The future type of the object-safe traits here.
pub type BoxFuture<'a, T> = futures_util::future::BoxFuture<'a, T>;
