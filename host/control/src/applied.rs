//! What came of a change.

use std::fmt;

use serde::{Deserialize, Serialize};
use trellis_core::{CallError, Code};

use crate::data::Moved;
use crate::step::Step;

/// What applying a manifest did so far.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct Applied {
    /// The steps that were done, in order; empty when nothing had to be.
    pub steps: Vec<Step>,
    /// The steps that failed. All others were done, what ran in their place goes on, and they are
    /// tried again until they work or something else is wanted.
    pub faults: Vec<ApplyError>,
    /// What providers kept and went along to their successors.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub moved: Vec<Moved>,
    /// True when something newer was wanted, or the host was stopped, before it was done. Then
    /// `steps` are those that were done by then, and there are no faults: the newer one tries all
    /// that is left.
    pub superseded: bool,
    /// What is to be known of what was done; whoever made an edit reads it among the edit's notes.
    #[serde(skip)]
    pub notes: Vec<String>,
    /// What bindings have no more, though it is somewhere else; read where the notes are.
    #[serde(skip)]
    pub left_behind: Vec<String>,
}

/// One step that failed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ApplyError {
    /// What it was about, such as `actor counter`.
    pub what: String,
    /// The stable code of the failure.
    #[serde(with = "crate::code")]
    pub code: Code,
    /// Why it failed.
    pub why: String,
}

impl ApplyError {
    /// The failure of a step.
    #[must_use]
    pub fn of(step: &Step, error: &CallError) -> Self {
        Self { what: step.subject(), code: error.code(), why: error.message().to_owned() }
    }

    /// The failure alone, for those who report it in a frame of their own.
    #[must_use]
    pub fn error(&self) -> CallError {
        CallError::new(self.code, self.why.clone())
    }
}

impl fmt::Display for ApplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.why)
    }
}

impl std::error::Error for ApplyError {}
