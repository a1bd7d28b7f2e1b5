//! The sandbox: compiles, caches, pools and calls WebAssembly actors on wasmtime.
//!
//! An [`Engine`] is one per process. [`Engine::load`] checks a module, compiles it (or finds it in
//! the [compile cache](CacheConfig)) and gives an [`Actor`]: a cheap handle whose
//! [`call`](Actor::call) takes an idle instance from the actor's pool, runs one operation in it and
//! puts it back. What the guest asks of the world comes out through [`HostCalls`]; what it prints
//! comes out through [`LogSink`].
//!
//! The types follow a guest's life: [`ModuleSpec`] (bytes), `abi::Abi` (what it speaks),
//! `abi::Linked` (compiled, cheap to instantiate), `instance::Instance` (live, one call at a time).
//! A guest that traps loses its instance; a guest that answers with an error keeps it. Only `abi`
//! knows languages of guests; `pool`, `residency` and `ticker` meet other threads by `sync`
//! alone, which is how they are run under a model checker (`tests/models`).
//!
//! Time: a call runs on its caller's thread for its first one or two milliseconds of computing. One
//! that is still busy then moves to the slow lane, a few low-priority threads, so that an executor
//! thread never stands behind a guest that loops. Every call is cut at its deadline.
//!
//! [`Engine::load`] and [`Actor::call`] must run inside a tokio runtime with time enabled.
//!
//! **Deliberately absent:** signatures and claims (`trellis-claims` verifies before a module comes
//! here), entitlements, routing, contracts and their messages, sockets. The engine moves bytes.

pub mod host_calls;
pub mod log;
pub mod metrics;
pub mod shape;

mod abi;
mod activity;
mod actor;
mod blame;
mod bounds;
mod briefing;
mod call;
mod checker;
mod checks;
mod compile;
mod config;
mod context;
mod deadline;
mod engine;
mod fault;
mod guest;
mod in_flight;
mod instance;
mod lane;
mod lane_load;
mod limiter;
mod module;
mod pool;
mod refusal;
mod residency;
mod runtime;
mod settings;
mod slice;
mod sync;
mod ticker;

pub use abi::{Dialect, dialect};
pub use actor::{Actor, Stats};
pub use bounds::ModuleBounds;
pub use briefing::{Briefing, Known, Notice, Occasion};
pub use call::Call;
pub use checker::{Checker, inspect};
pub use compile::compile_child_main;
pub use config::{CacheConfig, Compiler, EngineConfig, EngineError, host_caps};
pub use engine::Engine;
pub use host_calls::{BoxFuture, HostCall, HostCalls};
pub use log::{LogLevel, LogSink, LogSource, NoLog};
pub use metrics::Metrics;
pub use module::{Isolation, ModuleSource, ModuleSpec};
pub use shape::ModuleShape;
