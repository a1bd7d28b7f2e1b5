//! Replaces a provider by one that cannot stand beside it: both want the same file, or the same
//! port. Calls wait meanwhile, each until its own deadline.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};
use trellis_core::CallError;
use trellis_dispatch::RouteHandle;
use trellis_entitlements::TargetId;
use trellis_targets::{HeldTarget, Hold, ProviderTarget};

use super::Change;
use crate::border::Instance;
use crate::prepare::PreparedProvider;

/// Longest wait for the calls of a provider that has to end before its successor can begin; what
/// is left then is cut. New calls wait as long, so it is short.
const HOLD_DRAIN_MAX: Duration = Duration::from_secs(3);

/// A provider while it is replaced.
struct Held {
    target: TargetId,
    hold: Hold,
    old: PreparedProvider,
    instance: Instance,
    route: RouteHandle,
}

impl Change {
    pub(super) async fn swap_contested(&mut self) {
        let wanted: Vec<_> = (self.wanted_providers(true).into_iter())
            .map(|(place, prepared)| (place, prepared.clone()))
            .collect();
        for (place, prepared) in wanted {
            let Some(held) = self.hold(&prepared.name) else { continue };
            if let Err(error) = self.swap(held, prepared).await {
                self.fail(place, error);
            }
        }
    }

    /// From now on calls of the provider wait.
    fn hold(&self, name: &Arc<str>) -> Option<Held> {
        let (held, hold) = HeldTarget::new(Arc::clone(name));
        let (route, handle) = self.shared.dispatcher.route(name, Arc::new(held));
        self.shared.edit(|actual| {
            let running = actual.providers.get_mut(name)?;
            let instance = actual.instances.get(&running.target)?.clone();
            let (target, old) = (running.target, running.prepared.clone());
            let before = std::mem::replace(&mut running.route, handle);
            actual.road.routes.put(target, route);
            Some(Held { target, hold, old, instance, route: before })
        })
    }

    async fn swap(&self, held: Held, prepared: PreparedProvider) -> Result<(), CallError> {
        let Held { target, hold, old, instance, route } = held;
        let until = Instant::now() + HOLD_DRAIN_MAX;
        if timeout_at(until, route.gone()).await.is_err() {
            route.cut();
        }
        instance.shut_down(until).await;
        // It may hold what it had until it is dropped.
        drop(instance);
        self.shared.look(|actual| drop(actual.instances.remove(&target)));
        let error = match self.begin(target, &prepared).await {
            Ok(successor) => {
                self.release(target, prepared, successor, hold);
                return Ok(());
            }
            Err(error) => error,
        };
        match self.begin(target, &old).await {
            Ok(again) => self.release(target, old, again, hold),
            Err(worse) => {
                let name = Arc::clone(&old.name);
                self.shared.look(|actual| {
                    if let Some(running) = actual.providers.get_mut(&name) {
                        running.broken = Some(worse.clone());
                    }
                });
                hold.fail(worse);
            }
        }
        Err(error)
    }

    /// Makes an instance and tells it of every binding the provider has.
    async fn begin(
        &self,
        target: TargetId,
        prepared: &PreparedProvider,
    ) -> Result<Instance, CallError> {
        let instance = self.shared.make(prepared, target).await?;
        let bindings: Vec<_> = self.shared.look(|actual| {
            let own = actual.bindings.values().filter(|binding| binding.spec.target == target);
            own.map(|binding| binding.told(prepared)).collect()
        });
        for binding in bindings {
            if let Err(error) = instance.bind(binding).await {
                instance.shut_down(Instant::now() + HOLD_DRAIN_MAX).await;
                return Err(error);
            }
        }
        Ok(instance)
    }

    fn release(
        &self,
        target: TargetId,
        prepared: PreparedProvider,
        instance: Instance,
        hold: Hold,
    ) {
        let answers = Arc::new(ProviderTarget::new(Arc::clone(instance.provider())));
        let (route, handle) =
            self.shared.dispatcher.route(&prepared.name, Arc::clone(&answers) as Arc<_>);
        self.shared.edit(|actual| {
            actual.road.routes.put(target, route);
            actual.instances.insert(target, instance);
            if let Some(running) = actual.providers.get_mut(&prepared.name) {
                running.route = handle;
                running.ailment = None;
                running.broken = None;
                running.prepared = prepared;
            }
        });
        hold.release(answers);
    }
}
