//! What `trellis sign` prints.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde::Serialize;
use trellis_claims::{ActorClaims, PublicKey, SystemClock};
use trellis_core::date::Date;

use crate::commands::inspect::window;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Signed {
    /// `signed` or `unchanged`.
    result: &'static str,
    #[serde(flatten)]
    claims: Claims,
    /// Which key signed: its name in the keystore, or its file.
    issuer_key: String,
    size_bytes: usize,
    destination: String,
    /// What should be looked at again.
    warnings: Vec<String>,
}

/// The claims, as far as a signer cares.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Claims {
    name: String,
    /// True for a provider, which is no actor.
    provider: bool,
    module: PublicKey,
    issuer: PublicKey,
    hash: String,
    caps: Vec<String>,
    grants: BTreeMap<String, Vec<String>>,
    calls: Vec<String>,
    call_alias: Option<String>,
    not_before: Option<u64>,
    not_before_human: String,
    expires: Option<u64>,
    expires_human: String,
}

impl Signed {
    /// What there is to say about these claims.
    pub(super) fn new(claims: &ActorClaims, unchanged: bool) -> Self {
        let window = window(claims.not_before, claims.expires, &SystemClock);
        Self {
            result: if unchanged { "unchanged" } else { "signed" },
            claims: Claims {
                name: claims.display_name().to_owned(),
                provider: claims.provider,
                module: claims.subject.clone(),
                issuer: claims.issuer.clone(),
                hash: claims.hash.clone(),
                caps: claims.caps.clone(),
                grants: claims.grants.clone(),
                calls: claims.calls.clone(),
                call_alias: claims.call_alias.clone(),
                not_before: claims.not_before,
                not_before_human: window.not_before,
                expires: claims.expires,
                expires_human: window.expires,
            },
            issuer_key: String::new(),
            size_bytes: 0,
            destination: String::new(),
            warnings: Vec::new(),
        }
    }

    /// The same, with which key signed and what came of it.
    pub(super) fn with(self, issuer_key: String, destination: &Path, size_bytes: usize) -> Self {
        Self { issuer_key, size_bytes, destination: destination.display().to_string(), ..self }
    }

    /// The same, with what should be looked at again.
    pub(super) fn warned(self, warnings: Vec<String>) -> Self {
        Self { warnings, ..self }
    }
}

/// What is said behind the name of a module.
pub(crate) const fn role(is_provider: bool) -> &'static str {
    if is_provider { " (a provider, and no actor)" } else { "" }
}

impl fmt::Display for Signed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let claims = &self.claims;
        let list = |texts: &[String]| match texts {
            [] => "nothing".to_owned(),
            texts => texts.join(", "),
        };
        writeln!(f, "{} {}", self.result, self.destination)?;
        writeln!(f, "  name     {}{}", claims.name, role(claims.provider))?;
        writeln!(f, "  module   {}", claims.module)?;
        writeln!(f, "  issuer   {} ({})", claims.issuer, self.issuer_key)?;
        writeln!(f, "  hash     {}", claims.hash)?;
        writeln!(f, "  may use  {}", list(&claims.caps))?;
        for (contract, operations) in &claims.grants {
            writeln!(f, "    only   {contract}: {}", list(operations))?;
        }
        if !claims.calls.is_empty() {
            writeln!(f, "  may call {}", list(&claims.calls))?;
        }
        if let Some(begin) = claims.not_before {
            let (date, human) = (Date::of_unix_s(begin), &claims.not_before_human);
            writeln!(f, "  begins   {date} ({human})")?;
        }
        writeln!(f, "  expires  {}", claims.expires_human)?;
        writeln!(f, "  size     {} bytes", self.size_bytes)
    }
}
