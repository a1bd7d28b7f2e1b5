//! Who may run on: claims end, and trust is taken back. Both act at once, whatever else goes on.

use std::collections::BTreeSet;
use std::sync::Arc;

use trellis_claims::{ActorClaims, ClaimsError, PublicKey, TrustList};
use trellis_entitlements::ActorId;

use crate::actual::{ActualState, RunningActor};
use crate::desired::{Desired, Moment, vouch};
use crate::prepare::{Prepared, PreparedActor};
use crate::shared::Shared;

/// Most revoked keys that are of nobody here and are logged one by one.
const STRANGERS_TOLD_MAX: usize = 20;

impl Shared {
    /// Trusts from now on whom this list trusts, and nobody else. Gives the names of the actors
    /// and providers that stopped for it; `wanted` is what may run.
    pub(crate) fn trust(
        self: &Arc<Self>,
        list: &TrustList,
        wanted: Option<&Desired>,
    ) -> Vec<Arc<str>> {
        let (before, ran) = self.look(|actual| {
            // Most lists are the one that was given before.
            let is_new = actual.trust.as_ref() != Some(list);
            let actors = actual.versions().map(RunningActor::verified);
            let modules = actual.modules().map(|module| &module.verified);
            let ran = actors.chain(modules).filter(|_| is_new);
            let ran: BTreeSet<_> = ran.flat_map(|it| keys_of(it.claims())).collect();
            let before = actual.trust.replace(list.clone());
            (before.filter(|_| is_new), ran)
        });
        let names = self.expel_refused();
        // At the start nothing runs yet, and nobody has revoked anything just now.
        if let (Some(before), Some(wanted)) = (before, wanted) {
            tell_of_strangers(list, &before, ran, wanted);
        }
        names
    }

    /// Takes away every version of an actor, and every provider that is a module, whose claims hold
    /// no longer, or whom the host does not trust any more. It may ask for nothing from this moment
    /// on, and its calls end. Gives the names.
    pub(crate) fn expel_refused(self: &Arc<Self>) -> Vec<Arc<str>> {
        let now = Moment::of(&*self.clock);
        let (actors, providers) = self.look(|actual| refused(actual, &now));
        if actors.is_empty() && providers.is_empty() {
            return Vec::new();
        }
        let (unbound, instances) = self.edit(|actual| {
            let unbound = actors.iter().flat_map(|(name, id, _)| actual.expel(name, *id));
            let mut unbound: Vec<_> = unbound.collect();
            let mut instances = Vec::new();
            for (name, _) in &providers {
                let Some((instance, bindings)) = actual.expel_provider(name) else { continue };
                instances.push(instance);
                unbound.extend(bindings);
            }
            (unbound, instances)
        });
        self.tell_unbound(unbound);
        instances.into_iter().for_each(|instance| self.discard(instance));
        self.let_go.notify_waiters();
        let mut names = Vec::new();
        for (name, _, error) in actors {
            self.metrics.stopped(error.code());
            tracing::warn!(actor = %name, code = error.code().as_str(), "stopped: {}", error.message());
            names.push(name);
        }
        for (name, error) in providers {
            self.metrics.stopped(error.code());
            let code = error.code().as_str();
            tracing::warn!(provider = %name, code, "stopped: {}", error.message());
            names.push(name);
        }
        names.sort();
        names.dedup();
        names
    }
}

/// The versions of actors whose claims do not hold, and the providers whose module's do not.
type Refused = (Vec<(Arc<str>, ActorId, ClaimsError)>, Vec<(Arc<str>, ClaimsError)>);

fn refused(actual: &ActualState, now: &Moment) -> Refused {
    let trust = actual.trust.as_ref();
    let actor = |actor: &RunningActor| {
        let error = vouch(actor.verified(), trust, now).err()?;
        Some((Arc::clone(&actor.prepared.name), actor.id, error))
    };
    let module = |module: &PreparedActor| {
        let error = vouch(&module.verified, trust, now).err()?;
        Some((Arc::clone(&module.name), error))
    };
    let actors = actual.versions().filter_map(actor).collect();
    (actors, actual.modules().filter_map(module).collect())
}

/// Says which keys this list revokes, and the one before did not, that are of nobody here: whoever
/// revoked the wrong key would see no difference.
fn tell_of_strangers(
    list: &TrustList,
    before: &TrustList,
    mut known: BTreeSet<PublicKey>,
    wanted: &Desired,
) {
    let Prepared { actors, providers, .. } = &wanted.prepared;
    let modules = providers.iter().filter_map(|provider| provider.module.as_deref());
    let wanted = actors.iter().chain(modules).map(|module| module.verified.claims());
    known.extend(wanted.flat_map(|claims| keys_of(claims)));
    let mut strangers =
        list.revoked().filter(|key| !before.is_revoked(key) && !known.contains(*key));
    for key in strangers.by_ref().take(STRANGERS_TOLD_MAX) {
        tracing::info!(%key, "revoked; no module here has that key or was signed with it");
    }
    let more = strangers.count();
    if more > 0 {
        tracing::info!("and {more} more keys that no module here has or was signed with");
    }
}

/// A module's own key, and its issuer's.
fn keys_of(claims: &ActorClaims) -> [PublicKey; 2] {
    [claims.subject.clone(), claims.issuer.clone()]
}
