//! Why a key, a token or a module is refused.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

use trellis_core::{CallError, Code};

/// A stable code, a sentence that names what is wrong, and sometimes the library error beneath it.
#[derive(Clone, Debug)]
pub struct ClaimsError {
    code: Code,
    message: Cow<'static, str>,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

impl ClaimsError {
    /// An error with its sentence.
    pub(crate) fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, message: message.into(), source: None }
    }

    /// The same error with what caused it, which [`Error::source`] returns.
    pub(crate) fn caused_by(mut self, source: impl Error + Send + Sync + 'static) -> Self {
        self.source = Some(Arc::new(source));
        self
    }

    /// A malformed token.
    pub(crate) fn token(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::Token, message)
    }

    /// The stable code, one of `E_MODULE_INVALID`, `E_UNSIGNED`, `E_SECTION`, `E_TOKEN`, `E_KEY`,
    /// `E_SIGNATURE`, `E_HASH`, `E_EXPIRED`, `E_NOT_YET`, `E_ISSUER`, `E_REVOKED`, `E_REVISION` or
    /// (for a draft that cannot be signed) `E_CONFIG`.
    #[must_use]
    pub const fn code(&self) -> Code {
        self.code
    }

    /// The sentence, without the code.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for ClaimsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl Error for ClaimsError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

impl From<ClaimsError> for CallError {
    fn from(error: ClaimsError) -> Self {
        Self::new(error.code, error.message)
    }
}
