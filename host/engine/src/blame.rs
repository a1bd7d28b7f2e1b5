//! Whose failure it is when a guest answers with an error.
//!
//! A guest that ends its words with the host's (so does every `?`) failed because of what the host
//! had told it. Its caller cannot see that, so the host says it. It only believes what it told the
//! guest itself in this call: no guest can make up an outage or blame a limit.

use std::time::Duration;

use trellis_core::{CallError, Code};

/// A host call of a guest that failed, and the text the guest was given.
pub(crate) struct Told {
    pub(crate) error: CallError,
    pub(crate) text: String,
}

/// The error of a guest that answered with `text`; `told` is the last failure it was told of.
#[cold]
pub(crate) fn of_answer(text: String, told: Option<Told>) -> CallError {
    let passed_on = told.filter(|told| text.ends_with(&told.text));
    let code = passed_on.as_ref().map_or(Code::Guest, |told| passed_on_as(told.error.code()));
    // What the code says, the text need not say again.
    let sentence = text.strip_prefix(code.as_str()).and_then(|rest| rest.strip_prefix(": "));
    let error = match sentence.filter(|_| code != Code::Guest) {
        Some(sentence) => CallError::new(code, sentence.to_owned()),
        None => CallError::new(code, text),
    };
    // An outage is over for the guest's caller when it is for the guest.
    let pause = passed_on.and_then(|told| told.error.retry_after_s());
    match pause.filter(|_| code != Code::Guest) {
        Some(seconds) => error.retry_after(Duration::from_secs(seconds.into())),
        None => error,
    }
}

/// What a failure is to the caller of the guest that passes it on.
const fn passed_on_as(code: Code) -> Code {
    match code {
        // An outage is one for every caller that needs what is out. When one of the guest's limits
        // ends it, the caller sees that limit's code; so it does when the guest gives up by itself.
        Code::Provider | Code::Storage | Code::Timeout | Code::Quota | Code::Depth => code,
        // What the guest needs is unavailable for now. These codes promise that nothing was
        // done yet, but the guest may have done something before.
        Code::Busy | Code::Stopping | Code::CrashLoop => Code::Provider,
        // What the guest may not do, or did wrong, is neither a refusal of its caller nor its
        // caller's fault.
        _ => Code::Guest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(code: Code) -> Option<Told> {
        let error = CallError::new(code, "why").retry_after(Duration::from_secs(42));
        Some(Told { text: error.to_string(), error })
    }

    #[test]
    fn what_a_guest_cannot_help_is_passed_on() {
        for (code, seen, says) in [
            (Code::Provider, Code::Provider, "why"),
            (Code::Storage, Code::Storage, "why"),
            (Code::Timeout, Code::Timeout, "why"),
            (Code::Quota, Code::Quota, "why"),
            (Code::Depth, Code::Depth, "why"),
            (Code::Busy, Code::Provider, "E_BUSY: why"),
            (Code::Stopping, Code::Provider, "E_STOPPING: why"),
            (Code::CrashLoop, Code::Provider, "E_CRASH_LOOP: why"),
            (Code::Denied, Code::Guest, "E_DENIED: why"),
            (Code::NotFound, Code::Guest, "E_NOT_FOUND: why"),
            (Code::Message, Code::Guest, "E_MESSAGE: why"),
            (Code::Trap, Code::Guest, "E_TRAP: why"),
            (Code::Internal, Code::Guest, "E_INTERNAL: why"),
        ] {
            let text = format!("{code}: why");
            let error = of_answer(text.clone(), told(code));
            assert_eq!((error.code(), error.message()), (seen, says));
            let pause = (seen != Code::Guest).then_some(42);
            assert_eq!(error.retry_after_s(), pause, "{code}");
            let error = of_answer(format!("storing: {text}"), told(code));
            assert_eq!((error.code(), error.message()), (seen, &*format!("storing: {text}")));
        }
    }

    #[test]
    fn what_it_was_not_told_stays_its_own() {
        for told in [None, told(Code::Storage)] {
            let error = of_answer("E_PROVIDER: why".to_owned(), told);
            assert_eq!((error.code(), error.message()), (Code::Guest, "E_PROVIDER: why"));
        }
        let error = of_answer("E_GUEST: why".to_owned(), None);
        assert_eq!(error.message(), "E_GUEST: why");
    }

    /// Whoever retries on a code that promises that nothing was done must be right.
    #[test]
    fn nothing_that_is_passed_on_promises_that_nothing_was_done() {
        for code in Code::ALL {
            assert!(!passed_on_as(*code).retry_is_safe(), "{code}");
        }
    }
}
