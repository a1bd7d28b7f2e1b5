//! What `trellis sign` prints.

use std::fmt;
use std::path::Path;

use serde::Serialize;
use trellis_claims::{ActorClaims, PublicKey, SystemClock};

use crate::commands::inspect::window;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Signed {
    result: &'static str,
    name: String,
    module: PublicKey,
    issuer: PublicKey,
    /// Which key signed: its name in the keystore, or its file.
    issuer_key: String,
    hash: String,
    caps: Vec<String>,
    expires: Option<u64>,
    expires_human: String,
    size_bytes: usize,
    destination: String,
}

impl Signed {
    pub(super) fn new(
        claims: &ActorClaims,
        issuer_key: String,
        destination: &Path,
        size_bytes: usize,
        unchanged: bool,
    ) -> Self {
        Self {
            result: if unchanged { "unchanged" } else { "signed" },
            name: claims.display_name().to_owned(),
            module: claims.subject.clone(),
            issuer: claims.issuer.clone(),
            issuer_key,
            hash: claims.hash.clone(),
            caps: claims.caps.clone(),
            expires: claims.expires,
            expires_human: window(claims, &SystemClock).expires,
            size_bytes,
            destination: destination.display().to_string(),
        }
    }
}

impl fmt::Display for Signed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let caps = if self.caps.is_empty() { "nothing".to_owned() } else { self.caps.join(", ") };
        writeln!(f, "{} {}", self.result, self.destination)?;
        writeln!(f, "  name     {}", self.name)?;
        writeln!(f, "  module   {}", self.module)?;
        writeln!(f, "  issuer   {} ({})", self.issuer, self.issuer_key)?;
        writeln!(f, "  hash     {}", self.hash)?;
        writeln!(f, "  may use  {caps}")?;
        writeln!(f, "  expires  {}", self.expires_human)?;
        writeln!(f, "  size     {} bytes", self.size_bytes)
    }
}
