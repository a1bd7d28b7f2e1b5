//! Why one call failed.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::{Code, ErrorKind};

/// Why a call failed: a stable code and a sentence that names what is wrong.
///
/// Callers and guests see the message. It may hold names and limits, but never payloads, secrets or
/// paths inside the host.
///
/// One pointer wide, because every result on the road contains it and failures are rare.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CallError(Box<Failure>);

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Failure {
    code: Code,
    message: Cow<'static, str>,
    /// It stays in this process: whoever is outside reads it in the message.
    #[serde(skip)]
    retry_after_s: Option<u32>,
}

impl CallError {
    /// An error with a code and a sentence.
    pub fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Failure { code, message: message.into(), retry_after_s: None }))
    }

    /// The same, of which it is known that it fails again until this time has passed.
    #[must_use]
    pub fn retry_after(mut self, pause: Duration) -> Self {
        let whole = pause.as_secs() + u64::from(pause.subsec_nanos() > 0);
        self.0.retry_after_s = Some(u32::try_from(whole.max(1)).unwrap_or(u32::MAX));
        self
    }

    /// In how many seconds it may be worth to try again, at least one; `None` when nobody knows.
    #[must_use]
    pub fn retry_after_s(&self) -> Option<u32> {
        self.0.retry_after_s
    }

    /// Reads back the text `E_CODE: sentence`, in which errors cross to a guest and back. A text
    /// without a code gets `fallback`.
    #[must_use]
    pub fn from_text(text: String, fallback: Code) -> Self {
        match text.split_once(": ").and_then(|(code, rest)| Some((Code::parse(code)?, rest))) {
            Some((code, rest)) => Self::new(code, rest.to_owned()),
            None => Self::new(fallback, text),
        }
    }

    /// The stable code.
    #[must_use]
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// The kind, from the code.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.code.kind()
    }

    /// The sentence, without the code.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.code, self.0.message)
    }
}

impl fmt::Debug for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Failure { code, message, .. } = &*self.0;
        f.debug_struct("CallError").field("code", code).field("message", message).finish()
    }
}

impl std::error::Error for CallError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_cross_as_text() {
        let error = CallError::new(Code::Denied, "no claim: wascc:keyvalue");
        assert_eq!(CallError::from_text(error.to_string(), Code::Guest), error);
        let plain = CallError::from_text("out of: luck".to_owned(), Code::Guest);
        assert_eq!(plain, CallError::new(Code::Guest, "out of: luck"));
    }

    #[test]
    fn a_pause_is_told_in_whole_seconds_and_never_too_short() {
        let busy = CallError::new(Code::Busy, "");
        assert_eq!(busy.retry_after_s(), None);
        for (ms, told) in
            [(0, 1), (1, 1), (1_000, 1), (1_001, 2), (59_500, 60), (u64::MAX, u32::MAX)]
        {
            let busy = busy.clone().retry_after(Duration::from_millis(ms));
            assert_eq!(busy.retry_after_s(), Some(told), "{ms}");
        }
    }
}
