//! Waiting for what will happen, with an end.

use std::thread;
use std::time::{Duration, Instant};

/// How long a test waits for what must happen soon; only a failing test ever waits this long.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Pause between two looks at something that gives no event.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Looks again and again until `look` is satisfied.
///
/// # Errors
/// What the last look said, once [`PATIENCE`] is over.
pub fn eventually<T, E>(mut look: impl FnMut() -> Result<T, E>) -> Result<T, E> {
    let until = Instant::now() + PATIENCE;
    loop {
        match look() {
            Err(_) if Instant::now() < until => thread::park_timeout(LOOK_AGAIN),
            settled => return settled,
        }
    }
}
