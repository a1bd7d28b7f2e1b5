//! What can run and was probably not meant.

use trellis_manifest::Problem;

/// Something that can run and was probably not meant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Warning {
    /// What there is to say about it, at its place in the manifest.
    pub problem: Problem,
    /// What is not as it should be for as long as the manifest runs; `None` when only the change
    /// to the manifest is worth a word.
    pub lasting: Option<&'static str>,
}

impl Warning {
    /// A claim that is of no use as long as the manifest runs.
    pub(super) const fn of_useless_claim(problem: Problem) -> Self {
        Self { problem, lasting: Some("a claim is of no use") }
    }

    /// Something that is said once.
    pub(super) const fn of_change(problem: Problem) -> Self {
        Self { problem, lasting: None }
    }
}
