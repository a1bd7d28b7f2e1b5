//! Whether what an edit brought does worse than what it replaced.

use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};
use trellis_control::{LifecycleState, WatchTerms};
use trellis_core::{CallError, Code};
use trellis_dispatch::Tally;
use trellis_limits::fixed::{WATCH_CALLS, WATCH_ERRORS, WATCH_TIME};
use trellis_supervisor::Supervisor;

use super::subject::Subject;

/// Fewer calls than that say nothing.
const CALLS_MIN: u64 = 5;
/// How often it is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How long it takes at most until a call that is late was counted.
const LATE_MAX: Duration = Duration::from_millis(500);
/// Longest watch.
const TIME_MAX: Duration = Duration::from_secs(60 * 60);

/// When an edit is taken back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Terms {
    /// Most calls that are watched.
    pub(crate) calls: u64,
    /// Longest time.
    pub(crate) time: Duration,
    /// Most calls of a hundred that may fail.
    pub(crate) errors_percent: u8,
}

/// What a watch found, and the calls that it saw.
pub(crate) struct Judged {
    pub(crate) verdict: Verdict,
    pub(crate) seen: Tally,
}

/// What came of a watch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    /// It stays.
    Good,
    /// It goes, for this reason.
    Bad(String),
}

impl Terms {
    /// What is asked for, with the defaults for the rest; `None` when nothing is to be watched.
    ///
    /// # Errors
    /// [`Code::Message`] for more than a hundred of a hundred, or for too long a time.
    pub(crate) fn of(wanted: WatchTerms) -> Result<Option<Self>, CallError> {
        let WatchTerms { calls, time_ms, errors_percent } = wanted;
        let calls = calls.unwrap_or(WATCH_CALLS.default);
        let time = Duration::from_millis(time_ms.unwrap_or(WATCH_TIME.default));
        let default = u8::try_from(WATCH_ERRORS.default).unwrap_or(u8::MAX);
        let errors_percent = errors_percent.unwrap_or(default);
        if errors_percent > 100 || time > TIME_MAX {
            let text = "at most 100 calls of a hundred fail, and an edit is watched for an hour";
            return Err(CallError::new(Code::Message, text));
        }
        let watches = calls > 0 && !time.is_zero();
        Ok(watches.then_some(Self { calls, time, errors_percent }))
    }
}

/// Watches what has taken over until that can be judged, or it is open no more: something else took
/// its place.
pub(crate) async fn watch(
    supervisor: Supervisor,
    subject: Subject,
    (terms, before): (Terms, Tally),
    is_open: impl Fn() -> bool,
) -> Judged {
    let mut until = Instant::now() + terms.time;
    let mut is_longer = false;
    let mut seen = Tally::default();
    let was_degraded = is_degraded(&supervisor, &subject).is_some();
    let mut looks = interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        if !is_open() {
            return Judged { verdict: Verdict::Good, seen };
        }
        if let Some(why) = fails(&supervisor, &subject, was_degraded) {
            return Judged { verdict: Verdict::Bad(why), seen };
        }
        let Some(now) = supervisor.tally(subject.as_pair()) else {
            let why = "it does not run any more".to_owned();
            return Judged { verdict: Verdict::Bad(why), seen };
        };
        seen = now;
        if let Some(verdict) = judge(now, before, &terms) {
            return Judged { verdict, seen };
        }
        if Instant::now() < until {
            continue;
        }
        // None went well so far: those under way may be as bad, and are waited for once.
        let longer = || supervisor.busy_for(subject.as_pair()).filter(|_| now.faults == now.calls);
        match longer().filter(|_| !is_longer) {
            Some(time) => (until, is_longer) = (Instant::now() + time + LATE_MAX, true),
            None => return Judged { verdict: at_the_end(now, before), seen },
        }
    }
}

/// What the calls so far say; `None` while they say nothing.
fn judge(now: Tally, before: Tally, terms: &Terms) -> Option<Verdict> {
    let over =
        u128::from(now.faults) * 100 > u128::from(terms.errors_percent) * u128::from(now.calls);
    if now.calls >= CALLS_MIN.min(terms.calls) && over && is_worse(now, before) {
        let (faults, calls) = (now.faults, now.calls);
        return Some(Verdict::Bad(format!("{faults} of its first {calls} calls failed")));
    }
    (now.calls >= terms.calls).then_some(Verdict::Good)
}

/// Whether a larger share of calls failed. Compared crosswise: there need not have been any before.
fn is_worse(now: Tally, before: Tally) -> bool {
    let (was, is) = (u128::from(before.faults), u128::from(now.faults));
    is * u128::from(before.calls.max(1)) > was * u128::from(now.calls.max(1))
}

/// What few calls say when no more came in time: slow ones that all fail are few as well.
fn at_the_end(now: Tally, before: Tally) -> Verdict {
    if now.calls > 0 && now.faults == now.calls && is_worse(now, before) {
        return Verdict::Bad(format!("none of its {} calls went well", now.calls));
    }
    Verdict::Good
}

/// Why it is not well, whatever its calls say.
fn fails(supervisor: &Supervisor, subject: &Subject, was_degraded: bool) -> Option<String> {
    let status = supervisor.status();
    let own = |it: &&trellis_control::Component| {
        it.kind == subject.kind && it.name.as_str() == subject.name
    };
    let failed = status.state.components.iter().filter(own).find(|it| {
        // One restart may happen to anybody.
        matches!(it.lifecycle.state(), LifecycleState::BackingOff | LifecycleState::Quarantined)
    });
    let why = failed.map(|it| {
        let cause = it.lifecycle.cause().map_or("it fails again and again", |cause| &cause.why);
        cause.to_owned()
    });
    why.or_else(|| is_degraded(supervisor, subject).filter(|_| !was_degraded))
}

/// Why it says itself that it is not well.
fn is_degraded(supervisor: &Supervisor, subject: &Subject) -> Option<String> {
    let status = supervisor.status();
    let components = status.state.components.iter();
    let mut own =
        components.filter(|it| it.kind == subject.kind && it.name.as_str() == subject.name);
    let degraded = own.find(|it| it.lifecycle.state() == LifecycleState::Degraded)?;
    Some(degraded.lifecycle.cause().map_or("it is not well", |cause| &cause.why).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERMS: Terms = Terms { calls: 100, time: Duration::from_secs(10), errors_percent: 50 };

    fn tally(faults: u64, calls: u64) -> Tally {
        Tally { calls, faults }
    }

    #[test]
    fn only_more_failures_than_allowed_and_than_before_are_bad() {
        let is_bad = |now, before| matches!(judge(now, before, &TERMS), Some(Verdict::Bad(_)));
        let never = tally(0, 0);
        assert!(is_bad(tally(5, 5), never));
        assert!(is_bad(tally(3, 5), tally(0, 1_000)));
        assert!(!is_bad(tally(4, 4), never), "too few to say");
        assert!(!is_bad(tally(50, 100), never), "as many as it may");
        assert!(is_bad(tally(51, 100), never));
        assert!(!is_bad(tally(60, 100), tally(700, 1_000)), "it was worse before");
        assert!(is_bad(tally(80, 100), tally(700, 1_000)));
    }

    #[test]
    fn fewer_calls_say_something_when_no_more_are_watched_or_come() {
        let few = Terms { calls: 3, ..TERMS };
        let never = tally(0, 0);
        assert!(matches!(judge(tally(3, 3), never, &few), Some(Verdict::Bad(_))));
        assert!(matches!(at_the_end(tally(2, 2), never), Verdict::Bad(_)));
        assert_eq!(at_the_end(tally(2, 3), never), Verdict::Good);
        assert_eq!(at_the_end(tally(2, 2), tally(9, 9)), Verdict::Good, "it was as bad before");
        assert_eq!(at_the_end(never, never), Verdict::Good);
    }

    #[test]
    fn enough_good_calls_end_the_watch() {
        assert_eq!(judge(tally(0, 99), tally(0, 0), &TERMS), None);
        assert_eq!(judge(tally(0, 100), tally(0, 0), &TERMS), Some(Verdict::Good));
        assert_eq!(judge(tally(50, 100), tally(0, 0), &TERMS), Some(Verdict::Good));
    }

    #[test]
    fn terms_have_defaults_and_bounds() {
        let terms = |calls, time_ms, errors_percent| {
            Terms::of(WatchTerms { calls, time_ms, errors_percent })
        };
        assert_eq!(terms(None, None, None), Ok(Some(TERMS)));
        assert_eq!(terms(Some(0), None, None), Ok(None), "not watched");
        assert!(terms(None, None, Some(101)).is_err());
        assert!(terms(None, Some(u64::MAX), None).is_err());
    }
}
