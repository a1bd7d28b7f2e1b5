//! What is wanted, and what of it could not be had so far.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use trellis_control::{ApplyError, Degraded, Step};

use crate::border;
use crate::change::outcome::{Again, Outcome};
use crate::desired::{Barred, Desired};

/// A pause before a further try: the first, which doubles with each, and the longest.
type Pauses = (Duration, Duration);

/// For what costs nobody anything to try.
const SOON: Pauses = (Duration::from_secs(1), Duration::from_secs(60));
/// For what stops something that works.
const RARELY: Pauses = (Duration::from_secs(60), Duration::from_secs(60 * 60));
/// Part of a pause by which it is made longer at random, so that hosts which failed together do not
/// try together.
const JITTER: f64 = 0.25;

/// What is wanted, and the steps towards it that failed.
#[derive(Default)]
pub(crate) struct Reconciler {
    pub(crate) desired: Option<Arc<Desired>>,
    /// What of it may not run.
    pub(crate) barred: Barred,
    /// By what the steps are about.
    failing: BTreeMap<String, Failing>,
    /// Those of them whose time had not come when the last try began.
    resting: BTreeSet<String>,
    /// Nothing of what is wanted was tried yet.
    untried: bool,
}

struct Failing {
    error: ApplyError,
    since_unix_s: u64,
    /// Tries since something new was wanted.
    tries: u32,
    /// None when trying again cannot help.
    retry: Option<Retry>,
}

#[derive(Clone, Copy)]
struct Retry {
    at: Instant,
    unix_s: u64,
}

impl Reconciler {
    /// Something new is wanted.
    pub(crate) fn want(&mut self, desired: Arc<Desired>) {
        self.replace(desired);
        self.failing.values_mut().for_each(|failing| failing.tries = 0);
        self.untried = true;
    }

    /// The same is wanted, as it was read last.
    pub(crate) fn replace(&mut self, desired: Arc<Desired>) {
        if let Some(passed) = self.desired.replace(desired) {
            Self::let_go(passed);
        }
    }

    /// Taking ten thousand actors apart takes a while, and nobody waits for it.
    pub(crate) fn let_go(passed: Arc<Desired>) {
        tokio::task::spawn_blocking(move || drop(passed));
    }

    /// True when the try that began last leaves nothing out.
    pub(crate) fn tries_all(&self) -> bool {
        self.resting.is_empty()
    }

    /// A try begins: the steps that are worth it. Not those that cannot work until something else
    /// is wanted, nor those whose time has not come.
    pub(crate) fn begin(&mut self, steps: Vec<Step>) -> Vec<Step> {
        let now = Instant::now();
        let rests = |failing: &Failing| failing.retry.is_none_or(|retry| retry.at > now);
        let resting = self.failing.iter().filter(|(_, failing)| !self.untried && rests(failing));
        self.resting = resting.map(|(what, _)| what.clone()).collect();
        self.untried = false;
        if self.resting.is_empty() {
            return steps;
        }
        // What was to change with a version waits for it: what runs keeps what it has.
        let waits = |step: &Step| match step {
            Step::Bind { binding, .. } | Step::Rebind { binding, .. } => {
                self.resting.contains(&format!("actor {}", binding.actor))
            }
            _ => false,
        };
        let waiting: Vec<_> = steps.iter().filter(|step| waits(step)).map(Step::subject).collect();
        self.resting.extend(waiting);
        steps.into_iter().filter(|step| !self.resting.contains(&step.subject())).collect()
    }

    /// Takes in what came of a try: what failed is tried again later. Gives what failed for a new
    /// reason.
    pub(crate) fn settle(&mut self, outcome: &Outcome, now_unix_s: u64) -> Vec<ApplyError> {
        let mut before = std::mem::take(&mut self.failing);
        // What was not tried again fails as it did.
        let resting = |what: &String, _: &mut Failing| self.resting.contains(what);
        self.failing = before.extract_if(.., resting).collect();
        // The same for all, so that what failed together is tried together.
        let jitter = JITTER.mul_add(fastrand::f64(), 1.0);
        let mut news = Vec::new();
        for failed in &outcome.failed {
            let error = ApplyError::of(&failed.step, &failed.error);
            let known = before.get(&error.what);
            if known.is_none_or(|known| known.error != error) {
                news.push(error.clone());
            }
            let tries = known.map_or(0, |known| known.tries);
            let failing = Failing {
                since_unix_s: known.map_or(now_unix_s, |known| known.since_unix_s),
                tries: tries.saturating_add(1),
                retry: Retry::of(failed.again, (tries, jitter), now_unix_s),
                error,
            };
            self.failing.insert(failing.error.what.clone(), failing);
        }
        news
    }

    /// Waits until it is time to try again.
    pub(crate) async fn time_to_try(&self) {
        match self.failing.values().filter_map(|failing| failing.retry).map(|it| it.at).min() {
            Some(at) => tokio::time::sleep_until(at).await,
            None => std::future::pending().await,
        }
    }

    /// True when all that is wanted could be had so far.
    pub(crate) fn is_well(&self) -> bool {
        self.failing.is_empty()
    }

    /// Nothing is wanted any more.
    pub(crate) fn stop(&mut self) {
        *self = Self::default();
    }

    /// True when bindings are wanted over which calls come in. What was stopped wants none; what
    /// may not run does.
    pub(crate) fn wants_intake(&self) -> bool {
        let nobody = Barred::default();
        let Some(desired) = &self.desired else { return false };
        let mut bindings = desired.wanted(&nobody).bindings();
        bindings.any(|(_, binding)| border::is_intake(&binding.contract))
    }

    /// What is wanted and not so.
    pub(crate) fn degraded(&self) -> Vec<Degraded> {
        let row = |failing: &Failing| Degraded {
            what: failing.error.what.clone(),
            code: failing.error.code,
            why: failing.error.why.clone(),
            since_unix_s: failing.since_unix_s,
            retry_unix_s: failing.retry.map(|retry| retry.unix_s),
        };
        self.failing.values().map(row).collect()
    }
}

impl Retry {
    fn of(again: Again, (tries, jitter): (u32, f64), now_unix_s: u64) -> Option<Self> {
        let (first, longest) = match again {
            Again::Soon => SOON,
            Again::Rarely => RARELY,
            Again::Never => return None,
        };
        let pause = first.saturating_mul(1 << tries.min(16)).min(longest).mul_f64(jitter);
        let unix_s = now_unix_s + pause.as_secs_f64().ceil() as u64;
        Some(Self { at: Instant::now() + pause, unix_s })
    }
}
