//! Replaces a provider by one that cannot stand beside it: both want the same file, or the same
//! port. Calls wait meanwhile, each until its own deadline.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};
use trellis_core::{BindingId, CallError, Code};
use trellis_entitlements::TargetId;
use trellis_targets::{HeldTarget, Hold, ProviderTarget};

use super::Change;
use super::make::newer;
use super::outcome::Again;
use crate::border::Instance;
use crate::calls::Calls;
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
    /// Those from before.
    calls: Calls,
}

/// An instance that is to serve, and what it was told of.
struct Begun {
    instance: Instance,
    told: Vec<BindingId>,
}

impl Change {
    /// One after the other, until something newer is wanted.
    pub(super) async fn swap_contested(&mut self) {
        let wanted: Vec<_> = (self.wanted_providers(true).into_iter())
            .map(|(place, prepared)| (place, prepared.clone()))
            .collect();
        for (place, prepared) in wanted {
            if *self.superseded.borrow() {
                return;
            }
            let Some(held) = self.hold(&prepared.name) else { continue };
            if let Err((error, again)) = self.swap(held, prepared).await {
                self.fail_until(place, error, again);
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
            let calls = running.calls.go_on(handle);
            actual.road.routes.put(target, route);
            Some(Held { target, hold, old, instance, calls })
        })
    }

    async fn swap(&self, held: Held, prepared: PreparedProvider) -> Result<(), (CallError, Again)> {
        let Held { target, hold, old, instance, calls } = held;
        let until = Instant::now() + HOLD_DRAIN_MAX;
        if timeout_at(until, calls.ended()).await.is_err() {
            calls.cut();
        }
        instance.shut_down(until).await;
        // It may hold what it had until it is dropped, which is done while nothing is locked.
        let serving = self.shared.look(|actual| actual.instances.remove(&target));
        drop((instance, serving));
        let error = match self.begin(target, &prepared).await {
            Ok(successor) => {
                self.release(target, prepared, successor, hold);
                return Ok(());
            }
            Err(error) => error,
        };
        let again = match self.restart(target, &old).await {
            Ok(again) => {
                self.release(target, old, again, hold);
                Again::Rarely
            }
            Err(worse) => {
                let name = Arc::clone(&old.name);
                self.shared.look(|actual| {
                    if let Some(running) = actual.providers.get_mut(&name) {
                        running.broken = Some(worse.clone());
                    }
                });
                hold.fail(worse);
                Again::Soon
            }
        };
        Err((error, again))
    }

    /// Makes the new one, unless something newer is wanted by then.
    async fn begin(
        &self,
        target: TargetId,
        prepared: &PreparedProvider,
    ) -> Result<Begun, CallError> {
        let mut superseded = self.superseded.clone();
        let instance = tokio::select! {
            made = self.shared.make(prepared, target) => made?,
            () = newer(&mut superseded) => {
                return Err(CallError::new(Code::Stopping, "something newer is wanted"));
            }
        };
        self.tell_all(instance, target, prepared).await
    }

    /// Makes the old one again, whatever is wanted: calls wait for it.
    async fn restart(
        &self,
        target: TargetId,
        prepared: &PreparedProvider,
    ) -> Result<Begun, CallError> {
        let instance = self.shared.make(prepared, target).await?;
        self.tell_all(instance, target, prepared).await
    }

    /// Tells an instance of every binding the provider has.
    async fn tell_all(
        &self,
        instance: Instance,
        target: TargetId,
        prepared: &PreparedProvider,
    ) -> Result<Begun, CallError> {
        match self.tell_served(&instance, (target, prepared), &HashSet::new()).await {
            Ok(told) => Ok(Begun { instance, told }),
            Err(error) => {
                instance.shut_down(Instant::now() + HOLD_DRAIN_MAX).await;
                Err(error)
            }
        }
    }

    fn release(&self, target: TargetId, prepared: PreparedProvider, begun: Begun, hold: Hold) {
        let Begun { instance, told } = begun;
        let answers = Arc::new(ProviderTarget::new(Arc::clone(instance.provider())));
        let (route, handle) =
            self.shared.dispatcher.route(&prepared.name, Arc::clone(&answers) as Arc<_>);
        let gone = self.shared.edit(|actual| {
            let gone = actual.gone_of(told, &instance);
            actual.road.routes.put(target, route);
            actual.instances.insert(target, instance);
            if let Some(running) = actual.providers.get_mut(&prepared.name) {
                // Calls that waited go on over their own route.
                drop(running.calls.go_on(handle));
                running.ailment = None;
                running.broken = None;
                running.prepared = prepared;
            }
            gone
        });
        self.shared.tell_unbound(gone);
        hold.release(answers);
    }
}
