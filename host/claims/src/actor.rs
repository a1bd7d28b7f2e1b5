//! What a signature says about an actor.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use trellis_core::{ActorKey, Code};

use crate::clock::{Clock, SKEW_S};
use crate::error::ClaimsError;
use crate::nkey::{KeyKind, PublicKey};
use crate::token::{Kind, Parts, Token, check_hash, check_text, check_window, notice_from};

/// An actor's claims: who signed it, what it is, and what it may use.
#[derive(Clone, PartialEq, Eq, Serialize, Debug)]
#[serde(rename_all = "camelCase")]
pub struct ActorClaims {
    /// `iss`: the account that signed it.
    pub issuer: PublicKey,
    /// `sub`: the actor's own key.
    pub subject: PublicKey,
    /// `jti`: the token's id.
    pub id: String,
    /// `iat`: when it was signed, in seconds since 1970.
    pub issued_at: u64,
    /// `exp`: when it ends, in seconds since 1970; `None` is never.
    pub expires: Option<u64>,
    /// `nbf`: when it begins, in seconds since 1970; `None` is at once.
    pub not_before: Option<u64>,
    /// A name for people.
    pub name: Option<String>,
    /// Upper-case hex SHA-256 of the module without its claims.
    pub hash: String,
    /// The contract ids it may use, as signed (aliases are not resolved), empty ones left out;
    /// under waSCC's rule also the keys of actors it may call.
    pub caps: Vec<String>,
    /// Tags for people and placement.
    pub tags: Vec<String>,
    /// `rev`: a number that only grows.
    pub revision: Option<i32>,
    /// `ver`: a version for people.
    pub version: Option<String>,
    /// A name other actors may call it by, normalized.
    pub call_alias: Option<String>,
    /// `prov`: true for a provider that is a module.
    pub provider: bool,
    /// For a contract named here only these operations are granted; others are granted whole.
    pub grants: BTreeMap<String, Vec<String>>,
    /// Whom it may call: actor keys, call aliases (normalized), or account keys, which stand for
    /// all actors of that issuer.
    pub calls: Vec<String>,
    /// `wascap_revision`: `None` before wascap 0.10.
    pub wascap_revision: Option<u32>,
}

/// The `wascap` object of an actor, in wascap's order and then ours.
#[derive(Serialize, Deserialize)]
pub(crate) struct ActorBody {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    pub(crate) hash: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tags: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) caps: Option<Vec<String>>,
    #[serde(rename = "rev", skip_serializing_if = "Option::is_none")]
    pub(crate) revision: Option<i32>,
    #[serde(rename = "ver", skip_serializing_if = "Option::is_none")]
    pub(crate) version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) call_alias: Option<String>,
    #[serde(rename = "prov", default)]
    pub(crate) provider: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) grants: Option<BTreeMap<String, Vec<String>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) calls: Option<Vec<String>>,
}

impl ActorClaims {
    /// Reads an actor's token and checks its form, its keys and its signature; not its hash, its
    /// time window or its issuer's standing, for which there is [`crate::verify()`].
    ///
    /// # Errors
    /// `E_TOKEN`, `E_KEY` or `E_SIGNATURE`, as [`Token::decode`].
    pub fn decode(token: &str) -> Result<Self, ClaimsError> {
        Self::from_token(Token::decode(token)?)
    }

    /// The claims of a token whose signature is still to be checked.
    pub(crate) fn unverified(parts: &Parts<'_>) -> Result<Self, ClaimsError> {
        Self::from_token(parts.read()?)
    }

    /// The subject as the rest of the host names actors.
    #[must_use]
    pub fn key(&self) -> ActorKey {
        ActorKey::new(self.subject.as_str())
    }

    /// The name for people: the name, or the subject when there is none.
    #[must_use]
    pub fn display_name(&self) -> &str {
        self.name.as_deref().unwrap_or(self.subject.as_str())
    }

    /// Checks the time window, give or take [`SKEW_S`].
    ///
    /// # Errors
    /// `E_EXPIRED` or `E_NOT_YET`.
    pub fn check_time(&self, clock: &dyn Clock) -> Result<(), ClaimsError> {
        check_window(self.not_before, self.expires, clock)
    }

    /// The second since 1970 from which [`ActorClaims::check_time`] says `E_EXPIRED`, the skew
    /// included: when a running actor has to stop.
    #[must_use]
    pub fn expires_at(&self) -> Option<u64> {
        self.expires.map(|end| end.saturating_add(SKEW_S))
    }

    /// The second since 1970 from which it should be said that these claims end soon, while there
    /// is time to sign again: in the last tenth of their life, and in its last week at most.
    #[must_use]
    pub fn ends_soon_from(&self) -> Option<u64> {
        notice_from(self.not_before.unwrap_or(self.issued_at), self.expires)
    }

    /// Checks that these claims may take the place of `former`: the same actor, and a revision
    /// that is not older. No revision counts as older than any.
    ///
    /// # Errors
    /// `E_REVISION`.
    pub fn check_succeeds(&self, former: &Self) -> Result<(), ClaimsError> {
        if self.subject != former.subject {
            let message = format!("{} cannot replace {}", self.subject, former.subject);
            return Err(ClaimsError::new(Code::Revision, message));
        }
        check_revision(self.revision, former.revision)
    }

    fn from_token(token: Token<ActorBody>) -> Result<Self, ClaimsError> {
        let Token { standard, body } = token;
        let mut caps = body.caps.unwrap_or_default();
        caps.retain(|cap| !cap.is_empty());
        let calls = body.calls.unwrap_or_default();
        Ok(Self {
            subject: PublicKey::parse_kind(&standard.subject, KeyKind::Module)?,
            issuer: standard.issuer,
            id: standard.id,
            issued_at: standard.issued_at,
            expires: standard.expires,
            not_before: standard.not_before,
            name: body.name,
            hash: body.hash,
            caps,
            tags: body.tags.unwrap_or_default(),
            revision: body.revision,
            version: body.version,
            call_alias: body.call_alias.as_deref().and_then(normalize_alias),
            provider: body.provider,
            grants: body.grants.unwrap_or_default(),
            calls: calls.iter().filter_map(|callee| normalize_callee(callee)).collect(),
            wascap_revision: standard.revision,
        })
    }
}

impl Kind for ActorBody {
    const NAME: &'static str = "actor";
    const ISSUERS: &'static [KeyKind] = &[KeyKind::Account];
    const SUBJECTS: &'static [KeyKind] = &[KeyKind::Module];
    const FLAT: bool = true;

    fn check(&self) -> Result<(), ClaimsError> {
        check_hash("hash", &self.hash)?;
        check_text("name", self.name.as_deref())?;
        check_text("ver", self.version.as_deref())?;
        check_text("call_alias", self.call_alias.as_deref())?;
        check_text("tags", texts(self.tags.as_ref()))?;
        check_text("caps", texts(self.caps.as_ref()))?;
        check_text("calls", texts(self.calls.as_ref()))?;
        for (contract, operations) in self.grants.iter().flatten() {
            check_text("grants", [contract.as_str()])?;
            check_text("grants", texts(Some(operations)))?;
        }
        Ok(())
    }
}

/// A call alias as it is compared: lower case, trimmed, without non-ASCII characters, and with `_`
/// for space, `-` and `.` (wascap's rule). `None` when nothing is left.
#[must_use]
pub fn normalize_alias(alias: &str) -> Option<String> {
    let lower = alias.to_lowercase();
    let normal: String = lower
        .trim()
        .chars()
        .filter(char::is_ascii)
        .map(|c| if matches!(c, ' ' | '-' | '.') { '_' } else { c })
        .collect();
    (!normal.is_empty()).then_some(normal)
}

/// A key stays as it is, an alias is normalized.
pub(crate) fn normalize_callee(callee: &str) -> Option<String> {
    match PublicKey::parse(callee) {
        Ok(_) => Some(callee.to_owned()),
        Err(_) => normalize_alias(callee),
    }
}

fn texts(list: Option<&Vec<String>>) -> impl Iterator<Item = &str> {
    list.into_iter().flatten().map(String::as_str)
}

/// An older revision takes the place of no newer one.
pub(crate) fn check_revision(new: Option<i32>, former: Option<i32>) -> Result<(), ClaimsError> {
    match former {
        Some(old) if new < former => {
            let new = match new {
                Some(new) => format!("revision {new} is older than {old}, which it would replace"),
                None => format!("it has no revision, and would replace revision {old}"),
            };
            let cure = format!("sign it again with `--rev {old}` or a higher one");
            Err(ClaimsError::new(Code::Revision, format!("{new}; {cure}")))
        }
        _ => Ok(()),
    }
}
