//! What `trellis par create` and `trellis par insert` print.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde::Serialize;
use trellis_claims::token::{Provider, Token};
use trellis_claims::{PublicKey, SystemClock};

use crate::commands::inspect::window;

/// An archive as it was signed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Sealed {
    /// `created`, `inserted` or `unchanged`.
    result: &'static str,
    name: Option<String>,
    provider: String,
    issuer: PublicKey,
    /// Which key signed: its name in the keystore, or its file.
    issuer_key: String,
    capability: Option<String>,
    vendor: String,
    revision: Option<i32>,
    version: Option<String>,
    expires: Option<u64>,
    expires_human: String,
    /// Upper-case SHA-256 by platform.
    targets: BTreeMap<String, String>,
    size_bytes: usize,
    destination: String,
}

impl Sealed {
    /// What came of it, the claims and the key that signed them, the archive and its size.
    pub(super) fn new(
        result: &'static str,
        (token, issuer_key): (Token<Provider>, String),
        (destination, size_bytes): (&Path, usize),
    ) -> Self {
        let Token { standard, body } = token;
        let window = window(standard.not_before, standard.expires, &SystemClock);
        Self {
            result,
            name: body.name,
            provider: standard.subject,
            issuer: standard.issuer,
            issuer_key,
            capability: body.contract,
            vendor: body.vendor,
            revision: body.revision,
            version: body.version,
            expires: standard.expires,
            expires_human: window.expires,
            targets: body.target_hashes,
            size_bytes,
            destination: destination.display().to_string(),
        }
    }
}

impl fmt::Display for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        writeln!(f, "{} {}", self.result, self.destination)?;
        writeln!(f, "  name      {}", or_none(&self.name))?;
        writeln!(f, "  provider  {}", self.provider)?;
        writeln!(f, "  issuer    {} ({})", self.issuer, self.issuer_key)?;
        writeln!(f, "  serves    {}", or_none(&self.capability))?;
        writeln!(f, "  vendor    {}", self.vendor)?;
        writeln!(f, "  expires   {}", self.expires_human)?;
        for (target, hash) in &self.targets {
            writeln!(f, "  program   {target}  {hash}")?;
        }
        writeln!(f, "  size      {} bytes", self.size_bytes)
    }
}

/// True when both say the same of the same programs, whenever they were signed.
pub(super) fn says_the_same(one: &Token<Provider>, other: &Token<Provider>) -> bool {
    let timeless = |token: &Token<Provider>| {
        let mut standard = token.standard.clone();
        (standard.id, standard.issued_at) = (String::new(), 0);
        standard
    };
    timeless(one) == timeless(other) && one.body == other.body
}
