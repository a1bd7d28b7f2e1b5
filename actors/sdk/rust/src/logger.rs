//! The macros of the `log` crate, routed to the logging capability.

use std::sync::atomic::{AtomicBool, Ordering};

use log::{LevelFilter, Log, Metadata, Record};

use crate::abi;
use crate::contracts::logging;

/// Makes the macros write through the host.
pub(crate) fn install() {
    // An error means that the actor brought its own logger before: then that one stays.
    if log::set_logger(&LOGGER).is_ok() {
        log::set_max_level(LevelFilter::Trace);
    }
}

static LOGGER: HostLogger = HostLogger { without_capability: AtomicBool::new(false) };

/// Writes to the logging capability; after it was refused once, to the ABI's console for the rest
/// of the instance's life: asking again for each line would fill the host's audit log.
///
/// Relaxed: an actor has one thread, and a test's threads lose nothing by asking once more.
struct HostLogger {
    without_capability: AtomicBool,
}

impl Log for HostLogger {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let (level, body) = (record.level(), record.args().to_string());
        if !self.without_capability.load(Ordering::Relaxed) {
            let target = Some(record.target().to_owned());
            let line = logging::Line { level: level_of(level), body, target };
            if logging::default().write_log(&line).is_ok() {
                return;
            }
            self.without_capability.store(true, Ordering::Relaxed);
            abi::console_log(&format!("{level} {}", line.body));
            return;
        }
        abi::console_log(&format!("{level} {body}"));
    }

    fn flush(&self) {}
}

const fn level_of(level: log::Level) -> logging::Level {
    match level {
        log::Level::Error => logging::Level::Error,
        log::Level::Warn => logging::Level::Warn,
        log::Level::Info => logging::Level::Info,
        log::Level::Debug => logging::Level::Debug,
        log::Level::Trace => logging::Level::Trace,
    }
}
