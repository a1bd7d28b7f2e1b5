//! What the kinds of token have in common.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::ClaimsError;
use crate::nkey::KeyKind;

/// What tells the kinds of token apart.
pub trait Kind: Serialize + DeserializeOwned {
    /// The kind's name in messages.
    const NAME: &'static str;
    /// The kinds of key that may sign it.
    const ISSUERS: &'static [KeyKind];
    /// The kinds of key it may be about; empty when the subject is no key.
    const SUBJECTS: &'static [KeyKind];
    /// True when the layout of 2019, with the body's fields at top level, exists for this kind.
    const FLAT: bool = false;

    /// Checks what the types alone cannot.
    ///
    /// # Errors
    /// `E_TOKEN` with what is wrong.
    fn check(&self) -> Result<(), ClaimsError> {
        Ok(())
    }
}
