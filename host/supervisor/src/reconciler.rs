//! What is wanted, and what of it could not be had so far.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use trellis_control::{ApplyError, Degraded, Step};
use trellis_core::{CallError, Code, ErrorKind};

use crate::change::Outcome;
use crate::desired::{Barred, Desired};

/// Pause before the first of the further tries; it doubles with each.
const RETRY_FIRST: Duration = Duration::from_secs(1);
/// Longest pause between two tries.
const RETRY_MAX: Duration = Duration::from_secs(60);
/// Part of a pause by which it is made longer at random, so that hosts which failed together do not
/// try together.
const JITTER: f64 = 0.25;

/// What is wanted, and the steps towards it that failed.
#[derive(Default)]
pub(crate) struct Reconciler {
    pub(crate) desired: Option<Arc<Desired>>,
    /// The actors of it that may not run.
    pub(crate) barred: Barred,
    failing: BTreeMap<String, Failing>,
    /// Tries since something new was wanted.
    tries: u32,
    retry: Option<Retry>,
}

struct Failing {
    error: ApplyError,
    since_unix_s: u64,
    /// Trying again cannot help.
    is_final: bool,
}

#[derive(Clone, Copy)]
struct Retry {
    at: Instant,
    unix_s: u64,
}

impl Reconciler {
    /// Something new is wanted.
    pub(crate) fn want(&mut self, desired: Desired) {
        let passed = self.desired.replace(Arc::new(desired));
        // Taking ten thousand actors apart takes a while, and nobody waits for it.
        tokio::task::spawn_blocking(move || drop(passed));
        self.tries = 0;
        self.retry = None;
    }

    /// The steps that are worth trying: not those that cannot work until something else is wanted.
    pub(crate) fn worth_trying(&self, steps: Vec<Step>) -> Vec<Step> {
        if self.tries == 0 {
            return steps;
        }
        let failed_for_good =
            |step: &Step| self.failing.get(&step.subject()).is_some_and(|failing| failing.is_final);
        steps.into_iter().filter(|step| !failed_for_good(step)).collect()
    }

    /// Takes in what came of a try: what failed is tried again later. Gives what failed for a new
    /// reason.
    pub(crate) fn settle(&mut self, outcome: &Outcome, now_unix_s: u64) -> Vec<ApplyError> {
        let mut before = std::mem::take(&mut self.failing);
        if self.tries > 0 {
            // What was not tried again fails as it did.
            let is_final = |_: &String, failing: &mut Failing| failing.is_final;
            self.failing = before.extract_if(.., is_final).collect();
        }
        let mut news = Vec::new();
        for (step, error) in &outcome.failed {
            let failed = ApplyError::of(step, error);
            let known = before.get(&failed.what);
            let since_unix_s = known.map_or(now_unix_s, |known| known.since_unix_s);
            if known.is_none_or(|known| known.error != failed) {
                news.push(failed.clone());
            }
            let is_final = is_final(step, error);
            let failing = Failing { error: failed.clone(), since_unix_s, is_final };
            self.failing.insert(failed.what, failing);
        }
        self.plan_retry(now_unix_s);
        news
    }

    fn plan_retry(&mut self, now_unix_s: u64) {
        self.retry = None;
        if self.failing.values().all(|failing| failing.is_final) {
            return;
        }
        let doubled = RETRY_FIRST.saturating_mul(1 << self.tries.min(16)).min(RETRY_MAX);
        let pause = doubled.mul_f64(JITTER.mul_add(fastrand::f64(), 1.0));
        self.tries = self.tries.saturating_add(1);
        let unix_s = now_unix_s + pause.as_secs_f64().ceil() as u64;
        self.retry = Some(Retry { at: Instant::now() + pause, unix_s });
    }

    /// Waits until it is time to try again.
    pub(crate) async fn time_to_try(&self) {
        match self.retry {
            Some(retry) => tokio::time::sleep_until(retry.at).await,
            None => std::future::pending().await,
        }
    }

    /// A try begins.
    pub(crate) const fn begin(&mut self) {
        self.retry = None;
    }

    /// True when all that is wanted could be had so far.
    pub(crate) fn is_well(&self) -> bool {
        self.failing.is_empty()
    }

    /// Nothing is wanted any more.
    pub(crate) fn stop(&mut self) {
        *self = Self::default();
    }

    /// What is wanted and not so.
    pub(crate) fn degraded(&self) -> Vec<Degraded> {
        let row = |failing: &Failing| Degraded {
            what: failing.error.what.clone(),
            code: failing.error.code,
            why: failing.error.why.clone(),
            since_unix_s: failing.since_unix_s,
            retry_unix_s: self.retry.filter(|_| !failing.is_final).map(|retry| retry.unix_s),
        };
        self.failing.values().map(row).collect()
    }
}

/// A module that is wrong stays wrong until its file changes, which is noticed.
fn is_final(step: &Step, error: &CallError) -> bool {
    let loads = matches!(step, Step::StartActor { .. } | Step::ReplaceActor { .. });
    let missing = matches!(error.code(), Code::NotFound | Code::Storage | Code::Hash);
    let wrong = matches!(error.kind(), ErrorKind::Invalid | ErrorKind::Denied | ErrorKind::Guest);
    loads && wrong && !missing
}
