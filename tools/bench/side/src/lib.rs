//! What every measured side shares: the guests, the timed loop, and its input and output.
//!
//! A side is a process, so its allocator, threads and wasmtime features do not affect another side.
//! It reads lines of `ROW MILLISECONDS` and answers each with one line: the nanoseconds of one
//! operation, or `error` and the reason. The runner decides when a side measures.
//!
//! **Deliberately absent:** rounds, medians and goals. A side only measures when it is asked to.

use std::io::{self, BufRead, Write};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// A guest that replies to every call with its payload.
pub const ECHO: &str = include_str!("../../guests/echo.wat");
/// A guest that sends its payload to the host and replies with what it gets back.
const RELAY: &str = include_str!("../../guests/relay.wat");
/// Operations between two looks at the clock.
const BATCH: u32 = 64;
/// The warm-up, as a part of the measured time.
const WARM_UP: f64 = 0.2;

/// The message every call carries: 128 bytes.
pub const PAYLOAD: [u8; 128] = [b'x'; 128];

/// The guest for a row, by the last part of its name: `warm-echo` runs `echo`.
///
/// # Errors
/// When there is no such guest.
pub fn guest(row: &str) -> Result<Vec<u8>> {
    let text = match row.rsplit_once('-') {
        Some((_, "echo")) => ECHO,
        Some((_, "relay")) => RELAY,
        _ => bail!("no guest for {row}"),
    };
    wat::parse_str(text).context("assembling a fixture")
}

/// Repeats an operation and returns the nanoseconds of one.
///
/// # Errors
/// The operation's first error.
pub async fn time(
    longest: Duration,
    mut operation: impl AsyncFnMut() -> Result<()>,
) -> Result<f64> {
    batches(longest.mul_f64(WARM_UP), &mut operation).await?;
    batches(longest, &mut operation).await
}

async fn batches(
    longest: Duration,
    operation: &mut impl AsyncFnMut() -> Result<()>,
) -> Result<f64> {
    let started = Instant::now();
    let mut count = 0_u32;
    while started.elapsed() < longest {
        for _ in 0..BATCH {
            operation().await?;
        }
        count += BATCH;
    }
    Ok(started.elapsed().as_nanos() as f64 / f64::from(count.max(1)))
}

/// Answers requests until the input ends. `measure` returns the nanoseconds of one operation.
///
/// # Errors
/// When standard input or output is closed.
pub fn serve(measure: impl AsyncFn(&str, Duration) -> Result<f64>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    for line in io::stdin().lock().lines() {
        let line = line?;
        let answer = match request(&line) {
            Ok((row, longest)) => runtime.block_on(measure(row, longest)),
            Err(error) => Err(error),
        };
        let mut out = io::stdout().lock();
        match answer {
            Ok(nanoseconds) => writeln!(out, "{nanoseconds}")?,
            Err(error) => writeln!(out, "error {error:#}")?,
        }
        out.flush()?;
    }
    Ok(())
}

fn request(line: &str) -> Result<(&str, Duration)> {
    let (row, millis) = line.split_once(' ').context("a request is `ROW MILLISECONDS`")?;
    Ok((row, Duration::from_millis(millis.parse().context("milliseconds")?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fixtures_assemble() {
        for row in ["warm-echo", "fresh-relay"] {
            assert!(!guest(row).expect("a fixture").is_empty());
        }
        assert!(guest("warm-nothing").is_err());
    }

    #[test]
    fn a_request_names_a_row_and_a_time() {
        let expected = ("warm-echo", Duration::from_millis(250));
        assert_eq!(request("warm-echo 250").expect("a request"), expected);
        assert!(request("warm-echo").is_err() && request("warm-echo x").is_err());
    }
}
