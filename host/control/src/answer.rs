//! What the admin API answers.

use serde::{Deserialize, Serialize};
use trellis_core::{CallError, Code};

use crate::call_entry::Decision;
use crate::changing::Changing;
use crate::data::{DataPage, DataTaken};
use crate::edit::{Edited, Edits};
use crate::entry::{ActorEntry, BindingEntry, HostEntry, ProviderEntry};
use crate::event::Event;
use crate::lifecycle::Component;
use crate::load::Load;
use crate::log_line::LogLine;
use crate::phase::Phase;
use crate::revision::Revision;
use crate::status::Degraded;

/// Version of the JSON documents: it grows when a field changes its meaning or goes away.
pub const SCHEMA_VERSION: u32 = 1;

/// A JSON document with its version.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Document<T> {
    /// [`SCHEMA_VERSION`] of the program that wrote it.
    #[serde(rename = "schemaVersion")]
    pub schema_version: u32,
    /// What it says.
    #[serde(flatten)]
    pub content: T,
}

/// The content of an answer: one field, whose name says what it is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// Of `GET /v1/host`.
    Host(Box<HostEntry>),
    /// Of `GET /v1/status`.
    Status(Box<HostStatus>),
    /// Of `GET /v1/actors`, in the order of their names.
    Actors(Vec<ActorEntry>),
    /// Of `GET /v1/actors/NAME`.
    Actor(Box<ActorEntry>),
    /// Of `GET /v1/providers`, in the order of their names.
    Providers(Vec<ProviderEntry>),
    /// Of `GET /v1/providers/NAME`.
    Provider(Box<ProviderEntry>),
    /// Of `GET /v1/bindings`, in the order of their actors, contracts and names.
    Bindings(Vec<BindingEntry>),
    /// Of `GET /v1/edits`.
    Edits(Box<Edits>),
    /// Of `POST /v1/edits`.
    Edited(Box<Edited>),
    /// Of `GET /v1/history`, the oldest first.
    History(Vec<Revision>),
    /// Of `GET /v1/events`, the oldest first.
    Events(Vec<Event>),
    /// Of `GET /v1/logs`, the oldest first.
    Logs(Vec<LogLine>),
    /// Of `GET /v1/calls` and `GET /v1/calls/TRACE`, in the order in which they were decided.
    Decisions(Vec<Decision>),
    /// Of `GET /v1/loads`, actors first, in the order of their names.
    Loads(Vec<Load>),
    /// Of `POST /v1/data/ACTOR/BINDING/export`.
    Data(Box<DataPage>),
    /// Of `POST /v1/data/ACTOR/BINDING/import`.
    DataTaken(DataTaken),
    /// Of every request that failed.
    Error(Box<Fault>),
}

/// Whether a host should get traffic, and what does not work.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct HostStatus {
    /// True when traffic should come, whatever else does not work.
    pub ready: bool,
    /// Where the host is in its life.
    pub phase: Phase,
    /// The change that is under way, once it takes long.
    pub changing: Option<Changing>,
    /// What is wanted and not so, or so and not well; empty when all is well.
    pub degraded: Vec<Degraded>,
    /// The actors and providers that are not ready, with their lifecycles.
    pub components: Vec<Component>,
    /// What is worth to know and no failure: edits that a restart forgets, and those that were
    /// taken back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// Why a request failed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Fault {
    /// The stable code.
    #[serde(with = "crate::code")]
    pub code: Code,
    /// A sentence that names what is wrong.
    pub message: String,
    /// Why a user meets the code.
    pub cause: String,
    /// What to do about it.
    pub cure: String,
    /// True when nothing was done, so that the same may be asked again.
    pub retry_is_safe: bool,
}

impl<T> Document<T> {
    /// A document of this version.
    #[must_use]
    pub const fn of(content: T) -> Self {
        Self { schema_version: SCHEMA_VERSION, content }
    }
}

impl Fault {
    /// The failure of a request.
    #[must_use]
    pub fn of(error: &CallError) -> Self {
        let code = error.code();
        Self {
            code,
            message: error.message().to_owned(),
            cause: code.cause().to_owned(),
            cure: code.cure().to_owned(),
            retry_is_safe: code.retry_is_safe(),
        }
    }

    /// The same with why it came to that, where more is known than the code tells.
    #[must_use]
    pub fn cause(mut self, cause: impl Into<String>) -> Self {
        self.cause = cause.into();
        self
    }

    /// The same with what to do about it, where more is known than the code tells.
    #[must_use]
    pub fn cure(mut self, cure: impl Into<String>) -> Self {
        self.cure = cure.into();
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_named_by_what_it_is_and_reads_back() {
        let fault = Fault::of(&CallError::new(Code::NotFound, "no actor `a`")).cure("Look.");
        for (answer, begins) in [
            (Answer::Actors(Vec::new()), r#"{"schemaVersion":1,"actors":[]}"#),
            (Answer::Error(Box::new(fault)), r#"{"schemaVersion":1,"error":{"code":"E_NOT_FOUND""#),
        ] {
            let document = Document::of(answer);
            let json = serde_json::to_string(&document).expect("it is data");
            assert!(json.starts_with(begins), "{json}");
            assert_eq!(serde_json::from_str::<Document<Answer>>(&json).expect("it is"), document);
        }
    }
}
