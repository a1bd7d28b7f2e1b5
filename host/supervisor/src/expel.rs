//! What goes at once, whatever it is doing: it may ask for nothing any more, and nobody reaches it.

use trellis_core::BindingId;
use trellis_entitlements::ActorId;

use crate::actual::{ActualState, RunningProvider};
use crate::border::Instance;

/// The instance of a provider that was taken away, and what that was bound to.
pub(crate) type Expelled = (Option<Instance>, Vec<(BindingId, Instance)>);

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
    /// any more. Gives its instance, if it has one just now, and what it was bound to.
    pub(crate) fn expel_provider(&mut self, name: &str) -> Option<Expelled> {
        let RunningProvider { target, caller, calls, .. } = self.providers.remove(name)?;
        self.road.routes.remove(target);
        calls.cut();
        let own = self.bindings.values().filter(|binding| binding.spec.target == target);
        let own: Vec<_> = own.map(|binding| binding.spec.id).collect();
        own.into_iter().for_each(|id| drop(self.forget(id)));
        let unbound = caller.map_or_else(Vec::new, |caller| self.silence(caller));
        Some((self.instances.remove(&target), unbound))
    }

    /// Takes the claims of a provider away, with all it is bound to: it may ask for nothing any
    /// more. Gives those bindings with their instances, so that these may be told.
    pub(crate) fn silence(&mut self, caller: ActorId) -> Vec<(BindingId, Instance)> {
        self.road.entitlements.remove(caller);
        let (intake, outlets) = self.bindings_of(caller);
        intake.into_iter().chain(outlets).filter_map(|id| self.forget(id)).collect()
    }
}
