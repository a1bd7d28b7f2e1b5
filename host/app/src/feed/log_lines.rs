//! The lines of this process's log, for who asks for them over the admin API.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use trellis_control::{LogLevel, LogLine, rfc3339};
use trellis_limits::followed::LOG_KEPT_BYTES;

use super::ring::{Bounds, Ring};
use super::stamp::now_unix_ms;

/// Longest text of a line, in bytes; the rest is cut. What guests and programs print is no longer.
const TEXT_BYTES_MAX: usize = 8 << 10;
/// Most fields of a line.
const FIELDS_MAX: usize = 32;
/// What a line takes beside its texts, about.
const LINE_BYTES: usize = 300;

/// One for the process, as the log is.
static LINES: OnceLock<Arc<Ring<LogLine>>> = OnceLock::new();

/// The latest lines of the log.
pub(crate) fn log_lines() -> &'static Arc<Ring<LogLine>> {
    LINES.get_or_init(|| Arc::new(ring()))
}

fn ring() -> Ring<LogLine> {
    Ring::new(Bounds { items_max: u64::MAX, bytes_max: LOG_KEPT_BYTES.default })
}

/// Keeps what the log shows.
pub(crate) struct KeptLog(pub(crate) Arc<Ring<LogLine>>);

impl<S: Subscriber> Layer<S> for KeptLog {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut told = Told::default();
        event.record(&mut told);
        let meta = event.metadata();
        let Told { message, fields } = told;
        let texts: usize = fields.iter().map(|(key, value)| key.len() + value.len()).sum();
        let bytes = LINE_BYTES + meta.target().len() + message.len() + texts;
        self.0.push(bytes as u64, |_| LogLine {
            time: rfc3339(now_unix_ms()),
            level: level(*meta.level()),
            target: meta.target().to_owned(),
            message,
            fields,
        });
    }
}

/// What an event says.
#[derive(Default)]
struct Told {
    message: String,
    fields: BTreeMap<String, String>,
}

impl Visit for Told {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.take(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.take(field, value.to_owned());
    }
}

impl Told {
    fn take(&mut self, field: &Field, mut text: String) {
        text.truncate(text.floor_char_boundary(TEXT_BYTES_MAX));
        match field.name() {
            "message" => self.message = text,
            name if self.fields.len() < FIELDS_MAX => {
                self.fields.insert(name.to_owned(), text);
            }
            _ => {}
        }
    }
}

const fn level(level: Level) -> LogLevel {
    match level {
        Level::ERROR => LogLevel::Error,
        Level::WARN => LogLevel::Warn,
        Level::INFO => LogLevel::Info,
        Level::DEBUG => LogLevel::Debug,
        Level::TRACE => LogLevel::Trace,
    }
}

#[cfg(test)]
mod tests {
    use tracing::subscriber::with_default;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[test]
    fn lines_are_kept_as_they_are_said_within_their_bytes() {
        let kept = Arc::new(ring());
        let log = tracing_subscriber::registry().with(KeptLog(Arc::clone(&kept)));
        with_default(log, || {
            let (actor, none) = ("counter", None::<&str>);
            let code = format_args!("{}", 7);
            tracing::warn!(target: "actor", actor, none, code, lost = 3, "line {}", 1);
            let [line] = &kept.all()[..] else { panic!("it is kept") };
            assert_eq!((line.level, &*line.target), (LogLevel::Warn, "actor"));
            assert_eq!(line.message, "line 1");
            let fields: Vec<_> = line.fields.iter().map(|(k, v)| format!("{k}={v}")).collect();
            assert_eq!(fields, ["actor=counter", "code=7", "lost=3"]);
            let long = "é".repeat(TEXT_BYTES_MAX);
            (0..1_000).for_each(|_| tracing::info!("{long}"));
        });
        let bytes: usize = kept.all().iter().map(|line| line.message.len()).sum();
        let most = LOG_KEPT_BYTES.default;
        assert!((most / 2..=most).contains(&(bytes as u64)), "{bytes}: {}", LOG_KEPT_BYTES.name);
    }
}
