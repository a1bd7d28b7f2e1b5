//! The handle to the owner task.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};
use trellis_claims::{Clock, TrustList};
use trellis_control::{Applied, Changing, Degraded, Overview};
use trellis_dispatch::Dispatcher;
use trellis_engine::Engine;
use trellis_manifest::Manifest;
use trellis_providers_sdk::Sample;

use crate::command::Command;
use crate::desired::ApplyOptions;
use crate::expected;
use crate::metrics::Metrics;
use crate::owner::Owner;
use crate::prepare::{Prepared, Stores};
use crate::reconciler::Reconciler;
use crate::shared::Shared;
use crate::status::Status;
use crate::witness::Witness;

/// Asks the owner task. Cheap to clone.
#[derive(Clone)]
pub struct Supervisor {
    commands: mpsc::Sender<Command>,
    pub(crate) shared: Arc<Shared>,
}

/// Commands waiting for the owner task; more than one is rare.
const COMMANDS_WAITING_MAX: usize = 16;

impl Supervisor {
    /// Starts the owner task of a host where nothing runs yet.
    #[must_use]
    pub fn start(
        engine: Engine,
        dispatcher: Arc<Dispatcher>,
        clock: Arc<dyn Clock>,
        metrics: Metrics,
    ) -> Self {
        let (commands, inbox) = mpsc::channel(COMMANDS_WAITING_MAX);
        let shared = Arc::new(Shared::new((engine, dispatcher), clock, metrics));
        let owner = Owner::new(Arc::clone(&shared), Reconciler::default());
        tokio::spawn(owner.run(inbox));
        Self { commands, shared }
    }

    /// Makes a prepared manifest run, and nothing else. What is the same is not touched. Answers
    /// when every step was tried; those that failed are tried again until they work or something
    /// else is wanted. An apply that comes while another is carried out takes its place.
    pub async fn apply(&self, prepared: Prepared, options: ApplyOptions) -> Applied {
        let ended = Applied { superseded: true, ..Applied::default() };
        self.ask(|answer| Command::Apply(Box::new(prepared), options, answer), ended).await
    }

    /// Stops every running actor and provider that a new trust list refuses, whatever else is going
    /// on; gives their names. None of them starts again before a list that trusts it.
    pub async fn enforce(&self, trust: TrustList) -> Vec<Arc<str>> {
        self.ask(|answer| Command::Trust(trust, answer), Vec::new()).await
    }

    /// From now on this one is told what happens; only the first who is named is.
    pub fn is_seen_by(&self, witness: Arc<dyn Witness>) {
        // An error says that there is one already.
        let _ = self.shared.lifecycles.witness.set(witness);
    }

    /// What runs now. Never waits for the owner task.
    #[must_use]
    pub fn status(&self) -> Arc<Status> {
        self.shared.status.load_full()
    }

    /// This is about to be applied, and is listed until it is or [cannot be](Self::cannot_have):
    /// before the first apply, when there is nothing else to list.
    pub fn expects(&self, manifest: &Manifest) {
        self.shared.expected.store(Some(Arc::new(expected::expected(manifest))));
    }

    /// What is expected cannot be had, for this reason; it is waited for.
    pub fn cannot_have(&self, why: &Degraded) {
        let refused = |known: Arc<Overview>| Arc::new(expected::refused(&known, why));
        let known = self.shared.expected.load_full();
        self.shared.expected.store(known.map(refused));
    }

    /// Everything that runs or is wanted, and why what is wanted does not run. Waits for no change,
    /// only for one edit of what runs. Of ten thousand actors it takes a while to tell: not on a
    /// thread that others need.
    #[must_use]
    pub fn overview(&self) -> Overview {
        self.shared.overview()
    }

    /// What each provider that serves now has measured, by its name. Waits for no change, only for
    /// one edit of what runs. Amid a change it asks whoever has taken over so far: a successor's
    /// samples follow its predecessor's without a gap.
    #[must_use]
    pub fn samples(&self) -> Vec<(Arc<str>, Vec<Sample>)> {
        // Asked while nothing is locked: the answer is not ours.
        let serving: Vec<_> = self.shared.look(|actual| actual.serving().cloned().collect());
        serving.iter().map(|instance| (instance.name(), instance.samples())).collect()
    }

    /// The kinds of providers that keep the data of each actor, over the bindings that are in force
    /// now. Waits for no change, only for one edit of what runs.
    #[must_use]
    pub fn stores(&self) -> BTreeMap<Arc<str>, Stores> {
        self.shared.look(|actual| actual.stores())
    }

    /// Waits until another status is published. One that is while nobody waits is kept; of several
    /// who wait, one is told.
    pub async fn changed(&self) {
        self.shared.published.notified().await;
    }

    /// True while a change is carried out.
    #[must_use]
    pub fn is_changing(&self) -> bool {
        // `Acquire` pairs with the owner's stores: with `false` comes the status of what was done.
        self.shared.changing.load(Ordering::Acquire)
    }

    /// How long the change that is carried out takes so far; zero when there is none.
    #[must_use]
    pub fn change_time(&self) -> Duration {
        self.shared.progress.taken()
    }

    /// The change that is carried out and what it waits for, once it takes long.
    #[must_use]
    pub fn slow_change(&self, now_unix_s: u64) -> Option<Changing> {
        self.shared.progress.slow(now_unix_s)
    }

    /// Stops intake, lets what is under way finish until `deadline`, then lets go of everything;
    /// also while something is being applied. Asked a second time, it lets go at once.
    pub async fn stop(&self, deadline: Instant) {
        self.ask(|answer| Command::Stop(deadline.into(), answer), ()).await;
    }

    /// After a stop the owner task is gone, and the answer is `ended`.
    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command, ended: T) -> T {
        let (answer, answered) = oneshot::channel();
        if self.commands.send(command(answer)).await.is_err() {
            return ended;
        }
        answered.await.unwrap_or(ended)
    }
}
