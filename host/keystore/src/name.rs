//! Names of keys, which are also names of files.

use std::fmt;
use std::str::FromStr;

use trellis_claims::KeyKind;

use crate::error::KeystoreError;
use crate::seed::refuse_seed;

/// The name of the keys that are used when none is named.
pub const DEFAULT_NAME: &str = "default";
/// Longest name, in bytes; with the kind it stays below what file systems take.
const NAME_BYTES_MAX: usize = 100;
/// What key files end in.
const EXTENSION: &str = ".nk";

/// A checked name of a key: one file name component, printable, not hidden.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct KeyName(String);

impl KeyName {
    /// The name's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for KeyName {
    /// [`DEFAULT_NAME`].
    fn default() -> Self {
        Self(DEFAULT_NAME.to_owned())
    }
}

impl FromStr for KeyName {
    type Err = KeystoreError;

    fn from_str(text: &str) -> Result<Self, KeystoreError> {
        let reason = if text.is_empty() {
            "it is empty"
        } else if text.len() > NAME_BYTES_MAX {
            "it is longer than 100 bytes"
        } else if text.starts_with(['.', '-']) {
            "it starts with a dot or a hyphen"
        } else if text.trim() != text {
            "it has white space around it"
        } else if text.chars().any(|c| c.is_control() || c == '/' || c == '\\') {
            "it has a slash or a control character in it"
        } else {
            refuse_seed(text)?;
            return Ok(Self(text.to_owned()));
        };
        Err(KeystoreError::BadName { name: text.to_owned(), reason })
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `<name>_<kind>.nk`.
pub(crate) fn file_name(name: &KeyName, kind: KeyKind) -> String {
    format!("{name}_{kind}{EXTENSION}")
}

/// The name and kind of a key file; `None` for any other file.
pub(crate) fn parse_file_name(file_name: &str) -> Option<(KeyName, KeyKind)> {
    let (name, kind) = file_name.strip_suffix(EXTENSION)?.rsplit_once('_')?;
    Some((name.parse().ok()?, KeyKind::parse(kind)?))
}
