//! Keys that sign test actors and test archives.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use trellis_archive::{Form, Target, seal};
use trellis_claims::token::{Provider, Terms};
use trellis_claims::{ClaimsDraft, Clock, KeyKind, KeyPair, PublicKey, SystemClock, sign};

/// The time as claims use it, in seconds since 1970.
#[must_use]
pub fn now_unix_s() -> u64 {
    SystemClock.now_unix_s()
}

/// An account key, a module key for each actor's name, and a service key for each provider's: both
/// keep their key when their code changes.
pub struct Account {
    issuer: KeyPair,
    actors: Mutex<BTreeMap<String, PublicKey>>,
    providers: Mutex<BTreeMap<String, PublicKey>>,
}

impl Default for Account {
    fn default() -> Self {
        let issuer = KeyPair::generate(KeyKind::Account);
        Self { issuer, actors: Mutex::default(), providers: Mutex::default() }
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
        known(&self.actors, KeyKind::Module, name)
    }

    /// The key of the provider with this name.
    #[must_use]
    pub fn provider_subject(&self, name: &str) -> PublicKey {
        known(&self.providers, KeyKind::Service, name)
    }

    /// Packs a program for this platform into an archive that is signed with these claims. They end
    /// at `expires`, in seconds since 1970.
    ///
    /// # Panics
    /// When the claims cannot be signed.
    #[must_use]
    pub fn seal(
        &self,
        (name, claims): (&str, Provider),
        (target, program): (Target, Vec<u8>),
        expires: Option<u64>,
    ) -> Vec<u8> {
        let terms = Terms {
            subject: self.provider_subject(name).to_string(),
            issued_at: now_unix_s(),
            expires,
            not_before: None,
        };
        seal((&terms, claims), &[(target, program)].into(), &self.issuer, Form::Gzip)
            .expect("the test's program and claims can be signed")
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

/// The key of that name, which is made when it is first asked for.
fn known(keys: &Mutex<BTreeMap<String, PublicKey>>, kind: KeyKind, name: &str) -> PublicKey {
    let fresh = || KeyPair::generate(kind).public().clone();
    keys.lock().entry(name.to_owned()).or_insert_with(fresh).clone()
}
