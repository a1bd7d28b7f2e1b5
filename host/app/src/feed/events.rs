//! What happened on this host, for everybody who follows it.

use std::sync::Arc;

use trellis_claims::PublicKey;
use trellis_control::{Component, ComponentKind, Event, Happening, LifecycleState};
use trellis_core::CallError;
use trellis_limits::followed::{EVENTS_KEPT, EVENTS_KEPT_BYTES};
use trellis_supervisor::Witness;

use super::ring::{Bounds, Ring};
use super::stamp::now_unix_ms;

/// What an event takes beside its texts, about.
const EVENT_BYTES: usize = 400;

/// The latest events. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Events {
    ring: Arc<Ring<Event>>,
    source: Arc<str>,
}

impl Events {
    /// None so far, on the host of that key.
    pub(crate) fn of(host: &PublicKey) -> Self {
        let bounds =
            Bounds { items_max: EVENTS_KEPT.default, bytes_max: EVENTS_KEPT_BYTES.default };
        Self {
            ring: Arc::new(Ring::new(bounds)),
            source: format!("urn:trellis:host:{host}").into(),
        }
    }

    /// This happened just now.
    pub(crate) fn tell(&self, happening: Happening) {
        let bytes = (EVENT_BYTES + weight(&happening)) as u64;
        self.ring.push(bytes, |number| {
            let names = (self.ring.id(number), self.source.to_string());
            Event::of(happening, names, now_unix_ms())
        });
    }

    /// Where they are kept.
    pub(crate) const fn ring(&self) -> &Arc<Ring<Event>> {
        &self.ring
    }
}

impl Witness for Events {
    fn entered(&self, component: &Component, before: LifecycleState) {
        self.tell(Happening::entered(component, before));
    }

    fn barred(&self, (kind, name): (ComponentKind, &str), error: &CallError) {
        self.tell(Happening::barred(kind, name, (error.code(), error.message())));
    }

    fn left_behind(&self, actor: &str, why: &str) {
        self.tell(Happening::left_behind(actor, why));
    }
}

/// The bytes of its texts, some of which are there twice.
fn weight(happening: &Happening) -> usize {
    let data = &happening.data;
    let revision = data.revision.as_ref();
    let steps = revision.map_or(0, |it| it.what.iter().map(String::len).sum());
    let cause = data.component.as_ref().and_then(|it| it.lifecycle.cause());
    data.message.len() + steps + cause.map_or(0, |cause| cause.why.len())
}

#[cfg(test)]
mod tests {
    use trellis_claims::{KeyKind, KeyPair};
    use trellis_core::Code;

    use super::*;

    #[test]
    fn events_are_kept_within_their_limits_and_named_apart() {
        let events = Events::of(KeyPair::generate(KeyKind::Server).public());
        let most = EVENTS_KEPT.default;
        (0..most + 5).for_each(|_| events.tell(Happening::manifest_applied()));
        let kept = events.ring().all();
        assert_eq!(kept.len() as u64, most, "{}", EVENTS_KEPT.name);
        let ids: std::collections::BTreeSet<_> = kept.iter().map(|it| &it.id).collect();
        assert_eq!(ids.len() as u64, most);
        let long = "long ".repeat(20_000);
        (0..20).for_each(|_| events.tell(Happening::manifest_refused(Code::Manifest, &long)));
        let bytes: usize = events.ring().all().iter().map(|it| it.data.message.len()).sum();
        let most = EVENTS_KEPT_BYTES.default;
        assert!((most / 2..=most).contains(&(bytes as u64)), "{bytes}: {}", EVENTS_KEPT_BYTES.name);
    }
}
