//! Keys that sign test actors.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use trellis_claims::{ClaimsDraft, Clock, KeyKind, KeyPair, PublicKey, SystemClock, sign};

/// The time as claims use it, in seconds since 1970.
#[must_use]
pub fn now_unix_s() -> u64 {
    SystemClock.now_unix_s()
}

/// An account key, and a module key for each actor's name: an actor keeps its key when its code
/// changes.
pub struct Account {
    issuer: KeyPair,
    actors: Mutex<BTreeMap<String, PublicKey>>,
}

impl Default for Account {
    fn default() -> Self {
        Self { issuer: KeyPair::generate(KeyKind::Account), actors: Mutex::default() }
    }
}

impl Account {
    /// The key that signs.
    #[must_use]
    pub const fn issuer(&self) -> &KeyPair {
        &self.issuer
    }

    /// Claims of the actor with this name that grant nothing.
    #[must_use]
    pub fn draft(&self, name: &str) -> ClaimsDraft {
        let mut draft = ClaimsDraft::new(self.subject(name));
        draft.name = Some(name.to_owned());
        draft
    }

    /// The key of the actor with this name.
    #[must_use]
    pub fn subject(&self, name: &str) -> PublicKey {
        let mut actors = self.actors.lock();
        let fresh = || KeyPair::generate(KeyKind::Module).public().clone();
        actors.entry(name.to_owned()).or_insert_with(fresh).clone()
    }

    /// Signs the module with these claims.
    ///
    /// # Panics
    /// When the module or the claims cannot be signed.
    #[must_use]
    pub fn sign(&self, module: &[u8], draft: &ClaimsDraft) -> Vec<u8> {
        sign(module, draft, &self.issuer, &SystemClock)
            .expect("the test's module and claims can be signed")
    }
}
