//! Why a module is refused.

use trellis_core::{CallError, Code};

/// An error, and the limit it is about, so that whoever meets it can count that.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) error: CallError,
    pub(crate) limit: Option<&'static str>,
}

impl Refusal {
    /// A module that is over a limit.
    pub(crate) fn over(code: Code, limit: &'static str, message: String) -> Self {
        Self { error: CallError::new(code, message), limit: Some(limit) }
    }
}

impl From<CallError> for Refusal {
    fn from(error: CallError) -> Self {
        Self { error, limit: None }
    }
}

impl From<Refusal> for CallError {
    fn from(refusal: Refusal) -> Self {
        refusal.error
    }
}
