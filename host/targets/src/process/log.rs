//! What a provider's process writes: lines of the host's log.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use trellis_meters::TokenBucket;
use trellis_providers_sdk::process::LogLevel;

/// Lines a second of one provider, after the burst.
const LINES_PER_S: u32 = 100;
/// Lines at once.
const BURST_LINES: u32 = 1_000;
/// Longest line, in bytes; the rest is cut.
const LINE_BYTES_MAX: usize = 8 << 10;
/// Lines that are kept for who asks why a process ended.
const LAST_LINES: usize = 40;

/// The log of one provider, whichever process it is at the moment. Cheap to clone.
#[derive(Clone)]
pub(super) struct ProcessLog(Arc<Inner>);

struct Inner {
    provider: String,
    state: Mutex<State>,
}

struct State {
    bucket: TokenBucket,
    last: VecDeque<String>,
}

impl ProcessLog {
    pub(super) fn new(provider: &str) -> Self {
        let bucket = TokenBucket::new(LINES_PER_S, BURST_LINES, Instant::now());
        let state = Mutex::new(State { bucket, last: VecDeque::new() });
        Self(Arc::new(Inner { provider: provider.to_owned(), state }))
    }

    /// Writes a line, if there are not too many.
    pub(super) fn write(&self, level: LogLevel, line: &str) {
        let line = &line[..line.floor_char_boundary(LINE_BYTES_MAX)];
        let line: String = line.trim_end().chars().flat_map(shown).collect();
        if line.trim().is_empty() {
            return;
        }
        let provider = &*self.0.provider;
        let Some(lost) = self.remember(&line) else { return };
        if lost > 0 {
            tracing::warn!(target: "provider", provider, lost, "lines were lost: too many");
        }
        match level {
            LogLevel::Error => tracing::error!(target: "provider", provider, "{line}"),
            LogLevel::Warn => tracing::warn!(target: "provider", provider, "{line}"),
            LogLevel::Info => tracing::info!(target: "provider", provider, "{line}"),
            LogLevel::Debug => tracing::debug!(target: "provider", provider, "{line}"),
        }
    }

    /// What it wrote last, as the end of a sentence about how the process ended; it is forgotten.
    /// Most languages name the error somewhere above where it came from.
    pub(super) fn last_words(&self) -> String {
        let lines: Vec<_> = self.0.state.lock().last.drain(..).collect();
        let names_it = |line: &&String| line.contains("rror");
        match lines.iter().rev().find(names_it).or(lines.last()) {
            Some(line) => format!("; it wrote: {}", line.trim()),
            None => String::new(),
        }
    }

    /// Reads lines until the stream ends. What is written without an end of a line is cut up.
    pub(super) async fn follow(self, stream: impl AsyncRead + Unpin, level: LogLevel) {
        let mut reader = BufReader::new(stream);
        let mut line = Vec::new();
        loop {
            let (used, whole) = match reader.fill_buf().await {
                Ok([]) | Err(_) => break,
                Ok(bytes) => {
                    let end = bytes.iter().position(|byte| *byte == b'\n');
                    let used = end.map_or(bytes.len(), |at| at + 1);
                    let room = LINE_BYTES_MAX.saturating_sub(line.len());
                    line.extend_from_slice(&bytes[..used.min(room)]);
                    (used, end.is_some())
                }
            };
            reader.consume(used);
            if whole {
                self.write(level, &String::from_utf8_lossy(&line));
                line.clear();
            }
        }
        self.write(level, &String::from_utf8_lossy(&line));
    }

    /// Keeps a line for later; how many were left out before it, or `None` to leave it out.
    fn remember(&self, line: &str) -> Option<u64> {
        let mut state = self.0.state.lock();
        if state.last.len() == LAST_LINES {
            state.last.pop_front();
        }
        state.last.push_back(line.to_owned());
        state.bucket.take(Instant::now())
    }
}

/// A character as it may stand in a log: what would move the cursor is spelled out.
fn shown(letter: char) -> impl Iterator<Item = char> {
    let (plain, spelled) = match letter.is_control() && letter != '\t' {
        true => (None, Some(letter.escape_default())),
        false => (Some(letter), None),
    };
    plain.into_iter().chain(spelled.into_iter().flatten())
}
