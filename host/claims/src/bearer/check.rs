//! Reading a token, and every reason not to take it.

use std::collections::HashSet;

use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::{Algorithm, Validation, decode};
use serde::Deserialize;
use serde_json::{Map, Value};
use trellis_core::Code;

use super::crypto::verifying_key;
use super::scope::Scope;
use crate::clock::Clock;
use crate::error::ClaimsError;
use crate::nkey::{KeyKind, PublicKey};
use crate::token::{check_window, decode_object};

/// Whose tokens are taken, and for how long they may hold.
#[derive(Clone, Debug)]
pub struct BearerRules<'a> {
    /// The host that is asked.
    pub audience: &'a PublicKey,
    /// Longest life of a token, in seconds.
    pub life_s_max: u64,
    /// The name of that limit.
    pub life_limit: &'static str,
}

/// Proof that a token passed [`check_bearer`]; nothing else makes one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bearer {
    user: PublicKey,
    scope: Scope,
    expires_unix_s: u64,
}

/// What is read of the claims here; the library reads the audience.
#[derive(Deserialize)]
struct Wire {
    scope: String,
    iat: u64,
    exp: u64,
    nbf: Option<u64>,
}

/// What a header may say.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: String,
    typ: Option<String>,
    #[serde(rename = "kid")]
    _kid: Option<String>,
}

impl Bearer {
    /// Who signed it.
    #[must_use]
    pub const fn user(&self) -> &PublicKey {
        &self.user
    }

    /// What it is good for.
    #[must_use]
    pub const fn scope(&self) -> Scope {
        self.scope
    }

    /// When it ends, in seconds since 1970.
    #[must_use]
    pub const fn expires_unix_s(&self) -> u64 {
        self.expires_unix_s
    }
}

/// Checks a token: form, issuer, signature, audience, time, scope, in this order. `allowed` gives
/// the most that a user may ask for, and `None` for a key that is nobody's.
///
/// The caller bounds its length before. The same token is taken as often as it comes.
///
/// # Errors
/// `E_TOKEN`, `E_KEY`, `E_ISSUER`, `E_SIGNATURE`, `E_EXPIRED`, `E_NOT_YET`, and `E_DENIED` for a
/// scope that its user does not have.
pub fn check_bearer(
    token: &str,
    rules: &BearerRules<'_>,
    allowed: impl FnOnce(&PublicKey) -> Option<Scope>,
    clock: &dyn Clock,
) -> Result<Bearer, ClaimsError> {
    let user = PublicKey::parse_kind(&issuer(token)?, KeyKind::User)?;
    let most = allowed(&user)
        .ok_or_else(|| ClaimsError::new(Code::Issuer, format!("{user} is no user of this host")))?;
    let claims = decode::<Wire>(token, &verifying_key(&user), &validation(&user, rules.audience))
        .map_err(|error| refused(error, rules.audience))?
        .claims;
    check_time(&claims, rules, clock)?;
    let scope = Scope::parse_all(&claims.scope).ok_or_else(|| {
        ClaimsError::token("the token's `scope` is none of read, operate and admin")
    })?;
    if scope > most {
        let message = format!("the token is for {scope}, and its user {user} has {most}");
        return Err(ClaimsError::new(Code::Denied, message));
    }
    Ok(Bearer { user, scope, expires_unix_s: claims.exp })
}

/// Who says that it signed the token, in a text that can only be read in one way.
fn issuer(token: &str) -> Result<String, ClaimsError> {
    let segments: Vec<&str> = token.splitn(4, '.').collect();
    let [header, claims, _] = segments[..] else {
        return Err(ClaimsError::token("the token does not have three segments"));
    };
    check_header(decode_object("header", header.as_bytes())?)?;
    match decode_object("claims", claims.as_bytes())?.remove("iss") {
        Some(Value::String(issuer)) => Ok(issuer),
        _ => Err(ClaimsError::token("the token's `iss` is missing, or no text")),
    }
}

fn check_header(header: Map<String, Value>) -> Result<(), ClaimsError> {
    let header: Header = serde_json::from_value(Value::Object(header)).map_err(|source| {
        ClaimsError::token(
            "the token's header must have `alg`, and beside it `typ` and `kid` alone",
        )
        .caused_by(source)
    })?;
    if header.typ.is_some_and(|typ| !typ.eq_ignore_ascii_case("jwt")) {
        return Err(ClaimsError::token("the token's `typ` is not `JWT`"));
    }
    if header.alg != "EdDSA" {
        return Err(ClaimsError::token("the token's `alg` is not `EdDSA`"));
    }
    Ok(())
}

/// What the library looks at. Not the time: it would ask the machine's clock, and may panic over
/// it.
fn validation(user: &PublicKey, audience: &PublicKey) -> Validation {
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.required_spec_claims = ["iss", "aud"].map(str::to_owned).into();
    validation.iss = Some(HashSet::from([user.to_string()]));
    validation.aud = Some(HashSet::from([audience.to_string()]));
    validation
}

fn refused(error: Error, audience: &PublicKey) -> ClaimsError {
    match error.kind() {
        ErrorKind::InvalidSignature => {
            ClaimsError::new(Code::Signature, "the token's signature is not by its issuer")
        }
        ErrorKind::InvalidAudience => {
            ClaimsError::token(format!("the token is for another host; this one is {audience}"))
        }
        ErrorKind::MissingRequiredClaim(claim) => {
            ClaimsError::token(format!("the token has no `{claim}`"))
        }
        _ => ClaimsError::token("a claim of the token is missing or malformed").caused_by(error),
    }
}

fn check_time(
    claims: &Wire,
    rules: &BearerRules<'_>,
    clock: &dyn Clock,
) -> Result<(), ClaimsError> {
    // One that is signed in the future would hold for longer than it may.
    let begin = claims.nbf.unwrap_or(0).max(claims.iat);
    check_window(Some(begin), Some(claims.exp), clock)?;
    let life_s = claims.exp.saturating_sub(claims.iat);
    if life_s > rules.life_s_max {
        let (most, name) = (rules.life_s_max, rules.life_limit);
        let message = format!("the token holds for {life_s} s, and for {most} s at most ({name})");
        return Err(ClaimsError::token(message));
    }
    Ok(())
}
