//! The task that owns what is wanted. It waits for nothing: what takes time runs beside it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, interval_at, sleep_until};
use trellis_control::{Applied, ApplyError};
use trellis_core::date::span;

use crate::change::Change;
use crate::change::loads::Loads;
use crate::change::outcome::Outcome;
use crate::command::Command;
use crate::desired::{Barred, Desired};
use crate::endings::Endings;
use crate::plan::plan;
use crate::reconciler::Reconciler;
use crate::shared::{DRAIN_MAX, Shared};

/// How often claims are held against the clock: an expired actor stops within this time. And how
/// often it is looked how long a change takes.
const CLOCK_CHECK_EVERY: Duration = Duration::from_secs(1);
/// How often providers are asked how they are.
const HEALTH_CHECK_EVERY: Duration = Duration::from_secs(5);
/// How long changes make way for newer ones, one after the other. Then one stays for as long as
/// others made way before it, so that a file which is saved all the time holds back nothing else,
/// nor itself, for ever.
const MAKING_WAY_MAX: Duration = Duration::from_secs(30);
/// Most steps of one change that are logged one by one.
const LOGGED_STEPS_MAX: usize = 200;

pub(crate) struct Owner {
    pub(crate) shared: Arc<Shared>,
    reconciler: Reconciler,
    running: Option<Running>,
    /// Who waits for the change that begins when the running one has made way.
    next: Option<oneshot::Sender<Applied>>,
    /// Since when one change after the other makes way.
    making_way: Option<Instant>,
    /// What the last of them left.
    left: Loads,
    health: Option<JoinHandle<bool>>,
    stopping: Option<Stopping>,
    endings: Endings,
}

/// A change that is carried out.
struct Running {
    task: JoinHandle<Outcome>,
    desired: Arc<Desired>,
    /// What of it might not run when it began.
    barred: Barred,
    superseded: watch::Sender<bool>,
    /// It makes way for nothing newer before.
    stays_until: Instant,
    answers: Vec<oneshot::Sender<Applied>>,
}

/// The end of a host.
struct Stopping {
    task: JoinHandle<()>,
    answers: Vec<oneshot::Sender<()>>,
}

impl Owner {
    pub(crate) fn new(shared: Arc<Shared>, reconciler: Reconciler) -> Self {
        Self {
            shared,
            reconciler,
            running: None,
            next: None,
            making_way: None,
            left: Loads::default(),
            health: None,
            stopping: None,
            endings: Endings::new(),
        }
    }

    pub(crate) async fn run(mut self, mut inbox: mpsc::Receiver<Command>) {
        let mut clock = interval(CLOCK_CHECK_EVERY);
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // At the start there is nobody to ask.
        let mut health = interval_at(Instant::now() + HEALTH_CHECK_EVERY, HEALTH_CHECK_EVERY);
        health.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let lifecycles = Arc::clone(&self.shared.lifecycles);
        let mut asked = true;
        loop {
            let stays = self.stays_longer_until();
            tokio::select! {
                command = inbox.recv(), if asked => match command {
                    Some(command) => self.take(command),
                    // Every handle is gone: nobody can ask for anything any more.
                    None => {
                        asked = false;
                        self.begin_to_stop(Instant::now() + DRAIN_MAX, None);
                    }
                },
                () = stopped(self.stopping.as_mut()) => break,
                outcome = outcome_of(&mut self.running) => self.finished(outcome),
                changed = answer_of(&mut self.health) => self.checked(changed),
                () = self.reconciler.time_to_try(), if self.running.is_none() => {
                    self.reconcile(None);
                }
                () = sleep_until(stays.unwrap_or_else(Instant::now)), if stays.is_some() => {
                    self.make_way();
                }
                _ = clock.tick() => {
                    self.expire();
                    self.tell_of_slow();
                    if lifecycles.take_stale() {
                        self.publish_status();
                    }
                }
                _ = health.tick() => self.begin_health_check(),
                // What is said while they are asked is heard after that.
                () = lifecycles.health_changed.notified(), if self.health.is_none() => {
                    self.begin_health_check();
                }
                () = lifecycles.changed.notified() => self.publish_status(),
            }
            if self.stopping.as_ref().is_some_and(|stopping| stopping.task.is_finished()) {
                break;
            }
        }
        self.end(inbox);
    }

    fn take(&mut self, command: Command) {
        match command {
            Command::Apply(prepared, options, answer) if self.stopping.is_none() => {
                let prepared = *prepared;
                self.endings.prepared(&prepared, self.shared.clock.now_unix_s());
                self.want(Arc::new(Desired { prepared, options }), answer);
            }
            // Too late: the dropped answer says so.
            Command::Apply(..) => {}
            Command::Trust(trust, answer) => {
                let names = self.shared.trust(&trust, self.reconciler.desired.as_deref());
                self.bar();
                self.publish_status();
                // An answer nobody waits for any more is no failure.
                let _ = answer.send(names);
            }
            Command::Stop(until, answer) => self.begin_to_stop(until, Some(answer)),
        }
    }

    /// Something is wanted. What the running change brings about anyway does not interrupt it.
    fn want(&mut self, desired: Arc<Desired>, answer: oneshot::Sender<Applied>) {
        self.shared.wanted.store(Some(Arc::clone(&desired)));
        self.shared.expected.store(None);
        let barred = self.running.is_some().then(|| self.barred(&desired));
        let (Some(running), Some(barred)) = (&mut self.running, barred) else {
            self.reconciler.want(desired);
            return self.reconcile(Some(answer));
        };
        let tries_all = self.next.is_none() && self.reconciler.tries_all();
        if tries_all && running.brings_about(&desired, &barred) {
            running.answers.push(answer);
            return self.reconciler.replace(desired);
        }
        self.reconciler.want(desired);
        if let Some(passed_over) = self.next.replace(answer) {
            let _ = passed_over.send(Applied { superseded: true, ..Applied::default() });
        }
        if running.stays_until <= Instant::now() {
            self.make_way();
        }
    }

    /// The running change gives its place to one that is wanted now.
    fn make_way(&mut self) {
        if let Some(running) = &self.running {
            running.superseded.send_replace(true);
            self.making_way.get_or_insert_with(Instant::now);
        }
    }

    /// How long the running change stays although another one waits for its place.
    fn stays_longer_until(&self) -> Option<Instant> {
        self.next.as_ref()?;
        let running = self.running.as_ref().filter(|running| !*running.superseded.borrow())?;
        Some(running.stays_until)
    }

    /// Begins what is between what runs and what is wanted; nothing is running.
    fn reconcile(&mut self, answer: Option<oneshot::Sender<Applied>>) {
        let left = std::mem::take(&mut self.left);
        let Some(desired) = self.reconciler.desired.clone() else { return };
        let shared = Arc::clone(&self.shared);
        self.bar();
        let wanted = desired.wanted(&self.reconciler.barred);
        let steps = shared.look(|actual| plan(wanted, &actual.inventory()));
        let steps = self.reconciler.begin(steps);
        if steps.is_empty() && self.reconciler.is_well() && self.reconciler.barred.is_empty() {
            shared.let_outgoing_go();
            shared.progress.end(true);
            // What stands in nobody's way any more may have been told of: an actor that might not
            // run and is not wanted now.
            self.publish_status();
            if let Some(answer) = answer {
                let _ = answer.send(Applied::default());
            }
            return;
        }
        shared.progress.begin();
        let (superseded, is_superseded) = watch::channel(false);
        let change = Change::new(shared, Arc::clone(&desired), steps, is_superseded, left);
        self.running = Some(Running {
            task: tokio::spawn(change.carry_out()),
            desired,
            barred: self.reconciler.barred.clone(),
            superseded,
            stays_until: self.stays_until(),
            answers: answer.into_iter().collect(),
        });
        // `Release` as the store below, though what was before is of interest to nobody.
        self.shared.changing.store(true, Ordering::Release);
    }

    /// How long a change that begins now stays, whatever newer is wanted.
    fn stays_until(&self) -> Instant {
        let now = Instant::now();
        let making_way = self.making_way.map_or(Duration::ZERO, |since| now - since);
        if making_way < MAKING_WAY_MAX { now } else { now + making_way }
    }

    /// Trust and time may have changed since the manifest was prepared.
    fn bar(&mut self) {
        if let Some(desired) = &self.reconciler.desired {
            self.reconciler.barred = self.barred(desired);
        }
    }

    fn barred(&self, desired: &Desired) -> Barred {
        let shared = &self.shared;
        shared.look(|actual| desired.barred(actual.trust.as_ref(), &*shared.clock))
    }

    fn finished(&mut self, (mut outcome, answers): (Outcome, Vec<oneshot::Sender<Applied>>)) {
        self.left = std::mem::take(&mut outcome.left);
        // What a change did stays done, also when it made way for another one.
        log_done(&outcome);
        if !outcome.superseded {
            self.making_way = None;
            // Whatever became of the change, nothing waits for it any more. One that made way is
            // followed by another, for which the same may be kept.
            self.shared.let_outgoing_go();
            let now = self.shared.clock.now_unix_s();
            let news = self.reconciler.settle(&outcome, now);
            self.shared.progress.end(outcome.failed.is_empty());
            for fault in &news {
                self.shared.metrics.fault(fault.code);
                tracing::error!(code = fault.code.as_str(), "{fault}");
            }
        }
        // Published first: whoever gets the answer looks at the status next.
        self.publish_status();
        for answer in answers {
            let _ = answer.send(applied(&outcome));
        }
        if let Some(next) = self.next.take() {
            self.reconcile(Some(next));
        } else if outcome.superseded {
            self.reconcile(None);
        }
    }

    fn expire(&mut self) {
        let any_stopped = !self.shared.expel_refused().is_empty();
        if any_stopped {
            self.bar();
        }
        if self.endings.look(&self.shared) || any_stopped {
            self.publish_status();
        }
    }

    /// A change that waits for something is not waited for in silence.
    fn tell_of_slow(&self) {
        let now = self.shared.clock.now_unix_s();
        if let Some(changing) = self.shared.progress.becomes_slow(now) {
            let taken = span(now.saturating_sub(changing.since_unix_s));
            tracing::warn!("a change is under way for {taken}: {changing}");
        }
    }

    fn begin_health_check(&mut self) {
        if self.health.is_none() && self.stopping.is_none() {
            let shared = Arc::clone(&self.shared);
            self.health = Some(tokio::spawn(async move { shared.check_health().await }));
        }
    }

    fn checked(&mut self, changed: bool) {
        if changed {
            self.publish_status();
        }
    }

    fn publish_status(&self) {
        self.shared.publish_status(&self.reconciler);
        // `Release`, after the status: whoever sees that a change has ended sees what came of it.
        self.shared.changing.store(self.running.is_some(), Ordering::Release);
        self.shared.published.notify_one();
    }

    /// Stops; asked again while it does, ends at once.
    fn begin_to_stop(&mut self, until: Instant, answer: Option<oneshot::Sender<()>>) {
        if let Some(stopping) = &mut self.stopping {
            stopping.task.abort();
            stopping.answers.extend(answer);
            return;
        }
        self.reconciler.stop();
        self.shared.wanted.store(None);
        self.shared.expected.store(None);
        self.shared.progress.end(true);
        let running = self.running.take().map(|running| running.task);
        // What it edited is whole at every moment.
        running.iter().for_each(JoinHandle::abort);
        let shared = Arc::clone(&self.shared);
        let task = tokio::spawn(async move {
            // An abort takes effect where the change waits next; what it starts by then is to be
            // stopped with the rest.
            if let Some(running) = running {
                drop(running.await);
            }
            shared.stop(until).await;
        });
        self.stopping = Some(Stopping { task, answers: answer.into_iter().collect() });
    }

    fn end(self, mut inbox: mpsc::Receiver<Command>) {
        inbox.close();
        self.shared.clear();
        self.shared.publish_status(&Reconciler::default());
        for answer in self.stopping.into_iter().flat_map(|stopping| stopping.answers) {
            let _ = answer.send(());
        }
    }
}

/// Waits for the end, once it has begun.
async fn stopped(stopping: Option<&mut Stopping>) {
    match stopping {
        // Aborted is ended too.
        Some(stopping) => drop((&mut stopping.task).await),
        None => std::future::pending().await,
    }
}

impl Running {
    /// True when what it brings about is what is wanted.
    fn brings_about(&self, desired: &Desired, barred: &Barred) -> bool {
        let comes = self.desired.wanted(&self.barred).inventory();
        self.desired.options == desired.options && plan(desired.wanted(barred), &comes).is_empty()
    }
}

async fn outcome_of(running: &mut Option<Running>) -> (Outcome, Vec<oneshot::Sender<Applied>>) {
    let Some(change) = running else { return std::future::pending().await };
    let outcome = (&mut change.task).await.unwrap_or_else(|_| Outcome::of_panic());
    let Some(Running { answers, desired, .. }) = running.take() else {
        return (outcome, Vec::new());
    };
    Reconciler::let_go(desired);
    (outcome, answers)
}

async fn answer_of(health: &mut Option<JoinHandle<bool>>) -> bool {
    let Some(task) = health else { return std::future::pending().await };
    let changed = task.await.unwrap_or_default();
    *health = None;
    changed
}

fn applied(outcome: &Outcome) -> Applied {
    let faults = outcome.failed.iter().map(|failed| ApplyError::of(&failed.step, &failed.error));
    let (steps, superseded) = (outcome.done.clone(), outcome.superseded);
    let (moved, notes) = (outcome.moved.clone(), outcome.notes.clone());
    let left_behind = outcome.left_behind.clone();
    Applied { steps, faults: faults.collect(), moved, superseded, notes, left_behind }
}

fn log_done(outcome: &Outcome) {
    for step in outcome.done.iter().take(LOGGED_STEPS_MAX) {
        tracing::info!("{}", step.done());
    }
    if let Some(more) = outcome.done.len().checked_sub(LOGGED_STEPS_MAX).filter(|more| *more > 0) {
        tracing::info!("and {more} more steps");
    }
    outcome.notes.iter().for_each(|note| tracing::info!("{note}"));
    outcome.left_behind.iter().for_each(|note| tracing::warn!("{note}"));
}
