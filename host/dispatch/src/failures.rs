//! A line for each call that failed. The caller is told a code and little more (an HTTP client must
//! not learn what is inside); whoever runs the host finds the whole sentence in the log.

use std::time::Instant;

use parking_lot::Mutex;
use trellis_core::{CallError, ErrorKind, Trace};
use trellis_meters::TokenBucket;

/// Lines a second for one target, after the burst.
const LINES_PER_S: u32 = 10;
/// Lines at once for one target.
const BURST_LINES: u32 = 100;
/// Longest sentence; an actor's error is its own text, of any length.
const SENTENCE_CHARS_MAX: usize = 512;

/// Failed calls of one target, as log lines: bounded, so that a target that fails always cannot
/// drown the log; what is left out is counted and reported with the next line.
pub(crate) struct FailureLog {
    target: String,
    bucket: Mutex<TokenBucket>,
}

impl FailureLog {
    /// The log of the target of this name.
    pub(crate) fn of_target(name: &str) -> Self {
        let bucket = TokenBucket::new(LINES_PER_S, BURST_LINES, Instant::now());
        Self { target: name.to_owned(), bucket: Mutex::new(bucket) }
    }

    /// Writes what an operator should see: a target that failed or was late. Refusals of what the
    /// caller asked (a wrong message, a name nobody has) are the caller's affair.
    #[cold]
    pub(crate) fn write(&self, error: &CallError, trace: Trace) {
        if !matches!(error.kind(), ErrorKind::Guest | ErrorKind::Deadline | ErrorKind::Provider) {
            return;
        }
        let Some(left_out) = self.bucket.lock().take(Instant::now()) else { return };
        tracing::warn!(
            target: "call",
            callee = self.target,
            code = error.code().as_str(),
            trace_id = format_args!("{:032x}", trace.trace_id()),
            left_out,
            "failed: {}", printable(error.message()),
        );
    }
}

/// The start of a sentence, on one line, without control characters.
fn printable(sentence: &str) -> String {
    let escape = |c: char| match c {
        '"' | '\'' | '\\' => vec![c],
        other => other.escape_debug().collect(),
    };
    sentence.chars().take(SENTENCE_CHARS_MAX).flat_map(escape).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_stays_on_its_line() {
        assert_eq!(printable("it's\n\"so\"\u{1b}[31m é"), "it's\\n\"so\"\\u{1b}[31m é");
        assert_eq!(printable(&"x".repeat(10_000)).len(), SENTENCE_CHARS_MAX);
    }
}
