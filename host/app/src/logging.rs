//! Structured logs on stderr: text for people, JSON for machines.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::time::SystemTime;

use trellis_manifest::Style;

use crate::args::LogFormat;

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
        .with_writer(std::io::stderr)
        .with_timer(SystemTime)
        .with_ansi(color);
    // An error means that logging runs already.
    let _ = match format {
        LogFormat::Text => builder.with_target(false).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    Ok(())
}
