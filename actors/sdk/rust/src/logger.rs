//! The macros of the `log` crate, routed to the logging capability.

use std::cell::Cell;

use log::{LevelFilter, Log, Metadata, Record};
use trellis_core::Code;

use crate::abi;
use crate::contracts::logging;

/// Most calls in a row that do not ask the host: the next one after them does.
const SKIPPED_CALLS_MAX: u32 = 63;

/// Makes the macros write through the host.
pub(crate) fn install() {
    // An error means that the actor brought its own logger before: then that one stays.
    if log::set_logger(&HostLogger).is_ok() {
        log::set_max_level(LevelFilter::Trace);
    }
}

/// A new instance begins, which knows nothing of what another was refused.
#[cfg(not(target_family = "wasm"))]
pub(crate) fn begin_instance() {
    ROAD.set(Road::OPEN);
}

/// A call begins: what was refused in the one before may go again.
pub(crate) fn begin_call() {
    let Road { skips, next_skips, .. } = ROAD.get();
    ROAD.set(Road { is_closed: skips > 0, skips: skips.saturating_sub(1), next_skips });
}

thread_local! {
    static ROAD: Cell<Road> = const { Cell::new(Road::OPEN) };
}

/// Whether lines go to the capability.
#[derive(Clone, Copy)]
struct Road {
    /// For the rest of this call they do not.
    is_closed: bool,
    /// How many calls to come do not ask.
    skips: u32,
    /// How many do not after the next refusal.
    next_skips: u32,
}

impl Road {
    const OPEN: Self = Self { is_closed: false, skips: 0, next_skips: 0 };

    fn after(self, answer: Result<(), Code>) -> Self {
        match answer {
            Ok(()) => Self::OPEN,
            // That is about one line; the next may fit.
            Err(Code::TooLarge | Code::Message) => self,
            // Each refusal is a line of the host's audit log, and most refusals last. One that ends
            // has to be noticed soon.
            Err(Code::Denied) => {
                let more = (2 * self.next_skips + 1).min(SKIPPED_CALLS_MAX);
                Self { is_closed: true, skips: self.next_skips, next_skips: more }
            }
            // Another try may take as long as this one did, and the call has to end in time.
            Err(_) => Self { is_closed: true, ..self },
        }
    }
}

/// Writes to the logging capability. A line that it does not take goes to the ABI's console, and so
/// do the others of that call; the next call asks again, or a later one after several refusals.
struct HostLogger;

impl Log for HostLogger {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let (level, mut body) = (record.level(), record.args().to_string());
        let road = ROAD.get();
        if !road.is_closed {
            let target = Some(record.target().to_owned());
            let line = logging::Line { level: level_of(level), body, target };
            let answer = logging::default().write_log(&line).map_err(|error| error.code());
            ROAD.set(road.after(answer));
            if answer.is_ok() {
                return;
            }
            body = line.body;
        }
        // The host knows the level by the word in front.
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

#[cfg(test)]
mod tests {
    use crate::testing;

    use super::*;

    /// What goes to the console when the host answers in turn as `answers` say, of calls that log
    /// these lines; and how often the host was asked.
    fn logged(
        answers: &'static [&'static str],
        calls: impl IntoIterator<Item = &'static str>,
    ) -> (Vec<String>, usize) {
        let mut answers = answers.iter();
        let answer = move |_: &testing::HostCall| match answers.next() {
            None | Some(&"") => Ok(Vec::new()),
            Some(error) => Err((*error).to_owned()),
        };
        let (lines, asked) = testing::with_host(answer, || {
            for call in calls {
                begin_call();
                call.split(' ').for_each(|line| log::info!("{line}"));
            }
            testing::console_lines()
        });
        (lines, asked.len())
    }

    #[test]
    fn what_fails_once_is_asked_again_in_the_next_call() {
        for error in ["E_DENIED: not bound", "E_BUSY: later", "E_TIMEOUT: late", "no code"] {
            let answers: &'static [&'static str] = Box::leak(Box::new([error]));
            let (lines, asked) = logged(answers, ["a b", "c", "d"]);
            assert_eq!(lines, ["INFO a", "INFO b"], "{error}: for the rest of one call");
            assert_eq!(asked, 3, "{error}");
        }
    }

    #[test]
    fn a_line_that_does_not_fit_takes_no_other_with_it() {
        let (lines, asked) = logged(&["E_TOO_LARGE: a line"], ["a b"]);
        assert_eq!((lines, asked), (vec!["INFO a".to_owned()], 2));
    }

    #[test]
    fn a_refusal_that_lasts_is_asked_for_rarely_and_its_end_is_noticed() {
        let (lines, asked) = logged(&["E_DENIED: no"; 100], (0..1_000).map(|_| "a b"));
        assert_eq!(lines.len(), 2_000, "none is lost");
        assert!((10..25).contains(&asked), "{asked}");
        let (lines, _) = logged(&["E_DENIED: no"; 7], (0..300).map(|_| "a"));
        // The calls that ask are the 1st, 2nd, 4th, 8th, 16th, 32nd, 64th and 128th.
        assert_eq!(lines.len(), 127);
    }
}
