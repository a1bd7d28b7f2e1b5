//! Who may run on: claims end, and trust is taken back. Both act at once, whatever else goes on.

use std::sync::Arc;

use trellis_claims::{ClaimsError, PublicKey, TrustList};
use trellis_entitlements::ActorId;

use crate::actual::{ActualState, RunningActor};
use crate::desired::{Moment, vouch};
use crate::shared::Shared;

impl Shared {
    /// Trusts from now on whom this list trusts, and nobody else. Gives the names of the actors
    /// that stopped for it.
    pub(crate) fn trust(self: &Arc<Self>, list: TrustList) -> Vec<Arc<str>> {
        let strangers = self.look(|actual| {
            let strangers = strangers(actual, &list);
            actual.trust = Some(list);
            strangers
        });
        for key in strangers {
            tracing::info!(%key, "revoked; no actor that runs here is or was issued by that key");
        }
        self.expel_refused()
    }

    /// Takes away every version whose claims hold no longer, or whom the host does not trust any
    /// more. It may ask for nothing from this moment on, and its calls end. Gives the names.
    pub(crate) fn expel_refused(self: &Arc<Self>) -> Vec<Arc<str>> {
        let now = Moment::of(&*self.clock);
        let refused: Vec<(Arc<str>, ActorId, ClaimsError)> = self.look(|actual| {
            let trust = actual.trust.as_ref();
            let check = |actor: &RunningActor| {
                let error = vouch(actor.verified(), trust, &now).err()?;
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

/// The keys that this list revokes and the one before did not, and that stop nothing: whoever
/// revoked the wrong key would see no difference. None of the first list: nothing runs yet.
fn strangers(actual: &ActualState, list: &TrustList) -> Vec<PublicKey> {
    let Some(before) = &actual.trust else { return Vec::new() };
    let known = |key: &PublicKey| before.revoked().any(|it| it == key);
    let is_of = |key: &PublicKey, actor: &RunningActor| {
        let claims = actor.verified().claims();
        claims.subject == *key || claims.issuer == *key
    };
    let stops = |key: &PublicKey| actual.versions().any(|actor| is_of(key, actor));
    list.revoked().filter(|key| !known(key) && !stops(key)).cloned().collect()
}
