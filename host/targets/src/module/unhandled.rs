//! Tells a guest that has no handler for an operation from one that refuses it.
//!
//! Each language's SDK has other words for it, and they are nobody's to know. But a guest says the
//! same of an operation that it lacks as of one that cannot exist.

use trellis_core::{CallError, Code};

/// An operation that no module handles.
pub(super) const NO_SUCH_OPERATION: &str = "TrellisNoSuchOperation";

/// What a guest says of an operation that it lacks, with [`NO_SUCH_OPERATION`] in it. `None` for
/// one that says nothing: it answers or traps.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(super) struct Unhandled(Option<String>);

impl Unhandled {
    /// From what a guest answered to [`NO_SUCH_OPERATION`].
    pub(super) fn of<T>(answer: Result<T, CallError>) -> Self {
        let error = answer.err().filter(|error| error.code() == Code::Guest);
        Self(error.map(|error| error.message().to_owned()))
    }

    /// True when by this error it says that it lacks the operation.
    pub(super) fn is_meant(&self, operation: &str, error: &CallError) -> bool {
        let said = |words: &String| words.replace(NO_SUCH_OPERATION, operation) == error.message();
        error.code() == Code::Guest && self.0.as_ref().is_some_and(said)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> CallError {
        CallError::new(Code::Guest, text.to_owned())
    }

    #[test]
    fn words_are_compared_whatever_they_are() {
        for words in ["bad dispatch", "Could not find function \"X\"", "X? no: Locate, Lookup"] {
            let said = |operation: &str| refusal(&words.replace('X', operation));
            let unhandled = Unhandled::of::<()>(Err(said(NO_SUCH_OPERATION)));
            assert!(unhandled.is_meant("BindActor", &said("BindActor")), "{words}");
            assert!(!unhandled.is_meant("BindActor", &refusal("BindActor: no such city")));
        }
    }

    #[test]
    fn who_answers_everything_or_traps_refuses_what_it_refuses() {
        let trap = CallError::new(Code::Trap, "unreachable");
        for answer in [Ok(()), Err(trap.clone())] {
            let unhandled = Unhandled::of(answer);
            assert!(!unhandled.is_meant("BindActor", &refusal("no")));
            assert!(!unhandled.is_meant("BindActor", &trap));
        }
    }
}
