//! The one way to a [`Verified`].

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::actor::ActorClaims;
use crate::clock::Clock;
use crate::error::ClaimsError;
use crate::hash::{Digests, hex};
use crate::nkey::{KeyKind, KeyPair, PublicKey};
use crate::section;
use crate::token::Parts;
use crate::trust::TrustList;

/// Proof that a module passed [`verify()`]; nothing else makes one. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Verified {
    claims: Arc<ActorClaims>,
    digest: [u8; 32],
    unsigned: bool,
}

/// Checks a module before anything compiles it: section, token, signature, hash, time, revocation,
/// issuer, in this order.
///
/// Where the trust list allows unsigned modules, one without any claims section passes with claims
/// made from its bytes: a key of its own ([`unsigned_key`]), and the list's capabilities. A
/// revocation holds for it as for any other. A module whose claims are wrong in any way is refused
/// under every list.
///
/// # Errors
/// `E_MODULE_INVALID`, `E_SECTION`, `E_UNSIGNED`, `E_TOKEN`, `E_KEY`, `E_SIGNATURE`, `E_HASH`,
/// `E_EXPIRED`, `E_NOT_YET`, `E_REVOKED` or `E_ISSUER`.
pub fn verify(
    module: &[u8],
    trust: &TrustList,
    clock: &dyn Clock,
) -> Result<Verified, ClaimsError> {
    let Some(section) = section::locate(module)? else {
        return verify_unsigned(module, trust);
    };
    let parts = Parts::split(section.token)?;
    let claims = ActorClaims::unverified(&parts)?;
    parts.check_signature(&claims.issuer)?;
    let digests = Digests::of(module, section.start);
    digests.check(module, &section, &claims.hash, claims.wascap_revision)?;
    claims.check_time(clock)?;
    trust.check(&claims.issuer, &claims.subject)?;
    Ok(Verified { claims: Arc::new(claims), digest: digests.file, unsigned: false })
}

impl Verified {
    /// The claims that were verified.
    #[must_use]
    pub const fn claims(&self) -> &Arc<ActorClaims> {
        &self.claims
    }

    /// SHA-256 of the whole file, claims included: names exactly these bytes.
    #[must_use]
    pub const fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// True for a module without claims that was let in for development.
    #[must_use]
    pub const fn is_unsigned(&self) -> bool {
        self.unsigned
    }

    /// Checks the time window again.
    ///
    /// # Errors
    /// `E_EXPIRED` or `E_NOT_YET`.
    pub fn check_time(&self, clock: &dyn Clock) -> Result<(), ClaimsError> {
        self.claims.check_time(clock)
    }

    /// The second since 1970 at which the actor has to stop, the skew included; `None` is never.
    #[must_use]
    pub fn expires_at(&self) -> Option<u64> {
        self.claims.expires_at()
    }

    /// Checks again what may have changed since [`verify()`]: time, and the trust list.
    ///
    /// # Errors
    /// `E_EXPIRED`, `E_NOT_YET`, `E_REVOKED`, `E_ISSUER` or `E_UNSIGNED`.
    pub fn recheck(&self, trust: &TrustList, clock: &dyn Clock) -> Result<(), ClaimsError> {
        self.check_time(clock)?;
        if self.unsigned {
            trust.unsigned_caps()?;
            return trust.check_not_revoked(&self.claims.issuer, &self.claims.subject);
        }
        trust.check(&self.claims.issuer, &self.claims.subject)
    }
}

/// The key that names an unsigned module, made from the digest of its whole file: what `revoked`
/// and bindings can say to mean these bytes.
#[must_use]
pub fn unsigned_key(digest: &[u8; 32]) -> PublicKey {
    made_from(digest, KeyKind::Module)
}

/// Issuer and subject are both made from the file's digest, so that no two unsigned modules share
/// an issuer and none has one that anybody could trust.
fn made_from(digest: &[u8; 32], kind: KeyKind) -> PublicKey {
    KeyPair::from_secret(kind, digest).public().clone()
}

fn verify_unsigned(module: &[u8], trust: &TrustList) -> Result<Verified, ClaimsError> {
    let caps = trust.unsigned_caps()?.to_vec();
    let digest = Digests::of(module, module.len()).file;
    let claims = ActorClaims {
        issuer: made_from(&digest, KeyKind::Account),
        subject: unsigned_key(&digest),
        id: "unsigned".into(),
        issued_at: 0,
        expires: None,
        not_before: None,
        name: None,
        hash: hex(&digest),
        caps,
        tags: Vec::new(),
        revision: None,
        version: None,
        call_alias: None,
        provider: false,
        grants: BTreeMap::new(),
        calls: Vec::new(),
        wascap_revision: None,
    };
    trust.check_not_revoked(&claims.issuer, &claims.subject)?;
    Ok(Verified { claims: Arc::new(claims), digest, unsigned: true })
}
