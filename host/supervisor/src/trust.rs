//! Who may run on: claims end, and trust is taken back. Both act at once, whatever else goes on.

use std::sync::Arc;

use trellis_claims::ClaimsError;
use trellis_entitlements::ActorId;

use crate::actual::RunningActor;
use crate::desired::vouch;
use crate::shared::Shared;

impl Shared {
    /// Takes away every version whose claims hold no longer, or whom the host does not trust any
    /// more. It may ask for nothing from this moment on, and its calls end. Gives the names.
    pub(crate) fn expel_refused(self: &Arc<Self>) -> Vec<Arc<str>> {
        let clock = Arc::clone(&self.clock);
        let refused: Vec<(Arc<str>, ActorId, ClaimsError)> = self.look(|actual| {
            let trust = actual.trust.as_ref();
            let check = |actor: &RunningActor| {
                let error = vouch(actor.verified(), trust, &*clock).err()?;
                Some((Arc::clone(&actor.prepared.name), actor.id, error))
            };
            actual.versions().filter_map(check).collect()
        });
        if refused.is_empty() {
            return Vec::new();
        }
        let unbound = self.edit(|actual| {
            refused.iter().flat_map(|(name, id, _)| actual.expel(name, *id)).collect()
        });
        self.tell_unbound(unbound);
        self.let_go.notify_waiters();
        let mut names = Vec::new();
        for (name, _, error) in refused {
            self.metrics.stopped(error.code());
            tracing::warn!(actor = %name, code = error.code().as_str(), "stopped: {}", error.message());
            names.push(name);
        }
        names.sort();
        names.dedup();
        names
    }
}
