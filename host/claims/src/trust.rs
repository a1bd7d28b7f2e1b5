//! Whose signatures count on this host.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use trellis_core::Code;

use crate::error::ClaimsError;
use crate::nkey::{KeyKind, PublicKey};

/// Trusted issuers, revocations, and whether unsigned modules may run. It is a value: trust changes
/// when another list is published.
///
/// The default trusts nobody.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct TrustList {
    version: u64,
    issuers: BTreeSet<PublicKey>,
    revoked_issuers: BTreeSet<PublicKey>,
    revoked_subjects: BTreeSet<PublicKey>,
    revoked_users: BTreeSet<PublicKey>,
    unsigned: Unsigned,
}

/// Whether a module without claims may run.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub enum Unsigned {
    /// No.
    #[default]
    Refuse,
    /// Yes, for development only.
    Allow {
        /// The contract ids every unsigned module may use.
        caps: Vec<String>,
    },
}

/// The list in force, for many readers and a control plane that replaces it while they run.
#[derive(Default, Debug)]
pub struct TrustStore(ArcSwap<TrustList>);

/// A list was refused because it is not newer than the one in force: an old list would bring
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
        self.add_issuer(issuer)?;
        Ok(self)
    }

    /// The same in place.
    ///
    /// # Errors
    /// As [`trust`](Self::trust); then the list is as it was.
    pub fn add_issuer(&mut self, issuer: &PublicKey) -> Result<(), ClaimsError> {
        if issuer.kind() != KeyKind::Account {
            let message = format!("{issuer} is a {} key; only accounts (A…) sign", issuer.kind());
            return Err(ClaimsError::new(Code::Key, message));
        }
        self.issuers.insert(issuer.clone());
        Ok(())
    }

    /// Revokes an issuer with all it signed (an account key), one actor (a module key), one
    /// provider (a service key), or one user of the admin API (a user key). The key of an unsigned
    /// module is [`unsigned_key`](crate::unsigned_key).
    ///
    /// # Errors
    /// `E_KEY` for any other kind.
    pub fn revoke(mut self, key: &PublicKey) -> Result<Self, ClaimsError> {
        self.add_revoked(key)?;
        Ok(self)
    }

    /// The same in place.
    ///
    /// # Errors
    /// As [`revoke`](Self::revoke); then the list is as it was.
    pub fn add_revoked(&mut self, key: &PublicKey) -> Result<(), ClaimsError> {
        match key.kind() {
            KeyKind::Account => self.revoked_issuers.insert(key.clone()),
            KeyKind::Module | KeyKind::Service => self.revoked_subjects.insert(key.clone()),
            KeyKind::User => self.revoked_users.insert(key.clone()),
            kind => {
                let message = format!(
                    "{key} is a {kind} key; only account keys (A…), module keys (M…), service keys \
                     (V…) and user keys (U…) can be revoked"
                );
                return Err(ClaimsError::new(Code::Key, message));
            }
        };
        Ok(())
    }

    /// Sets whether unsigned modules may run.
    #[must_use]
    pub fn unsigned_modules(mut self, unsigned: Unsigned) -> Self {
        self.unsigned = unsigned;
        self
    }

    /// The same list without what it allows and `before` does not: an issuer, unsigned modules, or
    /// whatever `before` revokes.
    #[must_use]
    pub fn narrowed_by(mut self, before: &Self) -> Self {
        self.issuers.retain(|issuer| before.issuers.contains(issuer));
        self.revoked_issuers.extend(before.revoked_issuers.iter().cloned());
        self.revoked_subjects.extend(before.revoked_subjects.iter().cloned());
        self.revoked_users.extend(before.revoked_users.iter().cloned());
        if before.unsigned == Unsigned::Refuse {
            self.unsigned = Unsigned::Refuse;
        }
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

    /// The revoked accounts, actors, providers and users.
    pub fn revoked(&self) -> impl Iterator<Item = &PublicKey> {
        self.revoked_issuers.iter().chain(&self.revoked_subjects).chain(&self.revoked_users)
    }

    /// True when this account, actor, provider or user is revoked.
    #[must_use]
    pub fn is_revoked(&self, key: &PublicKey) -> bool {
        let lists = [&self.revoked_issuers, &self.revoked_subjects, &self.revoked_users];
        lists.iter().any(|list| list.contains(key))
    }

    /// Whether unsigned modules may run.
    #[must_use]
    pub const fn unsigned(&self) -> &Unsigned {
        &self.unsigned
    }

    /// Checks issuer and subject of claims whose signature holds. A revocation outweighs trust.
    pub(crate) fn check(&self, issuer: &PublicKey, subject: &PublicKey) -> Result<(), ClaimsError> {
        self.check_not_revoked(issuer, subject)?;
        if !self.issuers.contains(issuer) {
            let message = format!("the issuer {issuer} is not in the trust list");
            return Err(ClaimsError::new(Code::Issuer, message));
        }
        Ok(())
    }

    /// Checks that neither the issuer nor the subject is revoked.
    pub(crate) fn check_not_revoked(
        &self,
        issuer: &PublicKey,
        subject: &PublicKey,
    ) -> Result<(), ClaimsError> {
        if self.revoked_issuers.contains(issuer) {
            let message = format!("the issuer {issuer} is revoked");
            return Err(ClaimsError::new(Code::Revoked, message));
        }
        if self.revoked_subjects.contains(subject) {
            let what = if subject.kind() == KeyKind::Service { "provider" } else { "actor" };
            let message = format!("the {what} {subject} is revoked");
            return Err(ClaimsError::new(Code::Revoked, message));
        }
        Ok(())
    }

    /// What unsigned modules may use, when the list admits them.
    pub(crate) fn unsigned_caps(&self) -> Result<&[String], ClaimsError> {
        match &self.unsigned {
            Unsigned::Allow { caps } => Ok(caps),
            Unsigned::Refuse => {
                let message =
                    "the module has no claims section, and unsigned modules are not allowed";
                Err(ClaimsError::new(Code::Unsigned, message))
            }
        }
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

    /// Puts a newer list in force. The caller then has to call [`crate::Verified::recheck`] for
    /// every actor that runs already.
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
