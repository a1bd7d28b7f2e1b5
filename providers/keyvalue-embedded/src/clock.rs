//! The time by which keys expire.

use std::time::{SystemTime, UNIX_EPOCH};

use trellis_core::{CallError, Code};

/// A wall clock; expiry times are kept in files, so they must mean the same after a restart.
pub trait Clock: Send + Sync + 'static {
    /// Milliseconds since 1970.
    fn now_ms(&self) -> u64;
}

/// The host's clock.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_ms(&self) -> u64 {
        // The one place: everything else is given a clock.
        #[expect(clippy::disallowed_methods, reason = "this is the clock that is given")]
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }
}

/// How long a key lives that is set with `expires` seconds; `None` = for ever.
///
/// # Errors
/// [`Code::Message`] when it is negative.
pub(crate) fn time_to_live_ms(expires: i32) -> Result<Option<u64>, CallError> {
    match u64::try_from(expires) {
        Ok(0) => Ok(None),
        Ok(seconds) => Ok(Some(seconds * 1_000)),
        Err(_) => Err(CallError::new(Code::Message, "`expires` must not be negative")),
    }
}
