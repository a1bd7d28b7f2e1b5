//! Putting claims into a module.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};
use trellis_core::Code;

use crate::actor::{ActorBody, normalize_alias, normalize_callee};
use crate::clock::Clock;
use crate::error::ClaimsError;
use crate::hash::hex;
use crate::nkey::{KeyKind, KeyPair, PublicKey};
use crate::section;
use crate::token::{Terms, issue};

/// What a signer says about an actor; the issuer, the hash and the time of signing are added by
/// [`sign()`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClaimsDraft {
    /// The actor's own key, of kind module.
    pub subject: PublicKey,
    /// A name for people.
    pub name: Option<String>,
    /// The contract ids it may use.
    pub caps: Vec<String>,
    /// Tags.
    pub tags: Vec<String>,
    /// A number that only grows.
    pub revision: Option<i32>,
    /// A version for people.
    pub version: Option<String>,
    /// A name other actors may call it by; it is normalized.
    pub call_alias: Option<String>,
    /// True for a provider that is a module.
    pub provider: bool,
    /// Single operations of contracts in `caps`.
    pub grants: BTreeMap<String, Vec<String>>,
    /// Whom it may call: actor keys, call aliases or account keys.
    pub calls: Vec<String>,
    /// When the claims end, in seconds since 1970; `None` is never.
    pub expires: Option<u64>,
    /// When they begin, in seconds since 1970; `None` is at once.
    pub not_before: Option<u64>,
}

impl ClaimsDraft {
    /// Claims that grant nothing and never expire.
    #[must_use]
    pub fn new(subject: PublicKey) -> Self {
        Self {
            subject,
            name: None,
            caps: Vec::new(),
            tags: Vec::new(),
            revision: None,
            version: None,
            call_alias: None,
            provider: false,
            grants: BTreeMap::new(),
            calls: Vec::new(),
            expires: None,
            not_before: None,
        }
    }
}

/// Signs a module: removes the claims it has, and adds new ones as its last section.
///
/// The same module, draft, key and time give the same bytes. Section sizes are written in their
/// shortest form, so that every reader agrees on the hash; contents stay as they are.
///
/// # Errors
/// `E_MODULE_INVALID` or `E_SECTION` for a module that cannot carry claims, `E_KEY` when the issuer
/// is no account or the subject no module, `E_CONFIG` or `E_TOKEN` for a draft that makes no sense.
pub fn sign(
    module: &[u8],
    draft: &ClaimsDraft,
    issuer: &KeyPair,
    clock: &dyn Clock,
) -> Result<Vec<u8>, ClaimsError> {
    let mut signed = section::strip(module)?;
    let terms = Terms {
        subject: draft.subject.to_string(),
        issued_at: clock.now_unix_s(),
        expires: draft.expires,
        not_before: draft.not_before,
    };
    let token = issue(&terms, &body(draft, hex(&Sha256::digest(&signed)))?, issuer)?;
    section::append(&mut signed, &token);
    Ok(signed)
}

fn body(draft: &ClaimsDraft, hash: String) -> Result<ActorBody, ClaimsError> {
    let mut caps: Vec<String> = draft.caps.clone();
    caps.retain(|cap| !cap.is_empty());
    if let Some(contract) = draft.grants.keys().find(|contract| !caps.contains(contract)) {
        let message = format!("`grants` names {contract}, which is not among the capabilities");
        return Err(ClaimsError::new(Code::Config, message));
    }
    let calls = draft.calls.iter().map(|callee| check_callee(callee));
    let calls = calls.collect::<Result<Vec<_>, _>>()?;
    let call_alias = draft.call_alias.as_deref().map(|alias| {
        normalize_alias(alias).ok_or_else(|| {
            ClaimsError::new(Code::Config, format!("the call alias `{alias}` has no ASCII letters"))
        })
    });
    Ok(ActorBody {
        name: draft.name.clone(),
        hash,
        tags: Some(draft.tags.clone()),
        caps: Some(caps),
        revision: draft.revision,
        version: draft.version.clone(),
        call_alias: call_alias.transpose()?,
        provider: draft.provider,
        grants: (!draft.grants.is_empty()).then(|| draft.grants.clone()),
        calls: (!calls.is_empty()).then_some(calls),
    })
}

/// A key of a kind that can be called, or an alias.
fn check_callee(callee: &str) -> Result<String, ClaimsError> {
    let refused = |why| ClaimsError::new(Code::Config, format!("`calls` names {callee}, {why}"));
    if let Ok(key) = PublicKey::parse(callee)
        && !matches!(key.kind(), KeyKind::Module | KeyKind::Account)
    {
        return Err(refused("which is the key of neither an actor nor an account"));
    }
    normalize_callee(callee).ok_or_else(|| refused("which has no ASCII letters"))
}
