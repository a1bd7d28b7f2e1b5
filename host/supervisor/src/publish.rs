//! Publishes what runs, for people and probes.

use std::sync::Arc;

use trellis_control::{Address, Degraded, Expiry, ProviderStatus};
use trellis_core::Code;
use trellis_providers_sdk::Listening;

use crate::actual::{ActualState, RunningActor};
use crate::border::Instance;
use crate::reconciler::Reconciler;
use crate::shared::Shared;
use crate::status::Status;
use crate::{aliases, components, endings, expiring};

impl Shared {
    /// Publishes what runs now, and what of the wanted does not.
    pub(crate) fn publish_status(&self, reconciler: &Reconciler) {
        let now = self.clock.now_unix_s();
        let before = self.status.load();
        let since = |what: &str| {
            let known = before.state.degraded.iter().find(|known| known.what == what);
            known.map_or(now, |known| known.since_unix_s)
        };
        let lasting_row = |(what, code, why): (String, Code, String)| {
            let since_unix_s = since(&what);
            Degraded { what, code, why, since_unix_s, retry_unix_s: None }
        };
        let present = self.lifecycles.components();
        // Asked while nothing is locked: the answer is not ours.
        let instances: Vec<_> = self.look(|actual| actual.instances.values().cloned().collect());
        let listening: Vec<_> = instances.iter().flat_map(Instance::addresses).collect();
        let aliases = self.look(|actual| aliases::shared(actual));
        let is_known = |what: &str, why: &str| {
            before.state.degraded.iter().any(|known| known.what == what && known.why == why)
        };
        for (what, why) in aliases.iter().filter(|(what, why)| !is_known(what, why)) {
            tracing::warn!("{what}: {why}");
        }
        let mut status = self.look(|actual| {
            let mut status = status_of(actual, listening);
            let barred = reconciler.barred.iter();
            let barred =
                barred.map(|(what, error)| (what, error.code(), error.message().to_owned()));
            let ending = endings::running(actual, now).into_iter().map(|(what, end)| {
                let why = format!("they {}; {}", expiring::sentence(end), expiring::CURE);
                (format!("claims of {what}"), Code::Expired, why)
            });
            let aliases = aliases.into_iter().map(|(what, why)| (what, Code::Manifest, why));
            let mut degraded = reconciler.degraded();
            // A try to start it again says more.
            let known: Vec<_> = degraded.iter().map(|known| known.what.clone()).collect();
            let broken = broken(actual).filter(|(what, ..)| !known.contains(what));
            let lasting = barred.chain(ending).chain(aliases).chain(broken);
            degraded.extend(lasting.map(lasting_row));
            status.state.degraded = degraded;
            status.serves_nothing = reconciler.wants_intake() && !actual.has_intake();
            status
        });
        let state = &mut status.state;
        let absent = components::absent(&state.degraded, &present);
        state.degraded.extend(components::unwell(&present));
        state.components = present.into_iter().chain(absent).collect();
        self.tell_callers(reconciler, &state.degraded);
        self.status.store(Arc::new(status));
    }

    /// Has those who call over what is wanted and not in force told why.
    fn tell_callers(&self, reconciler: &Reconciler, degraded: &[Degraded]) {
        let Some(wanted) = &reconciler.desired else { return };
        let news = self.look(|actual| {
            let unserved = actual.unserved(wanted, degraded);
            (unserved != *actual.road.entitlements.unserved()).then_some(unserved)
        });
        // What changed in between is told with the next status.
        if let Some(unserved) = news {
            self.edit(|actual| actual.road.entitlements.set_unserved(unserved));
        }
    }
}

fn status_of(actual: &ActualState, listening: Vec<Listening>) -> Status {
    let address = |at: Listening| {
        let actor = Arc::clone(&actual.bindings.get(&at.binding)?.key.actor);
        Some(Address { url: at.url, socket: at.address, actor: actor.into() })
    };
    let addresses = listening.into_iter().filter_map(address).collect();
    let providers = actual.providers.iter().map(|(name, running)| ProviderStatus {
        name: name.to_string(),
        implementation: running.prepared.descriptor.name.to_string(),
    });
    let expiry = |(name, running): (&Arc<str>, &RunningActor)| {
        let unix_s = running.verified().claims().expires?;
        Some(Expiry { actor: Arc::clone(name).into(), unix_s })
    };
    let state = trellis_control::Status {
        expiries: actual.actors.iter().filter_map(expiry).collect(),
        actors: actual.actors.keys().map(|name| Arc::clone(name).into()).collect(),
        providers: providers.collect(),
        addresses,
        ..trellis_control::Status::default()
    };
    Status { state, serves_nothing: false }
}

/// The providers that have no instance.
fn broken(actual: &ActualState) -> impl Iterator<Item = (String, Code, String)> {
    actual.providers.iter().filter_map(|(name, running)| {
        let error = running.broken.as_ref()?;
        Some((format!("provider {name}"), error.code(), error.message().to_owned()))
    })
}
