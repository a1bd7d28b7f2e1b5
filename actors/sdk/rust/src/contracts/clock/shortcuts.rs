//! The clock in the types of the standard library.

use std::time::{Duration, SystemTime};

use trellis_capabilities::clock::Client;
use trellis_core::CallError;

use crate::host::Host;

/// The host's wall clock. What the standard library can do with a `SystemTime` works; only its own
/// `SystemTime::now()` does not, since the target has no clock.
///
/// # Errors
/// Why the host refused the call: the actor does not claim `trellis:clock`.
pub fn now() -> Result<SystemTime, CallError> {
    Ok(SystemTime::UNIX_EPOCH + Duration::from_nanos(host().now()?.unix_nanos))
}

/// Time since some moment that stays the same while the host runs, for measuring: the difference of
/// two readings on one host is what went by between them, whatever happened to the wall clock.
///
/// # Errors
/// As [`now`].
pub fn monotonic() -> Result<Duration, CallError> {
    Ok(Duration::from_nanos(host().now()?.monotonic_nanos))
}

const fn host() -> Client<Host> {
    Client::new(Host)
}
