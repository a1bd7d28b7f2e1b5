//! What the edits that are laid over a manifest mean beyond what its text says with them.

use std::collections::{BTreeMap, BTreeSet};

/// What edits mean beyond their text.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Meaning {
    /// The providers that came with edits.
    came: BTreeMap<String, Came>,
    /// Actors, and a contract that each is not to use: its claims are wider on purpose.
    unbound: BTreeSet<(String, String)>,
}

/// How a provider came to be what it is: of several that serve a contract, a binding that names
/// none means the first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Came {
    /// As the manifest says.
    Written,
    /// By an edit that put it in the place of another one.
    Changed,
    /// By an edit that added it.
    Added,
}

impl Meaning {
    /// A provider came with an edit.
    pub fn comes(&mut self, provider: &str, came: Came) {
        self.came.insert(provider.to_owned(), came);
    }

    /// An actor is not to use a contract.
    pub fn unbinds(&mut self, actor: &str, contract: &str) {
        self.unbound.insert((actor.to_owned(), contract.to_owned()));
    }

    pub(super) fn came(&self, provider: &str) -> Came {
        self.came.get(provider).copied().unwrap_or(Came::Written)
    }

    pub(super) fn is_unbound(&self, actor: &str, contract: &str) -> bool {
        !self.unbound.is_empty() && self.unbound.contains(&(actor.to_owned(), contract.to_owned()))
    }
}
