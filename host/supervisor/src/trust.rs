//! Who may run on: claims end, and trust is taken back. Both act at once, whatever else goes on.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::time::Instant;
use trellis_claims::{ActorClaims, ClaimsError, PublicKey, TrustList, VerifiedProvider};
use trellis_core::CallError;
use trellis_entitlements::ActorId;
use trellis_targets::HeldTarget;

use crate::actual::{RunningActor, RunningProvider};
use crate::desired::{Desired, Moment, vouch, vouch_for_provider};
use crate::prepare::PreparedProvider;
use crate::shared::Shared;

/// Most revoked keys that are of nobody here and are logged one by one.
const STRANGERS_TOLD_MAX: usize = 20;

impl Shared {
    /// Trusts from now on whom this list trusts, and nobody else. Gives the names of the actors and
    /// the providers that stopped for it; `wanted` is what may run.
    pub(crate) fn trust(
        self: &Arc<Self>,
        list: &TrustList,
        wanted: Option<&Desired>,
    ) -> Vec<Arc<str>> {
        let (before, ran) = self.look(|actual| {
            // Most lists are the one that was given before.
            let is_new = actual.trust.as_ref() != Some(list);
            let actors = actual.versions().filter(|_| is_new).flat_map(|it| keys_of(it.claims()));
            let providers = actual.providers.values().filter(|_| is_new);
            let providers = providers.flat_map(|it| keys_of_provider(&it.prepared));
            let ran: BTreeSet<_> = actors.chain(providers).collect();
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

    /// Takes away every version whose claims hold no longer, or whom the host does not trust any
    /// more, and every provider of which the same is true. It may ask for nothing from this moment
    /// on, and its calls end. Gives the names.
    pub(crate) fn expel_refused(self: &Arc<Self>) -> Vec<Arc<str>> {
        let now = Moment::of(&*self.clock);
        let mut names = self.expel_refused_actors(&now);
        names.extend(self.break_off_refused(&now));
        names.sort();
        names.dedup();
        names
    }

    fn expel_refused_actors(self: &Arc<Self>, now: &Moment) -> Vec<Arc<str>> {
        let refused: Vec<(Arc<str>, ActorId, ClaimsError)> = self.look(|actual| {
            let trust = actual.trust.as_ref();
            let check = |actor: &RunningActor| {
                let error = vouch(actor.verified(), trust, now).err()?;
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
        names
    }

    /// A provider that is refused has no instance any more: its process ends, and whoever calls it
    /// is told why. Its bindings stay, for the one that takes its place.
    fn break_off_refused(self: &Arc<Self>, now: &Moment) -> Vec<Arc<str>> {
        let refused: Vec<_> = self.look(|actual| {
            let trust = actual.trust.as_ref();
            let running = actual.providers.iter().filter(|(_, known)| known.broken.is_none());
            let check = |(name, known): (&Arc<str>, &RunningProvider)| {
                let error = vouch_for_provider(&known.prepared, trust, now).err()?;
                Some((Arc::clone(name), error))
            };
            running.filter_map(check).collect()
        });
        let mut names = Vec::new();
        for (name, error) in refused {
            let code = error.code().as_str();
            tracing::warn!(provider = %name, code, "stopped: {}", error.message());
            self.break_off(&name, error.into());
            names.push(name);
        }
        names
    }

    /// Takes a provider's instance away; calls are answered by the error.
    fn break_off(&self, name: &Arc<str>, error: CallError) {
        let (held, hold) = HeldTarget::new(Arc::clone(name));
        hold.fail(error.clone());
        let (route, handle) = self.dispatcher.route(name, Arc::new(held));
        let left = self.edit(|actual| {
            let running = actual.providers.get_mut(name)?;
            let calls = running.calls.go_on(handle);
            (running.broken, running.ailment) = (Some(error), None);
            let target = running.target;
            actual.road.routes.put(target, route);
            Some((calls, actual.instances.remove(&target)?))
        });
        let Some((calls, instance)) = left else { return };
        calls.cut();
        self.aside.spawn(async move { instance.shut_down(Instant::now()).await });
    }
}

/// Says which keys this list revokes, and the one before did not, that are of nobody here: whoever
/// revoked the wrong key would see no difference.
fn tell_of_strangers(
    list: &TrustList,
    before: &TrustList,
    mut known: BTreeSet<PublicKey>,
    wanted: &Desired,
) {
    let claims = wanted.prepared.actors.iter().map(|actor| actor.verified.claims());
    known.extend(claims.flat_map(|claims| keys_of(claims)));
    known.extend(wanted.prepared.providers.iter().flat_map(keys_of_provider));
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

/// An actor's own key, and its issuer's.
fn keys_of(claims: &ActorClaims) -> [PublicKey; 2] {
    [claims.subject.clone(), claims.issuer.clone()]
}

/// The same of a provider, if it came as an archive.
fn keys_of_provider(provider: &PreparedProvider) -> impl Iterator<Item = PublicKey> {
    let keys = |claims: &VerifiedProvider| [claims.subject().clone(), claims.issuer().clone()];
    provider.claims.iter().flat_map(keys)
}
