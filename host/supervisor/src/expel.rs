//! What goes at once, whatever it is doing: it may ask for nothing any more, and nobody reaches it.

use std::sync::Arc;

use trellis_core::BindingId;
use trellis_entitlements::{ActorId, TargetId};

use crate::actual::{ActualState, RunningProvider};
use crate::border::Instance;
use crate::warrants::Record;

/// What was taken away: instances that are to end, and bindings with those that are to be told.
#[derive(Default)]
pub(crate) struct Expelled {
    pub(crate) instances: Vec<Instance>,
    pub(crate) unbound: Vec<(BindingId, Instance)>,
}

impl Expelled {
    fn ends(&mut self, instance: Option<Instance>) {
        let known = |one: &Instance| self.instances.iter().any(|known| known.is(one));
        let new = instance.filter(|one| !known(one));
        self.instances.extend(new);
    }
}

impl ActualState {
    /// Takes a version away at once: it may ask for nothing any more, nobody reaches it, and its
    /// calls end. Gives its bindings with their instances, so that these may be told.
    pub(crate) fn expel(&mut self, name: &str, id: ActorId) -> Vec<(BindingId, Instance)> {
        let named = self.runs(id, name);
        let actor = if named { self.actors.remove(name) } else { self.retired.remove(&id) };
        let Some(actor) = actor else { return Vec::new() };
        self.road.entitlements.remove(id);
        self.road.routes.remove(actor.target);
        actor.route.cut();
        let (intake, outlets) = self.bindings_of(id);
        let bindings = intake.into_iter().chain(outlets);
        bindings.filter_map(|id| self.forget(id)).collect()
    }

    /// Takes a provider away at once: nobody reaches it, its calls end, and it may ask for nothing
    /// any more. It need not have an instance just now.
    pub(crate) fn expel_provider(&mut self, name: &str, expelled: &mut Expelled) {
        let Some(provider) = self.providers.remove(name) else { return };
        let RunningProvider { target, caller, calls, .. } = provider;
        calls.cut();
        self.close(target, expelled);
        expelled.unbound.extend(caller.map_or_else(Vec::new, |caller| self.silence(caller)));
    }

    /// Takes an instance away whose warrant was taken back, named or not: it may ask for nothing
    /// any more, and what it serves goes with it, unless a successor serves that. Whoever waits for
    /// its end cuts the calls it has.
    pub(crate) fn expel_instance(&mut self, record: &Record, expelled: &mut Expelled) {
        let instance = record.instance.upgrade();
        let serving = self.instances.get(&record.target).zip(instance.as_ref());
        if serving.is_some_and(|(serving, instance)| serving.is(instance)) {
            let named = self.providers.iter().find(|(_, known)| known.target == record.target);
            match named.map(|(name, _)| Arc::clone(name)) {
                Some(name) => self.expel_provider(&name, expelled),
                None => self.close(record.target, expelled),
            }
        }
        expelled.ends(instance);
        expelled.unbound.extend(record.caller.map_or_else(Vec::new, |caller| self.silence(caller)));
    }

    /// Nobody reaches any more what is served there.
    fn close(&mut self, target: TargetId, expelled: &mut Expelled) {
        self.road.routes.remove(target);
        let own = self.bindings.values().filter(|binding| binding.spec.target == target);
        let own: Vec<_> = own.map(|binding| binding.spec.id).collect();
        own.into_iter().for_each(|id| drop(self.forget(id)));
        expelled.ends(self.instances.remove(&target));
    }

    /// Takes the claims of a provider away, with all it is bound to: it may ask for nothing any
    /// more. Gives those bindings with their instances, so that these may be told.
    pub(crate) fn silence(&mut self, caller: ActorId) -> Vec<(BindingId, Instance)> {
        self.road.entitlements.remove(caller);
        let (intake, outlets) = self.bindings_of(caller);
        intake.into_iter().chain(outlets).filter_map(|id| self.forget(id)).collect()
    }
}
