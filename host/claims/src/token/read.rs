//! Taking a token apart, strictly.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Map, Value};
use trellis_core::Code;

use super::form::{TOKEN_BYTES_MAX, check_text};
use super::kind::Kind;
use super::standard::Standard;
use crate::error::ClaimsError;
use crate::json;
use crate::nkey::{KeyKind, PublicKey};

/// A token whose form and signature hold. The reader still has to check its time window and whether
/// its issuer is trusted.
#[derive(Clone, PartialEq, Debug)]
pub struct Token<K> {
    /// The claims every kind of token has.
    pub standard: Standard,
    /// The claims of this kind, from the `wascap` object.
    pub body: K,
}

/// A token taken apart. Believe nothing in it before [`Parts::check_signature`].
pub(crate) struct Parts<'a> {
    signed: &'a [u8],
    signature: [u8; 64],
    claims: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    typ: String,
    alg: String,
}

#[derive(Deserialize)]
struct StandardWire {
    iss: String,
    sub: String,
    jti: String,
    iat: u64,
    exp: Option<u64>,
    nbf: Option<u64>,
    wascap_revision: Option<u32>,
}

impl<K: Kind> Token<K> {
    /// Reads a token and checks its form, the kinds of its keys, and its signature.
    ///
    /// # Errors
    /// `E_TOKEN` for the form, `E_KEY` for a key, `E_SIGNATURE` when the issuer did not sign it.
    pub fn decode(text: &str) -> Result<Self, ClaimsError> {
        let parts = Parts::split(text.as_bytes())?;
        let token = parts.read()?;
        parts.check_signature(&token.standard.issuer)?;
        Ok(token)
    }
}

impl<'a> Parts<'a> {
    /// Splits and decodes a token and checks its header.
    pub(crate) fn split(text: &'a [u8]) -> Result<Self, ClaimsError> {
        if text.len() > TOKEN_BYTES_MAX {
            let message = format!("the token is longer than {TOKEN_BYTES_MAX} bytes");
            return Err(ClaimsError::token(message));
        }
        let segments: Vec<&[u8]> = text.splitn(4, |byte| *byte == b'.').collect();
        let [header, claims, signature] = segments[..] else {
            return Err(ClaimsError::token("the token does not have three segments"));
        };
        check_header(decode_object("header", header)?)?;
        let claims = decode_object("claims", claims)?;
        let signature = decode("signature", signature)?
            .try_into()
            .map_err(|_| ClaimsError::token("the token's signature is not 64 bytes"))?;
        let signed = &text[..text.len() - segments[2].len() - 1];
        Ok(Self { signed, signature, claims })
    }

    /// The claims as JSON, unchecked: for people who want to see why a token is refused.
    pub(crate) fn raw_claims(&self) -> &Map<String, Value> {
        &self.claims
    }

    /// The claims as one kind of token. The caller still has to check the signature.
    pub(crate) fn read<K: Kind>(&self) -> Result<Token<K>, ClaimsError> {
        let standard = self.read_standard::<K>()?;
        let body: K = serde_json::from_value(self.body::<K>()?).map_err(|source| {
            let message = format!("the claims do not fit a token of kind {}", K::NAME);
            ClaimsError::token(message).caused_by(source)
        })?;
        body.check()?;
        Ok(Token { standard, body })
    }

    /// Checks that `issuer` signed the token.
    pub(crate) fn check_signature(&self, issuer: &PublicKey) -> Result<(), ClaimsError> {
        issuer.verify_strict(self.signed, &self.signature)
    }

    fn read_standard<K: Kind>(&self) -> Result<Standard, ClaimsError> {
        let wire = StandardWire::deserialize(&self.claims).map_err(|source| {
            ClaimsError::token("a standard claim is missing or malformed").caused_by(source)
        })?;
        for (name, text) in [("iss", &wire.iss), ("sub", &wire.sub), ("jti", &wire.jti)] {
            if text.is_empty() {
                return Err(ClaimsError::token(format!("the claim `{name}` is empty")));
            }
        }
        check_text("sub or jti", [wire.sub.as_str(), &wire.jti])?;
        check_subject::<K>(&wire.sub)?;
        Ok(Standard {
            issuer: read_issuer::<K>(&wire.iss)?,
            subject: wire.sub,
            id: wire.jti,
            issued_at: wire.iat,
            expires: wire.exp,
            not_before: wire.nbf,
            revision: wire.wascap_revision,
        })
    }

    /// The kind's own fields: in `wascap`, or in the layout of 2019 at top level.
    fn body<K: Kind>(&self) -> Result<Value, ClaimsError> {
        match (self.claims.get("wascap"), K::FLAT && self.claims.contains_key("hash")) {
            (Some(body @ Value::Object(_)), false) => Ok(body.clone()),
            (None, true) => Ok(Value::Object(self.claims.clone())),
            (Some(_), true) => Err(ClaimsError::token("the token has both of wascap's layouts")),
            _ => Err(ClaimsError::token("the token has no `wascap` object")),
        }
    }
}

pub(super) fn check_subject<K: Kind>(subject: &str) -> Result<(), ClaimsError> {
    match K::SUBJECTS {
        [] => Ok(()),
        [kind] => PublicKey::parse_kind(subject, *kind).map(drop),
        kinds => check_kind::<K>(&PublicKey::parse(subject)?, kinds),
    }
}

pub(super) fn check_kind<K: Kind>(key: &PublicKey, kinds: &[KeyKind]) -> Result<(), ClaimsError> {
    if kinds.contains(&key.kind()) {
        return Ok(());
    }
    let (found, name) = (key.kind(), K::NAME);
    let wanted: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
    let wanted = wanted.join(" or ");
    let message = format!("{key} is a {found} key; a token of kind {name} needs: {wanted}");
    Err(ClaimsError::new(Code::Key, message))
}

fn read_issuer<K: Kind>(text: &str) -> Result<PublicKey, ClaimsError> {
    let issuer = PublicKey::parse(text)?;
    check_kind::<K>(&issuer, K::ISSUERS)?;
    Ok(issuer)
}

fn check_header(header: Map<String, Value>) -> Result<(), ClaimsError> {
    let header: Header = serde_json::from_value(Value::Object(header)).map_err(|source| {
        ClaimsError::token("the token's header must have `typ` and `alg` and nothing else")
            .caused_by(source)
    })?;
    if header.typ != "jwt" {
        return Err(ClaimsError::token("the token's `typ` is not `jwt`"));
    }
    if !matches!(header.alg.as_str(), "Ed25519" | "EdDSA") {
        return Err(ClaimsError::token("the token's `alg` is neither `Ed25519` nor `EdDSA`"));
    }
    Ok(())
}

/// The JSON object in a segment, in which no key stands twice.
pub(crate) fn decode_object(what: &str, segment: &[u8]) -> Result<Map<String, Value>, ClaimsError> {
    let not_object = || ClaimsError::token(format!("the token's {what} is not a JSON object"));
    match json::parse(&decode(what, segment)?) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(_) => Err(not_object()),
        Err(source) => Err(not_object().caused_by(source)),
    }
}

fn decode(what: &str, segment: &[u8]) -> Result<Vec<u8>, ClaimsError> {
    URL_SAFE_NO_PAD.decode(segment).map_err(|source| {
        ClaimsError::token(format!("the token's {what} is not base64url without padding"))
            .caused_by(source)
    })
}
