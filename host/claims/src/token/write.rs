//! Writing and signing a token.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use sha2::{Digest, Sha256};
use trellis_core::Code;

use super::form::{REVISION, TOKEN_BYTES_MAX, check_text};
use super::kind::Kind;
use super::read::{check_kind, check_subject};
use crate::error::ClaimsError;
use crate::hash::hex;
use crate::nkey::KeyPair;

/// Exactly what the originals write, byte for byte: some of them compare it as text.
const HEADER: &str = r#"{"typ":"jwt","alg":"Ed25519"}"#;

/// What a token says beside its body. Times are in seconds since 1970.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Terms {
    /// Whom the token is about.
    pub subject: String,
    /// When it is signed.
    pub issued_at: u64,
    /// When it ends; `None` is never.
    pub expires: Option<u64>,
    /// When it begins; `None` is at once.
    pub not_before: Option<u64>,
}

/// The order of the keys is wascap's.
#[derive(Serialize)]
struct Wire<'a, K> {
    #[serde(skip_serializing_if = "Option::is_none")]
    exp: Option<u64>,
    jti: &'a str,
    iat: u64,
    iss: &'a str,
    sub: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    nbf: Option<u64>,
    wascap: &'a K,
    wascap_revision: u32,
}

/// Writes a token and signs it with the issuer's key.
///
/// The same terms, body and key give the same bytes: `jti` is a digest of the claims, as NATS does
/// it, not a random number.
///
/// # Errors
/// `E_KEY` when issuer or subject is of the wrong kind, `E_CONFIG` for a window that never opens,
/// `E_TOKEN` for a body that would not be read back.
pub fn issue<K: Kind>(terms: &Terms, body: &K, issuer: &KeyPair) -> Result<String, ClaimsError> {
    check_kind::<K>(issuer.public(), K::ISSUERS)?;
    check_subject::<K>(&terms.subject)?;
    check_text("sub", [terms.subject.as_str()])?;
    body.check()?;
    if let (Some(start), Some(end)) = (terms.not_before, terms.expires)
        && start >= end
    {
        return Err(ClaimsError::new(Code::Config, "the claims would end before they begin"));
    }
    let mut wire = Wire {
        exp: terms.expires,
        jti: "",
        iat: terms.issued_at,
        iss: issuer.public().as_str(),
        sub: &terms.subject,
        nbf: terms.not_before,
        wascap: body,
        wascap_revision: REVISION,
    };
    let id = hex(&Sha256::digest(to_json(&wire)?));
    wire.jti = &id[..32];
    let mut token = URL_SAFE_NO_PAD.encode(HEADER);
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(to_json(&wire)?, &mut token);
    let signature = issuer.sign(token.as_bytes());
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut token);
    if token.len() > TOKEN_BYTES_MAX {
        let message = format!("the token would be longer than {TOKEN_BYTES_MAX} bytes");
        return Err(ClaimsError::token(message));
    }
    Ok(token)
}

fn to_json<T: Serialize>(value: &T) -> Result<Vec<u8>, ClaimsError> {
    serde_json::to_vec(value)
        .map_err(|source| ClaimsError::token("the claims are not JSON").caused_by(source))
}
