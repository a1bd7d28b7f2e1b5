//! What came of a change.

use trellis_control::{Moved, Step};
use trellis_core::{CallError, Code, ErrorKind};

use super::loads::Loads;

/// What came of a change.
#[derive(Default)]
pub(crate) struct Outcome {
    pub(crate) done: Vec<Step>,
    pub(crate) failed: Vec<Failed>,
    /// What is to be known of what was done.
    pub(crate) notes: Vec<String>,
    /// What bindings have no more, though it is somewhere else.
    pub(crate) left_behind: Vec<String>,
    /// What providers kept and went along.
    pub(crate) moved: Vec<Moved>,
    /// Something newer is wanted, which tries what failed or was not done by then.
    pub(crate) superseded: bool,
    /// What the next change may go on with.
    pub(crate) left: Loads,
}

/// A step that failed.
pub(crate) struct Failed {
    pub(crate) step: Step,
    pub(crate) error: CallError,
    pub(crate) again: Again,
}

/// When a step that failed is tried again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Again {
    /// Soon: to try costs nobody anything.
    Soon,
    /// After a long pause: each try stops what works.
    Rarely,
    /// When something else is wanted: until then it cannot work.
    Never,
}

impl Outcome {
    /// Of a change that panicked. What it edited is whole, so that the next try finds out what is
    /// left.
    pub(crate) fn of_panic() -> Self {
        let error = CallError::new(Code::Internal, "the host failed on a change; its log says why");
        let step = Step::StopProvider { provider: "of the manifest".to_owned() };
        let failed = Failed { step, error, again: Again::Soon };
        Self { failed: vec![failed], ..Self::default() }
    }
}

impl Again {
    /// For a step that failed by itself. A module that is wrong stays wrong until its file changes,
    /// which is noticed.
    pub(super) fn after(step: &Step, error: &CallError) -> Self {
        let loads = matches!(step, Step::StartActor { .. } | Step::ReplaceActor { .. });
        let missing = matches!(error.code(), Code::NotFound | Code::Storage | Code::Hash);
        let wrong =
            matches!(error.kind(), ErrorKind::Invalid | ErrorKind::Denied | ErrorKind::Guest);
        if loads && wrong && !missing { Self::Never } else { Self::Soon }
    }
}
