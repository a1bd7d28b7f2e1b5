//! Seeds as text.

use trellis_claims::KeyPair;

use crate::error::KeystoreError;

/// Reads a seed's text; white space around it is ignored.
///
/// # Errors
/// [`KeystoreError::NotASeed`]; the error names `origin` and never holds the text.
pub fn parse_seed(text: &str, origin: &str) -> Result<KeyPair, KeystoreError> {
    KeyPair::from_seed(text.trim())
        .map_err(|source| KeystoreError::NotASeed { origin: origin.to_owned(), source })
}

/// Refuses a seed where the name of a key is expected, so that it is never echoed.
///
/// # Errors
/// [`KeystoreError::SeedGiven`].
pub fn refuse_seed(text: &str) -> Result<(), KeystoreError> {
    if KeyPair::from_seed(text.trim()).is_ok() { Err(KeystoreError::SeedGiven) } else { Ok(()) }
}
