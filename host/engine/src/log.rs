//! What guests print: bounded, made harmless, and handed to a sink.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use trellis_limits::ActorLimits;
use trellis_meters::TokenBucket;

use crate::metrics::Metrics;

/// Where guests' lines go.
pub trait LogSink: Send + Sync {
    /// One line of `actor`: bounded in length and rate, without line breaks or control characters.
    /// Called on the thread that runs the guest, so it must be quick.
    fn line(&self, actor: &str, source: LogSource, line: &str);
}

/// By which road a line came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LogSource {
    /// The console of its ABI, and the last words of a guest that aborts.
    Console,
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// The host itself, about this actor's output.
    Host,
}

/// How the last words of a guest begin that printed them where it prints everything: Rust's panic
/// hook of the guest SDK, Rust's own, an AssemblyScript `abort`, Go's.
const LAST_WORDS: [&str; 4] = ["panicked at ", "thread '", "abort: ", "panic: "];

/// How lines begin that the guest SDK prints where it cannot use the logging capability.
const LEVELS: [(&str, LogLevel); 5] = [
    ("ERROR ", LogLevel::Warn),
    ("WARN ", LogLevel::Warn),
    ("INFO ", LogLevel::Info),
    ("DEBUG ", LogLevel::Debug),
    ("TRACE ", LogLevel::Trace),
];

/// What a line tells of. No guest makes an error of the host.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LogLevel {
    /// Something that went wrong.
    Warn,
    /// Something that happened.
    Info,
    /// What helps to find a mistake.
    Debug,
    /// Each step.
    Trace,
}

impl LogSource {
    /// What a line of this source tells of. Standard error is for what went wrong; elsewhere the
    /// words tell.
    #[must_use]
    pub fn level(self, line: &str) -> LogLevel {
        let begins = |words: &&str| line.starts_with(*words);
        match self {
            Self::Stderr | Self::Host => LogLevel::Warn,
            Self::Console | Self::Stdout if LAST_WORDS.iter().any(begins) => LogLevel::Warn,
            Self::Console => {
                let known = LEVELS.iter().find(|(word, _)| line.starts_with(word));
                known.map_or(LogLevel::Info, |(_, level)| *level)
            }
            Self::Stdout => LogLevel::Info,
        }
    }
}

/// Throws every line away.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoLog;

impl LogSink for NoLog {
    fn line(&self, _actor: &str, _source: LogSource, _line: &str) {}
}

/// How often a running flood is reported.
const REPORT_EVERY: Duration = Duration::from_secs(1);

/// The output of one actor, all its instances together.
pub(crate) struct ActorLog {
    actor: Arc<str>,
    sink: Arc<dyn LogSink>,
    metrics: Arc<Metrics>,
    line_bytes_max: usize,
    rate: Mutex<Rate>,
    /// Lines dropped and not yet reported; read at the end of every call, so outside the lock.
    dropped: AtomicU32,
}

struct Rate {
    bucket: TokenBucket,
    /// When drops were reported last.
    reported: Instant,
}

impl ActorLog {
    pub(crate) fn new(
        actor: Arc<str>,
        sink: Arc<dyn LogSink>,
        metrics: Arc<Metrics>,
        limits: &ActorLimits,
    ) -> Self {
        let now = Instant::now();
        let bucket = TokenBucket::new(limits.log_lines_per_s, limits.log_burst_lines, now);
        Self {
            actor,
            sink,
            metrics,
            line_bytes_max: limits.log_line_bytes_max as usize,
            rate: Mutex::new(Rate { bucket, reported: now }),
            dropped: AtomicU32::new(0),
        }
    }

    /// The longest line, in bytes.
    pub(crate) fn line_bytes_max(&self) -> usize {
        self.line_bytes_max
    }

    /// Writes one line, or counts it as dropped: then it is false.
    pub(crate) fn write(&self, source: LogSource, bytes: &[u8]) -> bool {
        if self.rate.lock().bucket.take(Instant::now()).is_none() {
            self.drop_lines(1);
            return false;
        }
        self.report();
        let cut = bytes.len() > self.line_bytes_max;
        if cut {
            self.metrics.limit_hit("log_line_bytes_max");
        }
        let kept = &bytes[..bytes.len().min(self.line_bytes_max)];
        self.sink.line(&self.actor, source, &harmless(kept, cut));
        true
    }

    /// Counts lines as dropped without looking at them: what a flood is not worth.
    pub(crate) fn drop_lines(&self, count: u32) {
        // Relaxed, here and below: a number to be told, which guards nothing.
        self.dropped.fetch_add(count, Ordering::Relaxed);
        self.metrics.log_lines_dropped(count);
    }

    /// Reports a flood that goes on or has ended; called at the end of every call.
    #[inline]
    pub(crate) fn call_ended(&self) {
        if self.dropped.load(Ordering::Relaxed) != 0 {
            self.report_if_due();
        }
    }

    #[cold]
    fn report_if_due(&self) {
        let due = {
            let mut rate = self.rate.lock();
            let due = rate.reported.elapsed() >= REPORT_EVERY;
            if due {
                rate.reported = Instant::now();
            }
            due
        };
        if due {
            self.report();
        }
    }

    fn report(&self) {
        let dropped = self.dropped.swap(0, Ordering::Relaxed);
        if dropped > 0 {
            let text = format!("{dropped} log lines dropped (log_lines_per_s)");
            self.sink.line(&self.actor, LogSource::Host, &text);
        }
    }
}

impl Drop for ActorLog {
    fn drop(&mut self) {
        self.report();
    }
}

/// `bytes` as one printable line: control characters and line separators escaped, what is not
/// UTF-8 replaced.
fn harmless(bytes: &[u8], cut: bool) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut line = String::with_capacity(text.len() + 3);
    for c in text.trim_end_matches(['\n', '\r']).chars() {
        if is_harmful(c) {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
    }
    if cut {
        line.push('…');
    }
    line
}

/// Characters that could end a log line, drive a terminal or turn the text around.
fn is_harmful(c: char) -> bool {
    let turns =
        matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    (c.is_control() && c != '\t') || turns || matches!(c, '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Lines(Mutex<Vec<String>>);

    impl LogSink for Lines {
        fn line(&self, actor: &str, _source: LogSource, line: &str) {
            self.0.lock().push(format!("{actor}: {line}"));
        }
    }

    fn log(burst: u32, line_bytes_max: u32) -> (Arc<Lines>, ActorLog) {
        let lines = Arc::new(Lines::default());
        let limits = ActorLimits {
            log_burst_lines: burst,
            log_lines_per_s: 0,
            log_line_bytes_max: line_bytes_max,
            ..ActorLimits::default()
        };
        let log = ActorLog::new("a".into(), lines.clone(), Arc::default(), &limits);
        (lines, log)
    }

    #[test]
    fn a_line_cannot_forge_another() {
        let (lines, log) = log(10, 100);
        log.write(LogSource::Console, b"ok\n{\"level\":\"error\"}\x1b[2J\xff\n");
        assert_eq!(*lines.0.lock(), ["a: ok\\n{\"level\":\"error\"}\\u{1b}[2J\u{fffd}"]);
    }

    #[test]
    fn floods_are_dropped_counted_and_reported() {
        let (lines, log) = log(3, 100);
        for _ in 0..1_000 {
            log.write(LogSource::Console, b"x");
        }
        drop(log);
        assert_eq!(
            *lines.0.lock(),
            ["a: x", "a: x", "a: x", "a: 997 log lines dropped (log_lines_per_s)"]
        );
    }

    #[test]
    fn last_words_are_warnings_wherever_they_are_printed() {
        for line in [
            "panicked at src/lib.rs:7:3:\\nno",
            "thread '<unnamed>' panicked at src/lib.rs:7:3:",
            "abort: no in index.ts(7:3)",
            "panic: runtime error: index out of range",
        ] {
            for source in [LogSource::Console, LogSource::Stdout] {
                assert_eq!(source.level(line), LogLevel::Warn, "{line}");
            }
        }
        assert_eq!(LogSource::Console.level("nothing panicked at all"), LogLevel::Info);
        assert_eq!(LogSource::Stderr.level("anything"), LogLevel::Warn);
    }

    #[test]
    fn a_line_of_the_guest_sdk_keeps_its_level() {
        for (line, level) in [
            ("ERROR no", LogLevel::Warn),
            ("WARN no", LogLevel::Warn),
            ("INFO no", LogLevel::Info),
            ("DEBUG no", LogLevel::Debug),
            ("TRACE no", LogLevel::Trace),
            ("TRACES", LogLevel::Info),
        ] {
            assert_eq!(LogSource::Console.level(line), level, "{line}");
            assert_eq!(LogSource::Stdout.level(line), LogLevel::Info, "{line}");
        }
    }

    #[test]
    fn long_lines_are_cut() {
        let (lines, log) = log(3, 4);
        log.write(LogSource::Stdout, "äöü".as_bytes());
        assert_eq!(*lines.0.lock(), ["a: äö…"]);
    }
}
