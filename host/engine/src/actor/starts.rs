//! Whether instances are worth starting: an actor that breaks whenever one starts is left alone for
//! a while, so that its calls cost nobody a compilation or an instance.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use parking_lot::Mutex;
use trellis_core::{CallError, Code};
use trellis_meters::{Restart, Restarts};

/// The starts of one actor's instances.
pub(crate) struct Starts {
    /// Something failed since a start last worked. Without it nobody takes the lock.
    troubled: AtomicBool,
    record: Mutex<Record>,
}

struct Record {
    restarts: Restarts,
    shut: Option<Shut>,
}

/// No instance is started until then.
struct Shut {
    next: Restart,
    since: Instant,
    until: Instant,
    why: CallError,
    /// One is started to find out whether it works now; the others wait for what comes of it.
    probed: bool,
}

/// One start. Dropped without a word, it says nothing of the actor.
pub(super) struct Attempt<'a> {
    starts: &'a Starts,
    began: Instant,
    /// It finds out whether an actor that was left alone starts now.
    probes: bool,
}

impl Starts {
    pub(super) const fn new(backoffs_max: u32) -> Self {
        let record = Record { restarts: Restarts::new(backoffs_max), shut: None };
        Self { troubled: AtomicBool::new(false), record: Mutex::new(record) }
    }

    /// Begins a start.
    ///
    /// # Errors
    /// [`Code::CrashLoop`] while the actor is left alone.
    pub(super) fn begin(&self, now: Instant) -> Result<Attempt<'_>, CallError> {
        let mut attempt = Attempt { starts: self, began: now, probes: false };
        // Relaxed: a start that begins while another one fails may begin before that.
        if self.troubled.load(Ordering::Relaxed)
            && let Some(shut) = &mut self.record.lock().shut
        {
            if shut.probed || now < shut.until {
                return Err(shut.refusal(now));
            }
            shut.probed = true;
            attempt.probes = true;
        }
        Ok(attempt)
    }
}

impl Shut {
    fn refusal(&self, now: Instant) -> CallError {
        let state = match self.next {
            Restart::Quarantine(_) => "it is in quarantine",
            Restart::AtOnce | Restart::BackOff(_) => "it backs off",
        };
        let left = self.until.saturating_duration_since(now);
        let seconds = left.as_secs_f32().ceil();
        let why = self.why.message();
        let text = format!(
            "the actor broke whenever an instance started, so {state}; the next try is in \
             {seconds} s ({why})"
        );
        CallError::new(Code::CrashLoop, text).retry_after(left)
    }
}

impl Attempt<'_> {
    /// The instance runs. True when that ends a time in which none was started.
    pub(super) fn worked(self) -> bool {
        // Relaxed: see `begin`.
        if !self.starts.troubled.load(Ordering::Relaxed) {
            return false;
        }
        let mut record = self.starts.record.lock();
        // One that began before the last failures is no news.
        if record.shut.as_ref().is_some_and(|shut| self.began < shut.since) {
            return false;
        }
        record.restarts.forget();
        let was_shut = record.shut.take().is_some();
        self.starts.troubled.store(false, Ordering::Relaxed);
        drop(record);
        was_shut
    }

    /// The guest failed; what becomes of the actor, unless it is only started again at once.
    pub(super) fn failed(mut self, why: &CallError, chance: f64) -> Option<Restart> {
        let now = Instant::now();
        let mut record = self.starts.record.lock();
        // Those that began together count as one row.
        if record.shut.as_ref().is_some_and(|shut| self.began < shut.since) {
            return None;
        }
        self.starts.troubled.store(true, Ordering::Relaxed);
        let next = record.restarts.failed(now, chance);
        if next == Restart::AtOnce {
            return None;
        }
        let until = now + next.pause();
        record.shut = Some(Shut { next, since: now, until, why: why.clone(), probed: false });
        drop(record);
        self.probes = false;
        Some(next)
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if self.probes
            && let Some(shut) = &mut self.starts.record.lock().shut
        {
            shut.probed = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use trellis_limits::fixed::{BACKOFF, RESTARTS};
    use trellis_meters::{BACKOFF_MAX, RESTART_WINDOW, RESTARTS_MAX};

    use super::*;

    fn trap() -> CallError {
        CallError::new(Code::Trap, "the guest trapped")
    }

    fn fail(starts: &Starts, at: Instant) -> Option<Restart> {
        starts.begin(at).expect("it may start").failed(&trap(), 0.0)
    }

    /// Instances failed until none is started any more; when the next one is.
    fn shut(starts: &Starts) -> Instant {
        for _ in 0..RESTARTS_MAX {
            assert_eq!(fail(starts, Instant::now()), None);
        }
        let pause = fail(starts, Instant::now()).expect("it is left alone").pause();
        Instant::now() + pause
    }

    #[test]
    fn one_that_fails_again_and_again_is_left_alone_and_then_tried_once() {
        let starts = Starts::new(6);
        let until = shut(&starts);
        let refused = starts.begin(Instant::now()).err().expect("it backs off");
        assert_eq!(refused.code(), Code::CrashLoop);
        let text = "it backs off; the next try is in 1 s (the guest trapped)";
        assert!(refused.message().ends_with(text), "{refused}");

        let probe = starts.begin(until).expect("it is time to try");
        assert!(starts.begin(until).is_err(), "one try at a time");
        drop(probe);
        let probe = starts.begin(until).expect("nothing came of the other one");
        assert!(probe.worked(), "it is over");
        assert_eq!(fail(&starts, Instant::now()), None, "the record begins anew");
    }

    #[test]
    fn starts_that_began_together_are_one_row() {
        let starts = Starts::new(6);
        let now = Instant::now();
        let all: Vec<_> = (0..20).map(|_| starts.begin(now).expect("it may start")).collect();
        let paused = all.into_iter().filter_map(|start| start.failed(&trap(), 0.0));
        assert_eq!(paused.collect::<Vec<_>>(), [Restart::BackOff(Duration::from_secs(1))]);
        let late = Attempt { starts: &starts, began: now, probes: false };
        assert!(!late.worked(), "it began before");
        assert!(starts.begin(Instant::now()).is_err());
    }

    /// What holds is in `trellis-meters`, and what people read in the table of limits.
    #[test]
    fn the_limits_are_those_that_hold() {
        let (restarts, backoff) = (&RESTARTS, &BACKOFF);
        assert_eq!(restarts.default, u64::from(RESTARTS_MAX));
        assert_eq!(restarts.unit, format!("restarts in {} s", RESTART_WINDOW.as_secs()));
        assert_eq!(u128::from(backoff.default), BACKOFF_MAX.as_millis());
        assert_eq!(backoff.unit, "ms");
    }

    #[test]
    fn without_back_offs_it_is_quarantined() {
        let starts = Starts::new(0);
        shut(&starts);
        let refused = starts.begin(Instant::now()).err().expect("it is in quarantine");
        assert!(refused.message().contains("in quarantine; the next try is in 60 s"), "{refused}");
        assert_eq!(refused.retry_after_s(), Some(60), "whoever repeats a call may know it");
    }
}
