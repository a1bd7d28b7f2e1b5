//! From what runs to what shall run.
//!
//! The order keeps requests alive: new providers and actors start first, then routes and
//! entitlements are published in one step, then providers learn of their bindings (an HTTP server
//! opens its port last), and only then does the old go. An actor that was replaced or removed needs
//! no draining here: the calls it still has hold their route, and it is dropped with the last one.

use std::collections::BTreeSet;
use std::sync::Arc;

use trellis_core::CallError;
use trellis_engine::ModuleSpec;
use trellis_entitlements::Rules;
use trellis_providers_sdk::{Binding, BindingId, Context};

use crate::actor::{ActorTarget, GuestCalls};
use crate::applied::{Applied, Fault};
use crate::owner::{DRAIN_MAX, Owner};
use crate::prepare::{Prepared, PreparedActor, PreparedLink, PreparedProvider};
use crate::provider::{ProviderCalls, ProviderTarget};
use crate::world::{LinkKey, RunningActor, RunningLink, RunningProvider};

impl Owner {
    pub(crate) async fn apply(&mut self, desired: Prepared, rules: Rules) -> Applied {
        let mut applied = Applied::default();
        self.world.rules = rules;
        self.release(&desired, &mut applied).await;
        self.start_providers(desired.providers, &mut applied).await;
        self.start_actors(&desired.actors, &mut applied).await;
        self.bind(desired.links, &mut applied).await;
        let names: BTreeSet<_> = desired.actors.iter().map(|actor| &actor.name).collect();
        let gone: Vec<_> =
            self.world.actors.keys().filter(|name| !names.contains(name)).cloned().collect();
        applied.changes.extend(gone.iter().map(|name| format!("stopped actor {name}")));
        self.remove_actors(&gone).await;
        applied.faults.iter().for_each(|fault| self.metrics.fault(fault.error.code()));
        applied
    }

    /// Unbinds what is no longer wanted and stops providers that are gone or changed: a changed
    /// provider may hold what its successor needs (a file, a port).
    async fn release(&mut self, desired: &Prepared, applied: &mut Applied) {
        let links: BTreeSet<_> = desired.links.iter().map(LinkKey::of).collect();
        let same = |running: &RunningProvider| {
            desired.providers.iter().any(|wanted| same_provider(&running.prepared, wanted))
        };
        let providers: BTreeSet<Arc<str>> = (self.world.providers.iter())
            .filter(|(_, running)| !same(running))
            .map(|(name, _)| Arc::clone(name))
            .collect();
        let unwanted: Vec<_> = (self.world.links.iter())
            .filter(|(key, link)| {
                !links.contains(key) || providers.contains(&link.prepared.provider)
            })
            .map(|(key, _)| key.clone())
            .collect();
        for key in unwanted {
            self.unbind(&key).await;
            applied.changes.push(format!("unbound {} from {}", key.actor, key.contract));
        }
        self.publish_entitlements();
        for name in providers {
            self.stop_provider(&name).await;
            applied.changes.push(format!("stopped provider {name}"));
        }
    }

    async fn start_providers(&mut self, wanted: Vec<PreparedProvider>, applied: &mut Applied) {
        for prepared in wanted {
            if self.world.providers.contains_key(&prepared.name) {
                continue;
            }
            let name = Arc::clone(&prepared.name);
            match self.start_provider(prepared).await {
                Ok(()) => applied.changes.push(format!("started provider {name}")),
                Err(error) => {
                    applied.faults.push(Fault { what: format!("provider {name}"), error });
                }
            }
        }
    }

    async fn start_provider(&mut self, prepared: PreparedProvider) -> Result<(), CallError> {
        let target = self.world.next_target();
        let calls = ProviderCalls { dispatcher: Arc::clone(&self.dispatcher), provider: target };
        let context = Context::new(Arc::new(calls));
        let provider = prepared.factory.create(context, prepared.values.clone()).await?;
        let route = Arc::new(ProviderTarget(Arc::clone(&provider)));
        self.dispatcher.edit_routes(|routes| routes.put(target, &prepared.name, route));
        let name = Arc::clone(&prepared.name);
        let running = RunningProvider { target, prepared, provider, ailment: None };
        self.world.providers.insert(name, running);
        Ok(())
    }

    /// Starts new actors and the new versions of changed ones.
    async fn start_actors(&mut self, wanted: &[PreparedActor], applied: &mut Applied) {
        for prepared in wanted {
            let running = self.world.actors.get(&prepared.name);
            if running.is_some_and(|running| running.prepared.same_as(prepared)) {
                continue;
            }
            let verb = if running.is_some() { "replaced" } else { "started" };
            match self.start_actor(prepared).await {
                Ok(()) => applied.changes.push(format!("{verb} actor {}", prepared.name)),
                Err(error) => {
                    applied.faults.push(Fault { what: format!("actor {}", prepared.name), error });
                }
            }
        }
        self.publish_entitlements();
    }

    async fn start_actor(&mut self, prepared: &PreparedActor) -> Result<(), CallError> {
        let running = self.world.actors.get(&prepared.name);
        if let Some(running) =
            running.filter(|running| running.subject() == prepared.verified.claims().key())
        {
            prepared.verified.claims().check_succeeds(running.prepared.verified.claims())?;
        }
        let (id, target) = match running {
            Some(running) => (running.id, running.target),
            None => (self.world.next_actor(), self.world.next_target()),
        };
        let calls = GuestCalls { dispatcher: Arc::clone(&self.dispatcher), actor: id };
        let module = ModuleSpec {
            name: Arc::clone(&prepared.name),
            bytes: prepared.read()?,
            digest: *prepared.verified.digest(),
            isolation: prepared.isolation,
            limits: prepared.limits.clone(),
            source: Some(Arc::new(prepared.clone())),
        };
        let engine = self.engine.load(module, Arc::new(calls)).await?;
        let route = Arc::new(ActorTarget(engine.clone()));
        self.dispatcher.edit_routes(|routes| routes.put(target, &prepared.name, route));
        let running = RunningActor { id, target, prepared: prepared.clone(), engine };
        self.world.actors.insert(Arc::clone(&prepared.name), running);
        Ok(())
    }

    /// Publishes new and changed bindings, then tells their providers.
    async fn bind(&mut self, wanted: Vec<PreparedLink>, applied: &mut Applied) {
        let mut fresh = Vec::new();
        for prepared in wanted {
            let key = LinkKey::of(&prepared);
            let actor = self.world.actors.get(&prepared.actor);
            let Some(subject) = actor.map(RunningActor::subject) else { continue };
            let running = self.world.links.get(&key);
            if running.is_some_and(|link| link.prepared == prepared && link.subject == subject) {
                continue;
            }
            let id = running.map(|running| running.id);
            let id = id.unwrap_or_else(|| self.world.next_link());
            self.world.links.insert(key.clone(), RunningLink { id, prepared, subject });
            fresh.push(key);
        }
        self.publish_entitlements();
        for key in fresh {
            let what = format!("binding of {} to {}", key.actor, key.contract);
            match self.tell_provider(&key).await {
                Ok(()) => applied.changes.push(format!("bound {} to {}", key.actor, key.contract)),
                Err(error) => {
                    self.world.links.remove(&key);
                    applied.faults.push(Fault { what, error });
                }
            }
        }
        self.publish_entitlements();
    }

    async fn tell_provider(&self, key: &LinkKey) -> Result<(), CallError> {
        let world = &self.world;
        let ends = world.links.get(key).and_then(|link| {
            let actor = world.actors.get(&link.prepared.actor)?;
            let provider = world.providers.get(&link.prepared.provider)?;
            Some((link, actor, provider))
        });
        // Its actor or provider failed to start, which was reported there.
        let Some((link, actor, provider)) = ends else { return Ok(()) };
        let binding = Binding {
            id: BindingId(link.id.0),
            actor: link.subject.clone(),
            actor_name: actor.prepared.name.to_string(),
            contract: link.prepared.contract.id.clone(),
            name: link.prepared.binding.clone(),
            values: link.prepared.values.over(&provider.prepared.values),
        };
        provider.provider.bind(binding).await
    }

    /// The provider stops taking work for the binding before the binding goes.
    async fn unbind(&mut self, key: &LinkKey) {
        let Some(link) = self.world.links.get(key) else { return };
        if let Some(running) = self.world.providers.get(&link.prepared.provider) {
            running.provider.unbind(BindingId(link.id.0)).await;
        }
        self.world.links.remove(key);
    }

    async fn stop_provider(&mut self, name: &Arc<str>) {
        let Some(running) = self.world.providers.remove(name) else { return };
        self.dispatcher.edit_routes(|routes| routes.remove(running.target, name));
        running.provider.shutdown(DRAIN_MAX).await;
    }

    /// Takes actors out: bindings, entitlements, routes; then lets them finish in the background.
    pub(crate) async fn remove_actors(&mut self, names: &[Arc<str>]) {
        if names.is_empty() {
            return;
        }
        let links: Vec<_> =
            self.world.links.keys().filter(|key| names.contains(&key.actor)).cloned().collect();
        for key in links {
            self.unbind(&key).await;
        }
        let gone: Vec<_> =
            names.iter().filter_map(|name| self.world.actors.remove_entry(name)).collect();
        self.publish_entitlements();
        self.dispatcher.edit_routes(|routes| {
            for (name, running) in &gone {
                routes.remove(running.target, name);
            }
        });
    }
}

fn same_provider(running: &PreparedProvider, wanted: &PreparedProvider) -> bool {
    running.name == wanted.name
        && running.descriptor.name == wanted.descriptor.name
        && running.values == wanted.values
}
