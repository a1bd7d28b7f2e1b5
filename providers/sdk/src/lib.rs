//! What a capability provider is written against.
//!
//! A provider implements one or more contracts. It receives calls from actors through
//! [`Provider::call`] and calls actors through its [`Context`]. Most providers implement the typed
//! trait their contract crate generates (`keyvalue::Provider`) and forward [`Provider::call`] to
//! the generated `serve` function. A [`ProviderFactory`] describes a provider, checks its values
//! and makes it.
//!
//! Whatever crosses this border survives a process border: owned texts, spans of time instead of
//! instants, metrics as [`Sample`]s; all of it can be written and read with serde.
//!
//! **Deliberately absent:** claims, bindings' permissions, routing. A call that reaches a provider
//! was already admitted; a provider never sees another actor's binding.

mod address;
mod binding;
mod bindings;
mod call;
mod context;
pub mod data;
mod descriptor;
mod factory;
mod future;
mod keyspace;
mod lines;
mod payload;
#[cfg(feature = "process")]
pub mod process;
mod provider;
mod sample;
mod setting;
pub mod validate;
pub mod values;
mod wanted;

pub use binding::{Binding, Newcomer};
pub use bindings::Bindings;
pub use call::{Call, Reply};
pub use context::{Ask, Context, Invoke, Invoker};
pub use descriptor::Descriptor;
pub use factory::{Created, Kind, ProviderFactory};
pub use future::BoxFuture;
pub use keyspace::Keyspace;
pub use lines::{LineWriter, Lost, Unlocked};
pub use provider::{Health, Listening, ProcessState, Provider};
pub use sample::{Counter, Gauge, Sample, SampleValue};
pub use setting::{Scope, Setting, SettingKind};
pub use trellis_core::BindingId;
pub use trellis_meters::{Restart, TokenBucket};
pub use values::{ValueError, Values};
pub use wanted::{Finding, Place, ValueProblem, Wanted, WantedBinding};
