//! Waiting with a deadline.

use std::thread;
use std::time::{Duration, Instant};

/// How long a test waits for something that must happen soon. Only a failing test waits this long.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Pause between two looks at something that sends no event.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Calls `look` until it succeeds.
///
/// # Errors
/// The last error of `look`, when [`PATIENCE`] ends.
pub fn eventually<T, E>(mut look: impl FnMut() -> Result<T, E>) -> Result<T, E> {
    let until = Instant::now() + PATIENCE;
    loop {
        match look() {
            Err(_) if Instant::now() < until => thread::park_timeout(LOOK_AGAIN),
            settled => return settled,
        }
    }
}
