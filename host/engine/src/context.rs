//! What all instances of one actor share.

use std::sync::Arc;

use trellis_core::{CallError, Code};
use trellis_limits::{ActorLimits, in_manifest, named};

use crate::briefing::Briefing;
use crate::host_calls::HostCalls;
use crate::in_flight::InFlight;
use crate::log::ActorLog;
use crate::metrics::Metrics;

/// An actor's name, its bounds and its ways out of the sandbox.
pub(crate) struct ActorContext {
    pub(crate) name: Arc<str>,
    pub(crate) limits: ActorLimits,
    pub(crate) host: Arc<dyn HostCalls>,
    /// What its instances have to know.
    pub(crate) briefing: Option<Arc<dyn Briefing>>,
    pub(crate) log: ActorLog,
    pub(crate) in_flight: Arc<InFlight>,
    pub(crate) metrics: Arc<Metrics>,
}

impl ActorContext {
    /// `E_TOO_LARGE` when a message is over `payload_bytes_max`.
    #[inline]
    pub(crate) fn check_payload(&self, what: &str, bytes: usize) -> Result<(), CallError> {
        if bytes <= self.limits.payload_bytes_max as usize {
            return Ok(());
        }
        self.metrics.limit_hit("payload_bytes_max");
        let (max, place) = (self.limits.payload_bytes_max, place("payload_bytes_max"));
        let message = format!("the {what} has {bytes} bytes, payload_bytes_max is {max}{place}");
        Err(CallError::new(Code::TooLarge, message))
    }

    /// `E_QUOTA` when one call made more than `host_calls_per_call_max` host calls.
    #[inline]
    pub(crate) fn check_host_calls(&self, made: u32) -> Result<(), CallError> {
        let max = self.limits.host_calls_per_call_max;
        if made <= max {
            return Ok(());
        }
        self.metrics.limit_hit("host_calls_per_call_max");
        let limit = named("host_calls_per_call_max");
        let message = format!("a call may make at most {max} host calls ({limit})");
        Err(CallError::new(Code::Quota, message))
    }

    /// The name, if it is within `name_bytes_max`, UTF-8 and free of control characters.
    ///
    /// # Errors
    /// `E_BAD_NAME`; the message says which name and why, never the name itself.
    #[inline]
    pub(crate) fn check_name<'a>(&self, what: &str, bytes: &'a [u8]) -> Result<&'a str, CallError> {
        let max = self.limits.name_bytes_max;
        if bytes.len() > max as usize {
            self.metrics.limit_hit("name_bytes_max");
            let (length, place) = (bytes.len(), place("name_bytes_max"));
            let why = format!("has {length} bytes, name_bytes_max is {max}{place}");
            return Err(bad_name(what, &why));
        }
        clean_name(what, bytes)
    }
}

/// Where a manifest sets a limit, behind its value; nothing when it does not.
#[cold]
pub(crate) fn place(limit: &str) -> String {
    in_manifest(limit).map_or_else(String::new, |place| format!(" ({place})"))
}

#[inline]
fn clean_name<'a>(what: &str, bytes: &'a [u8]) -> Result<&'a str, CallError> {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Err(bad_name(what, "is not UTF-8"));
    };
    // Nearly every name is printable ASCII, which needs no decoding.
    let plain = bytes.iter().all(|b| (0x20..0x7f).contains(b));
    if !plain && text.chars().any(char::is_control) {
        return Err(bad_name(what, "has control characters"));
    }
    Ok(text)
}

#[cold]
pub(crate) fn bad_name(what: &str, why: &str) -> CallError {
    CallError::new(Code::BadName, format!("the {what} {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c8_names_are_clean() {
        assert_eq!(clean_name("operation", "Größe!".as_bytes()).expect("clean"), "Größe!");
        assert_eq!(clean_name("operation", b"").expect("empty is allowed"), "");
        let bad: [&[u8]; 6] = [b"a\0", b"a\n", b"\x1b[2J", b"\x7f", b"\xff", "\u{85}".as_bytes()];
        for bytes in bad {
            let error = clean_name("operation", bytes).expect_err("not clean");
            assert_eq!(error.code(), Code::BadName, "{bytes:?}");
        }
    }
}
