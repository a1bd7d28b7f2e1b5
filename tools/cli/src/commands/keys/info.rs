//! One key as the commands show it.

use std::fmt;

use serde::Serialize;
use trellis_claims::PublicKey;
use trellis_keystore::{Entry, StoredKey};

/// One key, as the commands show it: never its seed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct KeyInfo {
    pub(super) name: String,
    pub(super) kind: &'static str,
    pub(super) public_key: PublicKey,
    path: String,
}

impl KeyInfo {
    pub(super) fn new(entry: &Entry, public_key: &PublicKey) -> Self {
        Self {
            name: entry.name.to_string(),
            kind: entry.kind.as_str(),
            public_key: public_key.clone(),
            path: entry.path.display().to_string(),
        }
    }
}

impl From<&StoredKey> for KeyInfo {
    fn from(key: &StoredKey) -> Self {
        Self::new(&key.entry, key.pair.public())
    }
}

impl fmt::Display for KeyInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "name        {}", self.name)?;
        writeln!(f, "kind        {}", self.kind)?;
        writeln!(f, "public key  {}", self.public_key)?;
        writeln!(f, "file        {}", self.path)
    }
}
