//! What is known of a module, or of an archive, from reading it.

use std::sync::{Arc, OnceLock};

use trellis_artifacts::KeptProgram;
use trellis_claims::{Verified, VerifiedProvider};
use trellis_engine::ModuleBounds;

/// What is known of a module from reading it. Cheap to clone, and the clones know the same.
#[derive(Clone, Debug)]
pub struct Proof {
    /// What its signature says.
    pub(super) verified: Verified,
    pub(super) code: CodeProof,
}

/// What is known of an archive from reading it.
#[derive(Clone, Debug)]
pub struct ArchiveProof {
    /// What its signature says.
    pub(super) claims: VerifiedProvider,
    /// Its program for this machine.
    pub(super) program: Arc<KeptProgram>,
}

/// The bounds under which a module's code was found to be right, by a check or by loading it.
/// Nothing is known after a start has read it: that leaves the code to the load.
#[derive(Clone, Default, Debug)]
pub(crate) struct CodeProof(Arc<OnceLock<ModuleBounds>>);

impl CodeProof {
    /// It is right under these bounds. The first that say so stay: to learn of smaller ones it is
    /// examined again, which makes another proof.
    pub(crate) fn was_right_under(&self, bounds: &ModuleBounds) {
        self.0.get_or_init(|| *bounds);
    }

    /// True when it is known to be right under these bounds.
    pub(super) fn holds_under(&self, bounds: &ModuleBounds) -> bool {
        self.0.get().is_some_and(|known| bounds.allow_all_of(known))
    }
}
