//! What a provider's process writes: lines of the host's log.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tracing::Level;
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
    /// Lines left out that nobody was told of.
    lost: u64,
    last: VecDeque<String>,
}

impl ProcessLog {
    pub(super) fn new(provider: &str) -> Self {
        let bucket = TokenBucket::new(LINES_PER_S, BURST_LINES, Instant::now());
        let state = Mutex::new(State { bucket, lost: 0, last: VecDeque::new() });
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
        if !self.remember(&line, is_shown(level)) {
            return;
        }
        self.tell_lost();
        match level {
            LogLevel::Error => tracing::error!(target: "provider", provider, "{line}"),
            LogLevel::Warn => tracing::warn!(target: "provider", provider, "{line}"),
            LogLevel::Info => tracing::info!(target: "provider", provider, "{line}"),
            LogLevel::Debug => tracing::debug!(target: "provider", provider, "{line}"),
        }
    }

    /// Counts lines that were left out.
    pub(super) fn lose(&self, lines: usize) {
        self.0.state.lock().lost += lines as u64;
    }

    /// Says how many lines were left out since this was last said.
    pub(super) fn tell_lost(&self) {
        let lost = std::mem::take(&mut self.0.state.lock().lost);
        if lost > 0 {
            let provider = &*self.0.provider;
            tracing::warn!(target: "provider", provider, lost, "lines were lost: too many");
        }
    }

    /// What it wrote last, as the end of a sentence about how the process ended; it is forgotten.
    /// Most languages name the error somewhere above where it came from.
    pub(super) fn last_words(&self) -> String {
        self.last_line().map(|line| format!("; it wrote: {line}")).unwrap_or_default()
    }

    /// The last line that says something; all are forgotten.
    pub(super) fn last_line(&self) -> Option<String> {
        let lines: Vec<_> = self.0.state.lock().last.drain(..).collect();
        let names_it = |line: &&String| line.contains("rror");
        let line = lines.iter().rev().find(names_it).or(lines.last())?;
        Some(line.trim().to_owned())
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

    /// Keeps a line for later; true when it is to be written. Lines that the host's log does not
    /// show take no room from those that it does.
    fn remember(&self, line: &str, shown: bool) -> bool {
        let mut state = self.0.state.lock();
        if state.last.len() == LAST_LINES {
            state.last.pop_front();
        }
        state.last.push_back(line.to_owned());
        if !shown {
            return false;
        }
        let passes = state.bucket.take(Instant::now()).is_some();
        state.lost += u64::from(!passes);
        passes
    }
}

/// True when the host's log shows lines of that level.
fn is_shown(level: LogLevel) -> bool {
    match level {
        LogLevel::Error => tracing::enabled!(target: "provider", Level::ERROR),
        LogLevel::Warn => tracing::enabled!(target: "provider", Level::WARN),
        LogLevel::Info => tracing::enabled!(target: "provider", Level::INFO),
        LogLevel::Debug => tracing::enabled!(target: "provider", Level::DEBUG),
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
