//! The language every part of Trellis shares: ids, entities, invocations, the wire codec, errors.
//!
//! Pure and small on purpose: it compiles for `wasm32-unknown-unknown`, so the same types serve the
//! host, the providers and the actors. Read [`entity`] and [`call`] first: they are the nouns of
//! the one road a call takes.
//!
//! **Deliberately absent:** async runtimes, sockets, files, clocks, WebAssembly and signatures.
//! Nothing here knows any particular contract either; `contract!` generates those from WIT.

pub mod bucket;
pub mod call;
pub mod contract;
pub mod entity;
pub mod error;
pub mod guest;
pub mod limits;
pub mod units;
pub mod wire;

pub use call::{Invocation, Parties, Trace};
pub use contract::{Contract, ContractId, Direction, Operation, OperationSpec};
pub use entity::{ActorKey, BindingName, Entity};
pub use error::{CallError, Code, ErrorKind};
