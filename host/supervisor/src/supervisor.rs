//! The handle to the owner task.

use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;
use tokio::sync::{mpsc, oneshot};
use trellis_claims::{Clock, TrustList};
use trellis_dispatch::Dispatcher;
use trellis_engine::Engine;
use trellis_entitlements::Rules;

use crate::applied::Applied;
use crate::command::{Command, Status};
use crate::metrics::Metrics;
use crate::owner::Owner;
use crate::prepare::Prepared;
use crate::world::World;

/// Asks the owner task. Cheap to clone.
#[derive(Clone)]
pub struct Supervisor {
    commands: mpsc::Sender<Command>,
    status: Arc<ArcSwap<Status>>,
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
        let status = Arc::<ArcSwap<Status>>::default();
        let world = World::default();
        let owner =
            Owner { engine, dispatcher, clock, world, metrics, status: Arc::clone(&status) };
        tokio::spawn(owner.run(inbox));
        Self { commands, status }
    }

    /// Makes a prepared manifest run: what is new or changed is started, what is left out is
    /// drained, and what is the same is not touched. Idempotent.
    pub async fn apply(&self, prepared: Prepared, rules: Rules) -> Applied {
        self.ask(|answer| Command::Apply(Box::new(prepared), rules, answer)).await
    }

    /// Stops every running actor that a new trust list refuses; gives their names.
    pub async fn enforce(&self, trust: TrustList) -> Vec<Arc<str>> {
        self.ask(|answer| Command::Trust(trust, answer)).await
    }

    /// What runs now. Never waits for the owner task.
    #[must_use]
    pub fn status(&self) -> Arc<Status> {
        self.status.load_full()
    }

    /// Stops intake, lets what is under way finish until `deadline`, then lets go of everything.
    pub async fn stop(&self, deadline: Instant) {
        self.ask(|answer| Command::Stop(deadline, answer)).await
    }

    /// After a stop the owner task is gone, and everything is as empty as the default says.
    async fn ask<T: Default>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> T {
        let (answer, answered) = oneshot::channel();
        if self.commands.send(command(answer)).await.is_err() {
            return T::default();
        }
        answered.await.unwrap_or_default()
    }
}
