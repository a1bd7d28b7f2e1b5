//! Whose signatures count here.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use trellis_core::Code;

use crate::actor::ActorClaims;
use crate::error::ClaimsError;
use crate::nkey::{KeyKind, PublicKey};

/// Trusted issuers, revocations, and what becomes of unsigned modules. A value: changing trust is
/// publishing another list.
///
/// The default trusts nobody.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct TrustList {
    version: u64,
    issuers: BTreeSet<PublicKey>,
    revoked_issuers: BTreeSet<PublicKey>,
    revoked_subjects: BTreeSet<PublicKey>,
    unsigned: Unsigned,
}

/// What becomes of a module without claims.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub enum Unsigned {
    /// It is refused.
    #[default]
    Refuse,
    /// It runs, for development only.
    Allow {
        /// The contract ids every unsigned module may use.
        caps: Vec<String>,
    },
}

/// The list in force, for many readers and a control plane that replaces it while they run.
#[derive(Default, Debug)]
pub struct TrustStore(ArcSwap<TrustList>);

/// A list that is not newer than the one in force, and so was not taken: an old list would bring
/// revoked keys back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StaleTrust {
    /// The version that was offered.
    pub offered: u64,
    /// The version in force.
    pub current: u64,
}

impl TrustList {
    /// A list that trusts nobody.
    #[must_use]
    pub fn new(version: u64) -> Self {
        Self { version, ..Self::default() }
    }

    /// Trusts an account's signatures.
    ///
    /// # Errors
    /// `E_KEY` unless the key is of kind account.
    pub fn trust(mut self, issuer: &PublicKey) -> Result<Self, ClaimsError> {
        if issuer.kind() != KeyKind::Account {
            let message =
                format!("{issuer} is a {} key; only accounts (A…) sign actors", issuer.kind());
            return Err(ClaimsError::new(Code::Key, message));
        }
        self.issuers.insert(issuer.clone());
        Ok(self)
    }

    /// Revokes an issuer with all it signed (an account key), or one actor (a module key).
    ///
    /// # Errors
    /// `E_KEY` for any other kind.
    pub fn revoke(mut self, key: &PublicKey) -> Result<Self, ClaimsError> {
        match key.kind() {
            KeyKind::Account => self.revoked_issuers.insert(key.clone()),
            KeyKind::Module => self.revoked_subjects.insert(key.clone()),
            kind => {
                let message = format!("{key} is a {kind} key; accounts and modules are revoked");
                return Err(ClaimsError::new(Code::Key, message));
            }
        };
        Ok(self)
    }

    /// Sets what becomes of unsigned modules.
    #[must_use]
    pub fn unsigned_modules(mut self, unsigned: Unsigned) -> Self {
        self.unsigned = unsigned;
        self
    }

    /// Grows with every change; see [`TrustStore::publish`].
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// The trusted accounts.
    pub fn issuers(&self) -> impl Iterator<Item = &PublicKey> {
        self.issuers.iter()
    }

    /// The revoked accounts and actors.
    pub fn revoked(&self) -> impl Iterator<Item = &PublicKey> {
        self.revoked_issuers.iter().chain(&self.revoked_subjects)
    }

    /// What becomes of unsigned modules.
    #[must_use]
    pub const fn unsigned(&self) -> &Unsigned {
        &self.unsigned
    }

    /// Checks issuer and subject of claims whose signature holds. A revocation outweighs trust.
    pub(crate) fn check(&self, claims: &ActorClaims) -> Result<(), ClaimsError> {
        let (issuer, subject) = (&claims.issuer, &claims.subject);
        if self.revoked_issuers.contains(issuer) {
            let message = format!("the issuer {issuer} is revoked");
            return Err(ClaimsError::new(Code::Revoked, message));
        }
        if self.revoked_subjects.contains(subject) {
            let message = format!("the actor {subject} is revoked");
            return Err(ClaimsError::new(Code::Revoked, message));
        }
        if !self.issuers.contains(issuer) {
            let message = format!("the issuer {issuer} is not in the trust list");
            return Err(ClaimsError::new(Code::Issuer, message));
        }
        Ok(())
    }
}

impl TrustStore {
    /// A store with its first list.
    #[must_use]
    pub fn new(list: TrustList) -> Self {
        Self(ArcSwap::from_pointee(list))
    }

    /// The list in force.
    #[must_use]
    pub fn current(&self) -> Arc<TrustList> {
        self.0.load_full()
    }

    /// Puts a newer list in force. Whoever does so then calls [`crate::Verified::recheck`] for what
    /// already runs.
    ///
    /// # Errors
    /// [`StaleTrust`] unless the list's version is higher than the one in force.
    pub fn publish(&self, list: TrustList) -> Result<(), StaleTrust> {
        let next = Arc::new(list);
        let previous = self.0.rcu(|current| {
            Arc::clone(if next.version > current.version { &next } else { current })
        });
        if next.version > previous.version {
            return Ok(());
        }
        Err(StaleTrust { offered: next.version, current: previous.version })
    }
}

impl fmt::Display for StaleTrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { offered, current } = self;
        write!(f, "trust list {offered} is not newer than {current}, which is in force")
    }
}

impl std::error::Error for StaleTrust {}
