//! What applying a manifest did, for whoever asked for it.

use trellis_core::CallError;

/// What applying a manifest did.
#[derive(Default, Debug)]
pub struct Applied {
    /// What was started, changed or stopped, a phrase each; empty when nothing had to be done.
    pub changes: Vec<String>,
    /// What could not be done. Everything else was, and what ran before in its place still runs.
    pub faults: Vec<Fault>,
}

/// One thing that could not be done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    /// What it was about, such as `actor counter`.
    pub what: String,
    /// Why it failed.
    pub error: CallError,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.what, self.error.message())
    }
}
