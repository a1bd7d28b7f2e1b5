//! The admin API as types: the steps of a change, what came of them, the state of a host, and all
//! that it runs and wants to run, with its lifecycle; and the OpenAPI document of all this.
//!
//! Each has a text for people and a JSON form for programs. The supervisor makes them; the log, the
//! dry run, the admin address and the command line show them; a lattice will send them.
//!
//! **Deliberately absent:** how anything is done, and sockets. These are values.

mod answer;
mod applied;
mod call_entry;
mod changing;
mod code;
mod condition;
mod data;
mod data_bytes;
mod edit;
mod entry;
mod event;
mod lifecycle;
mod load;
mod log_line;
mod loss;
mod name;
mod openapi;
mod overview;
mod phase;
mod revision;
mod status;
mod step;
mod stream;
mod told;

pub use answer::{Answer, Document, Fault, HostStatus, SCHEMA_VERSION};
pub use applied::{Applied, ApplyError};
pub use call_entry::{CallEntry, CallOutcome, Decision, PayloadEntry, Verdict};
pub use changing::Changing;
pub use condition::Condition;
pub use data::{DataImport, DataKind, DataPage, DataPiece, DataQuery, DataTaken, DataTerms, Moved};
pub use data_bytes::DataBytes;
pub use edit::{Edit, EditEntry, EditRequest, Edited, Edits, WatchTerms};
pub use entry::{
    ActorEntry, BindingEntry, HostEntry, Instances, Isolation, ProcessEntry, ProviderEntry,
    ProviderKind, REDACTED, SignedEntry,
};
pub use event::{Event, EventData, Happening, rfc3339};
pub use lifecycle::{
    Cause, Component, ComponentKind, IllegalTransition, Lifecycle, LifecycleState,
};
pub use load::{Load, TimeBucket};
pub use log_line::{LogLevel, LogLine};
pub use loss::Loss;
pub use name::Name;
pub use openapi::openapi;
pub use overview::Overview;
pub use phase::Phase;
pub use revision::{CallsSeen, ChangedBy, Revision, RevisionOutcome};
pub use status::{Address, Degraded, Expiry, ProviderStatus, Status};
pub use step::{BindingRef, Step};
pub use stream::Lost;
pub use told::for_everybody;
