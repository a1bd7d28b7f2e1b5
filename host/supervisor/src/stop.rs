//! How a host ends.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::Instant;
use trellis_dispatch::Snapshot;

use crate::actual::RunningActor;
use crate::border::Instance;
use crate::shared::Shared;

/// What a store has to take its last writes to the disk, even when the calls before it took all the
/// time there was.
const LAST_WRITES: Duration = Duration::from_millis(500);

impl Shared {
    /// Nothing new starts any more. Servers first: what comes from outside stops coming, and what
    /// it asked for finishes, with actors and stores at hand. Then actors, then stores.
    pub(crate) async fn stop(&self, until: Instant) {
        let (servers, stores, actors) = self.look(|actual| {
            let instances = actual.instances.values().cloned();
            let (servers, stores): (Vec<_>, Vec<_>) = instances.partition(Instance::is_server);
            let actor = |it: &RunningActor| (it.engine.clone(), Arc::clone(&it.life));
            let actors: Vec<_> = actual.versions().map(actor).collect();
            (servers, stores, actors)
        });
        join_all(servers.iter().map(|server| server.shut_down(until))).await;
        actors.iter().for_each(|(_, life)| life.drains());
        join_all(actors.iter().map(|(actor, _)| actor.drain(until.into_std()))).await;
        let last = until.max(Instant::now() + LAST_WRITES);
        join_all(stores.iter().map(|store| store.shut_down(last))).await;
        self.aside.finish(last).await;
    }

    /// Lets go of everything at once; calls that are under way end.
    pub(crate) fn clear(&self) {
        let actual = self.edit(|actual| {
            actual.road = Snapshot::default();
            actual.versions().for_each(|actor| actor.route.cut());
            std::mem::take(actual)
        });
        drop(actual);
    }
}
