//! What is known from one manifest that is prepared to the next.

use std::collections::BTreeMap;

use trellis_artifacts::Artifacts;

use super::proof::{ArchiveProof, Proof};
use super::rights::Rights;

/// What is known of modules from one [`prepare()`](super::prepare()) to the next. Cheap to clone.
pub type Modules = Artifacts<Proof>;

/// What is known of provider archives from one [`prepare()`](super::prepare()) to the next. Cheap
/// to clone.
pub type Archives = Artifacts<ArchiveProof>;

/// What is known of actors from when they last ran, by their names.
pub type LastRuns = BTreeMap<String, LastRun>;

/// What is known of an actor from when it last ran.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct LastRun {
    /// The key that it was signed for, if a provider keeps data under it.
    pub key: Option<String>,
    /// The key that it goes by since it runs unsigned, if a provider keeps data under it. Nobody
    /// owns it, so it takes no place of a signed one.
    pub unsigned_key: Option<String>,
    /// What kinds of providers keep its data.
    pub stores: Stores,
    /// What it could do.
    pub rights: Rights,
}

/// The names of kinds of providers, by the contract and the name of the binding that they serve.
pub type Stores = BTreeMap<String, BTreeMap<String, String>>;
