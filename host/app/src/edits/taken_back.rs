//! What was taken back, in words: edits, and rollbacks that could not be had.

use std::sync::Arc;

use trellis_supervisor::Part;

use super::in_force::InForce;
use super::subject::Subject;
use super::version::Version;

/// Why something is taken back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum TakenBack {
    /// It could not be had: what it was to replace goes on, and is what is wanted again. So it is
    /// with a rollback: who was told that it failed is not to find it done some minutes later.
    NotHad,
    /// It did worse: the last before it that stood its watch runs again.
    DidWorse,
}

/// What it gives way to.
pub(crate) struct WayBack {
    pub(crate) subject: Subject,
    /// `None` is what the manifest says.
    pub(crate) edit: Option<InForce>,
    /// That as it was prepared.
    pub(crate) part: Option<Part>,
}

/// That something was taken back, or was to be.
pub(super) struct TookBack {
    pub(super) revision: u64,
    /// What it brought; `None` is what the manifest says.
    pub(super) brought: Option<Arc<Version>>,
    pub(super) why: String,
    /// Why what ran before cannot be had, so that it stays.
    pub(super) stays: Option<String>,
}

impl TookBack {
    /// What there is to tell of it; `fails` when what ran before does not run again so far.
    pub(super) fn told(&self, subject: &Subject, fails: bool) -> String {
        let Self { revision, why, stays, .. } = self;
        let name = &subject.name;
        match stays {
            Some(stays) => format!(
                "revision {revision} of {subject} was to be taken back ({why}) and stays, because \
                 what ran before cannot be had: {stays}; put another version in its place with \
                 `trellis update`, or go to another one that it had with `trellis rollback {name} \
                 --to REVISION`, by its revision in `trellis history {name}`"
            ),
            None if fails => format!(
                "revision {revision} of {subject} is being taken back ({why}): what ran before it \
                 cannot be had so far, and is tried again"
            ),
            None => format!("revision {revision} of {subject} was taken back: {why}"),
        }
    }
}
