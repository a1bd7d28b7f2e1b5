//! Who may run on: claims end, and trust is taken back. Both act at once, whatever else goes on.

use std::collections::BTreeSet;
use std::sync::Arc;

use trellis_claims::{
    ClaimsError, Clock, KeyKind, PublicKey, TrustList, Verified, VerifiedProvider,
};
use trellis_control::ComponentKind;
use trellis_core::CallError;
use trellis_entitlements::ActorId;

use crate::actual::{ActualState, RunningActor, RunningProvider};
use crate::desired::{Desired, Moment, vouch, vouch_for_provider};
use crate::expel::Expelled;
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

    /// Takes away every version of an actor, and every instance of a provider, whose claims hold no
    /// longer, or whom the host does not trust any more, whatever they are doing. It may ask for
    /// nothing from this moment on, and its calls end. Gives the names.
    pub(crate) fn expel_refused(self: &Arc<Self>) -> Vec<Arc<str>> {
        let now = Moment::of(&*self.clock);
        if !self.look(|actual| any_refused(actual, &now)) {
            return Vec::new();
        }
        let wanted = self.wanted.load_full();
        let (told, expelled) = self.edit(|actual| {
            let gone = expel(actual, &now);
            // Whoever calls over what is gone now is told why, from its first call on.
            if let Some(wanted) = &wanted {
                let barred = wanted.barred(actual.trust.as_ref(), &now).rows(now.now_unix_s());
                let unserved = actual.unserved(wanted, &barred);
                actual.road.entitlements.set_unserved(unserved);
            }
            gone
        });
        self.tell_unbound(expelled.unbound);
        expelled.instances.into_iter().for_each(|instance| self.end_at_once(instance));
        self.let_go.notify_waiters();
        let mut names = Vec::new();
        for Stopped { kind, name, error } in told {
            self.metrics.stopped(error.code());
            if let Some(witness) = self.lifecycles.witness.get() {
                witness.barred((kind, &name), &error);
            }
            let code = error.code().as_str();
            match kind {
                ComponentKind::Actor => {
                    tracing::warn!(actor = %name, code, "stopped: {}", error.message());
                }
                ComponentKind::Provider => {
                    tracing::warn!(provider = %name, code, "stopped: {}", error.message());
                }
            }
            names.push(name);
        }
        names.sort();
        names.dedup();
        names
    }
}

/// Something that may not run any more, and why.
#[derive(PartialEq)]
struct Stopped {
    kind: ComponentKind,
    name: Arc<str>,
    error: CallError,
}

impl Stopped {
    fn new(kind: ComponentKind, name: Arc<str>, error: ClaimsError) -> Self {
        Self { kind, name, error: error.into() }
    }
}

/// True when the claims of anything that there is do not hold.
fn any_refused(actual: &ActualState, now: &Moment) -> bool {
    let trust = actual.trust.as_ref();
    let named = actual.providers.values().map(|running| &running.prepared);
    let refused = |provider| vouch_for_provider(provider, trust, now).is_err();
    actual.versions().any(|actor| vouch(actor.verified(), trust, now).is_err())
        || named.chain(actual.warrants.prepared()).any(refused)
}

/// Takes all of that away.
fn expel(actual: &mut ActualState, now: &Moment) -> (Vec<Stopped>, Expelled) {
    let (mut told, mut expelled) = (Vec::new(), Expelled::default());
    let trust = actual.trust.clone();
    let (actors, providers) = refused(actual, now);
    for (name, id, error) in actors {
        expelled.unbound.extend(actual.expel(&name, id));
        told.push(Stopped::new(ComponentKind::Actor, name, error));
    }
    for (name, error) in providers {
        actual.expel_provider(&name, &mut expelled);
        told.push(Stopped::new(ComponentKind::Provider, name, error));
    }
    let check = |provider: &PreparedProvider| vouch_for_provider(provider, trust.as_ref(), now);
    for (record, error) in actual.warrants.take_back(check) {
        actual.expel_instance(&record, &mut expelled);
        let stopped = Stopped::new(ComponentKind::Provider, record.name(), error);
        // Mostly it is the one that has the name.
        if !told.contains(&stopped) {
            told.push(stopped);
        }
    }
    (told, expelled)
}

/// The versions of actors and the providers with a name whose claims do not hold.
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
    // Users of the admin API are no part of what runs.
    let keys = list.revoked().filter(|key| key.kind() != KeyKind::User);
    let mut strangers = keys.filter(|key| !before.is_revoked(key) && !known.contains(*key));
    for key in strangers.by_ref().take(STRANGERS_TOLD_MAX) {
        tracing::info!(%key, "revoked; nothing here has that key or was signed with it");
    }
    let more = strangers.count();
    if more > 0 {
        tracing::info!("and {more} more keys that nothing here has or was signed with");
    }
}

/// The keys of all that there is, and of who issued it.
fn keys_of_all(actual: &ActualState) -> BTreeSet<PublicKey> {
    let actors = actual.versions().flat_map(|actor| keys_of(actor.verified()));
    let named = actual.providers.values().map(|running| &running.prepared);
    let providers = named.chain(actual.warrants.prepared());
    actors.chain(providers.flat_map(keys_of_provider)).collect()
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
