//! How something that is wanted is.

use std::fmt;

use serde::{Deserialize, Serialize};
use trellis_core::Code;

use crate::status::Degraded;

/// How something that is wanted is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// It does not run yet, and nothing has failed so far.
    Starting,
    /// It runs, and nothing is known to be wrong with it.
    Ready,
    /// It runs, and not as it should; the reasons say why.
    Degraded,
    /// It does not run; the reasons say why.
    Down,
    /// It does not run because its owner stopped it, or what it needs.
    Stopped,
}

impl Condition {
    /// How something is that runs or does not, for these reasons. What ends again and again does
    /// not run, although there is something that starts it.
    #[must_use]
    pub fn of(runs: bool, reasons: &[Degraded]) -> Self {
        let runs = runs && reasons.iter().all(|reason| reason.code != Code::CrashLoop);
        match (runs, reasons.is_empty()) {
            (true, true) => Self::Ready,
            (true, false) => Self::Degraded,
            (false, true) => Self::Starting,
            (false, false) => Self::Down,
        }
    }

    /// The same of something that its owner `stopped`: it is not about to start, and whatever is
    /// still known to be wrong is no reason.
    #[must_use]
    pub const fn unless_stopped(self, stopped: bool) -> Self {
        match self {
            Self::Starting | Self::Down if stopped => Self::Stopped,
            state => state,
        }
    }

    /// The word that people and programs read.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Degraded => "degraded",
            Self::Down => "down",
            Self::Stopped => "stopped",
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn because(code: Code) -> Vec<Degraded> {
        let (what, why) = ("provider geo".to_owned(), "it ended".to_owned());
        vec![Degraded { what, code, why, since_unix_s: 100, retry_unix_s: None }]
    }

    #[test]
    fn what_ends_again_and_again_is_down_although_something_starts_it() {
        for (runs, reasons, state) in [
            (true, Vec::new(), Condition::Ready),
            (true, because(Code::Provider), Condition::Degraded),
            (true, because(Code::CrashLoop), Condition::Down),
            (false, Vec::new(), Condition::Starting),
            (false, because(Code::Revoked), Condition::Down),
        ] {
            assert_eq!(Condition::of(runs, &reasons), state, "{runs} {reasons:?}");
        }
        assert_eq!(Condition::Starting.unless_stopped(true), Condition::Stopped);
        assert_eq!(Condition::Ready.unless_stopped(true), Condition::Ready, "it ends just now");
    }
}
