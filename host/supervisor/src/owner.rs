//! The task that owns what runs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;
use trellis_claims::{ClaimsError, Clock, TrustList, Verified};
use trellis_dispatch::Dispatcher;
use trellis_engine::Engine;
use trellis_entitlements::{LinkId, Table};
use trellis_providers_sdk::Health;

use crate::command::{Command, Sampler, Status};
use crate::health;
use crate::metrics::Metrics;
use crate::world::World;

/// How often claims are held against the clock: an expired actor stops within this time.
const EXPIRY_CHECK_EVERY: Duration = Duration::from_secs(1);
/// How often providers are asked how they are.
const HEALTH_CHECK_EVERY: Duration = Duration::from_secs(5);
/// How long a drained actor or provider may finish what it has when the host goes on running.
pub(crate) const DRAIN_MAX: Duration = Duration::from_secs(30);

pub(crate) struct Owner {
    pub(crate) engine: Engine,
    pub(crate) dispatcher: Arc<Dispatcher>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) world: World,
    pub(crate) metrics: Metrics,
    pub(crate) status: Arc<ArcSwap<Status>>,
}

impl Owner {
    pub(crate) async fn run(mut self, mut inbox: mpsc::Receiver<Command>) {
        let mut expiry = tokio::time::interval(EXPIRY_CHECK_EVERY);
        expiry.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut health = tokio::time::interval(HEALTH_CHECK_EVERY);
        health.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let command = tokio::select! {
                command = inbox.recv() => command,
                _ = expiry.tick() => {
                    self.stop_expired().await;
                    continue;
                }
                _ = health.tick() => {
                    health::check(&mut self.world.providers).await;
                    self.publish_status();
                    continue;
                }
            };
            // An answer nobody waits for any more is no failure.
            match command {
                Some(Command::Apply(prepared, rules, answer)) => {
                    let applied = self.apply(*prepared, rules).await;
                    self.publish_status();
                    let _ = answer.send(applied);
                }
                Some(Command::Trust(trust, answer)) => {
                    let _ = answer.send(self.enforce(&trust).await);
                }
                Some(Command::Stop(deadline, answer)) => {
                    self.stop(deadline).await;
                    let _ = answer.send(());
                    return;
                }
                // Every handle is gone: nobody can ask for anything any more.
                None => return self.stop(Instant::now() + DRAIN_MAX).await,
            }
        }
    }

    /// Publishes who may do what. Called whenever actors, links or rules changed.
    pub(crate) fn publish_entitlements(&self) {
        self.dispatcher.publish(Table::build(&self.world.roster()));
    }

    fn publish_status(&self) {
        let world = &self.world;
        let health =
            |ailment: &Option<String>| ailment.clone().map_or(Health::Healthy, Health::Degraded);
        self.status.store(Arc::new(Status {
            actors: world.actors.keys().cloned().collect(),
            providers: (world.providers.iter())
                .map(|(name, running)| (Arc::clone(name), health(&running.ailment)))
                .collect(),
            addresses: (world.providers.values())
                .flat_map(|running| running.provider.addresses())
                .filter_map(|at| Some((at.url, world.actor_of(LinkId(at.binding.0))?)))
                .collect(),
            samplers: (world.providers.iter())
                .map(|(name, running)| Sampler::new(name, &running.provider))
                .collect(),
        }));
    }

    async fn stop_expired(&mut self) {
        let clock = Arc::clone(&self.clock);
        self.stop_where(|verified| verified.check_time(&*clock)).await;
    }

    async fn enforce(&mut self, trust: &TrustList) -> Vec<Arc<str>> {
        let clock = Arc::clone(&self.clock);
        self.stop_where(|verified| verified.recheck(trust, &*clock)).await
    }

    /// Stops every actor the check refuses, with the check's own words in the log.
    async fn stop_where(
        &mut self,
        check: impl Fn(&Verified) -> Result<(), ClaimsError>,
    ) -> Vec<Arc<str>> {
        let refused: Vec<_> = (self.world.actors.iter())
            .filter_map(|(name, actor)| {
                Some((Arc::clone(name), check(&actor.prepared.verified).err()?))
            })
            .collect();
        for (name, error) in &refused {
            self.metrics.stopped(error.code());
            tracing::warn!(actor = %name, code = error.code().as_str(), "stopped: {error}");
        }
        let names: Vec<_> = refused.into_iter().map(|(name, _)| name).collect();
        self.remove_actors(&names).await;
        if !names.is_empty() {
            self.publish_status();
        }
        names
    }

    async fn stop(&mut self, deadline: Instant) {
        let providers: Vec<_> =
            self.world.providers.values().map(|p| Arc::clone(&p.provider)).collect();
        // Providers first: what comes from outside stops coming, and what it asked for finishes.
        let grace = deadline.saturating_duration_since(Instant::now());
        futures_util::future::join_all(providers.iter().map(|p| p.shutdown(grace))).await;
        let actors: Vec<_> = self.world.actors.values().map(|actor| actor.engine.clone()).collect();
        futures_util::future::join_all(actors.iter().map(|actor| actor.drain(deadline))).await;
        self.dispatcher.edit_routes(|routes| routes.clear());
        self.world = World::default();
        self.publish_entitlements();
        self.publish_status();
    }
}
