//! Structured logs on stderr: text for people, JSON for machines. Whoever logs never waits for
//! whoever reads.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{IsTerminal, Write};
use std::panic::PanicHookInfo;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::time::SystemTime;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use trellis_manifest::Style;
use trellis_providers_sdk::Unlocked;

use crate::args::LogFormat;
use crate::feed::{KeptLog, log_lines};
use crate::line_queue::{LineQueue, Loss};
use crate::metrics::lines_lost;

/// How long a process that ends waits for the reader of its last lines.
const FINISH_TIME_MAX: Duration = Duration::from_secs(1);

/// The lines of this process, once it logs.
static LINES: OnceLock<LineQueue> = OnceLock::new();

/// How reports are drawn on stderr: with color and lines on a terminal that wants them.
#[must_use]
pub fn style() -> Style {
    let no_color = std::env::var("NO_COLOR").ok();
    Style::for_stream(&std::io::stderr(), no_color.as_deref())
}

/// Starts logging. A second call changes nothing, so that tests may each ask for it.
///
/// # Errors
/// The filter's own sentence when `filter` cannot be read.
pub fn start(filter: &str, format: Option<LogFormat>) -> Result<(), String> {
    let filter = EnvFilter::try_new(filter)
        .map_err(|error| format!("the log filter `{filter}` cannot be read: {error}"))?;
    let terminal = std::io::stderr().is_terminal();
    let format = format.unwrap_or(if terminal { LogFormat::Text } else { LogFormat::Json });
    let color = style().color;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(Log(LINES.get_or_init(queue).clone()))
        .with_timer(SystemTime)
        .with_ansi(color);
    // Whoever asks over the admin API is shown what the log shows.
    let kept = KeptLog(Arc::clone(log_lines()));
    let started = match format {
        LogFormat::Text => builder.with_target(false).finish().with(kept).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).finish().with(kept).try_init(),
    };
    // An error means that logging runs already.
    if started.is_ok() {
        std::panic::set_hook(Box::new(log_panic));
    }
    Ok(())
}

/// A panic is an event like any other. The standard library's own hook would write to stderr and
/// wait for its reader, and with it the thread, which runs other tasks too.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let backtrace = Backtrace::capture();
    if backtrace.status() == BacktraceStatus::Captured {
        tracing::error!("{panic}\n{backtrace}");
    } else {
        tracing::error!("{panic}");
    }
    if std::thread::current().name() == Some("main") {
        // It ends the process.
        finish();
    }
}

/// Waits until what was logged is written, within a bound: for the end of the process. Blocks.
pub fn finish() {
    if let Some(lines) = LINES.get() {
        lines.finish(FINISH_TIME_MAX);
    }
}

fn queue() -> LineQueue {
    let flows = |Loss { lines, error }| match error {
        None => tracing::warn!(lines, "lines of the log were dropped: nobody read stderr in time"),
        Some(error) => tracing::warn!(
            lines,
            %error,
            "lines of the log were lost while stderr could not be written to"
        ),
    };
    LineQueue::start("log", Unlocked(std::io::stderr()), lines_lost("stderr"), flows)
}

/// Gives each event's line to the queue.
struct Log(LineQueue);

impl<'a> MakeWriter<'a> for Log {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

impl Write for &Log {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        // What is dropped is counted there.
        let _ = self.0.say(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
