//! Who may run on: claims end, and trust is taken back. Both act at once, whatever else goes on.

use std::collections::BTreeSet;
use std::sync::Arc;

use trellis_claims::{ClaimsError, PublicKey, TrustList, Verified, VerifiedProvider};
use trellis_entitlements::ActorId;

use crate::actual::{ActualState, RunningActor, RunningProvider};
use crate::desired::{Desired, Moment, vouch, vouch_for_provider};
use crate::prepare::{Prepared, PreparedProvider};
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
            let ran = if is_new { keys_of_all(actual) } else { BTreeSet::new() };
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

    /// Takes away every version of an actor, and every provider, whose claims hold no longer, or
    /// whom the host does not trust any more. It may ask for nothing from this moment on, and its
    /// calls end. Gives the names.
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
                instances.extend(instance);
                unbound.extend(bindings);
            }
            (unbound, instances)
        });
        self.tell_unbound(unbound);
        instances.into_iter().for_each(|instance| self.end_at_once(instance));
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

/// The versions of actors and the providers whose claims do not hold.
type Refused = (Vec<(Arc<str>, ActorId, ClaimsError)>, Vec<(Arc<str>, ClaimsError)>);

fn refused(actual: &ActualState, now: &Moment) -> Refused {
    let trust = actual.trust.as_ref();
    let actor = |actor: &RunningActor| {
        let error = vouch(actor.verified(), trust, now).err()?;
        Some((Arc::clone(&actor.prepared.name), actor.id, error))
    };
    let provider = |(name, running): (&Arc<str>, &RunningProvider)| {
        let error = vouch_for_provider(&running.prepared, trust, now).err()?;
        Some((Arc::clone(name), error))
    };
    let actors = actual.versions().filter_map(actor).collect();
    (actors, actual.providers.iter().filter_map(provider).collect())
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
    known.extend(actors.iter().flat_map(|actor| keys_of(&actor.verified)));
    known.extend(providers.iter().flat_map(keys_of_provider));
    let mut strangers =
        list.revoked().filter(|key| !before.is_revoked(key) && !known.contains(*key));
    for key in strangers.by_ref().take(STRANGERS_TOLD_MAX) {
        tracing::info!(%key, "revoked; nothing here has that key or was signed with it");
    }
    let more = strangers.count();
    if more > 0 {
        tracing::info!("and {more} more keys that nothing here has or was signed with");
    }
}

/// The keys of all that runs, and of who issued it.
fn keys_of_all(actual: &ActualState) -> BTreeSet<PublicKey> {
    let actors = actual.versions().flat_map(|actor| keys_of(actor.verified()));
    let providers = actual.providers.values();
    actors.chain(providers.flat_map(|running| keys_of_provider(&running.prepared))).collect()
}

/// A module's own key, and its issuer's.
fn keys_of(verified: &Verified) -> [PublicKey; 2] {
    let claims = verified.claims();
    [claims.subject.clone(), claims.issuer.clone()]
}

/// The same of a provider, if it has any.
fn keys_of_provider(provider: &PreparedProvider) -> impl Iterator<Item = PublicKey> {
    let module = provider.module.iter().flat_map(|module| keys_of(&module.verified));
    let of_archive =
        |claims: &VerifiedProvider| [claims.subject().clone(), claims.issuer().clone()];
    module.chain(provider.claims.iter().flat_map(of_archive))
}
