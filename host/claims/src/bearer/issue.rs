//! Writing a token.

use jsonwebtoken::{Algorithm, Header, encode};
use serde::Serialize;
use trellis_core::Code;

use super::crypto::signing_key;
use super::scope::Scope;
use crate::error::ClaimsError;
use crate::nkey::{KeyKind, KeyPair, PublicKey};

/// What a token is to say. Times are in seconds since 1970.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BearerTerms {
    /// The host that it is for.
    pub audience: PublicKey,
    /// What it is good for.
    pub scope: Scope,
    /// When it is signed.
    pub issued_at: u64,
    /// When it ends.
    pub expires: u64,
}

#[derive(Serialize)]
struct Wire<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    scope: &'a str,
    iat: u64,
    exp: u64,
}

/// Writes a token and signs it with a user's key.
///
/// # Errors
/// `E_KEY` when the key is no user's or the audience no host, `E_CONFIG` for a token that would end
/// before it begins.
pub fn issue_bearer(terms: &BearerTerms, user: &KeyPair) -> Result<String, ClaimsError> {
    let issuer = PublicKey::parse_kind(user.public().as_str(), KeyKind::User)?;
    let audience = PublicKey::parse_kind(terms.audience.as_str(), KeyKind::Server)?;
    if terms.expires <= terms.issued_at {
        return Err(ClaimsError::new(Code::Config, "the token would end before it begins"));
    }
    let claims = Wire {
        iss: issuer.as_str(),
        sub: issuer.as_str(),
        aud: audience.as_str(),
        scope: terms.scope.as_str(),
        iat: terms.issued_at,
        exp: terms.expires,
    };
    encode(&Header::new(Algorithm::EdDSA), &claims, &signing_key(user)).map_err(|source| {
        ClaimsError::new(Code::Internal, "the token cannot be signed").caused_by(source)
    })
}
