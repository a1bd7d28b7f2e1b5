//! Operations that measure themselves.

use std::time::{Duration, Instant};

use anyhow::Result;

/// Fewest operations a median is taken of.
const OPERATIONS_MIN: usize = 5;

/// The median of what an operation measures of itself, in nanoseconds, over as many as fit.
pub(super) async fn of(
    longest: Duration,
    mut operation: impl AsyncFnMut() -> Result<Duration>,
) -> Result<f64> {
    let began = Instant::now();
    let mut taken = Vec::new();
    while taken.len() < OPERATIONS_MIN || began.elapsed() < longest {
        taken.push(operation().await?.as_nanos() as f64);
    }
    taken.sort_by(f64::total_cmp);
    Ok(taken[taken.len() / 2])
}
