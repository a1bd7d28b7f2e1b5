//! Why bindings that are wanted are not in force, for those who call over them.

use std::collections::HashMap;
use std::sync::Arc;

use trellis_control::{ComponentKind, Degraded};
use trellis_entitlements::{Unserved, UnservedBindings};

use crate::actual::ActualState;
use crate::desired::Desired;
use crate::prepare::{Prepared, PreparedActor, PreparedBinding, Stopped};

impl ActualState {
    /// The bindings that are wanted and not in force, and the actors that were stopped. When
    /// nothing is `degraded` or stopped there are none, but for those that a change is about to
    /// bring.
    pub(crate) fn unserved(&self, wanted: &Desired, degraded: &[Degraded]) -> UnservedBindings {
        let stopped = &wanted.prepared.stopped;
        if degraded.is_empty() && stopped.is_empty() {
            return UnservedBindings::default();
        }
        let away = wanted.prepared.actors.iter().filter(|actor| stopped.has_actor(&actor.name));
        let rows: HashMap<_, _> = degraded.iter().map(|row| (&*row.what, row)).collect();
        let prepared = &wanted.prepared;
        let bindings = prepared.bindings.iter();
        let missing = bindings.filter(|binding| !self.current.contains_key(&binding.key()));
        let unserved = |binding: &PreparedBinding| Unserved {
            actor: binding.actor.clone(),
            contract: binding.contract.clone(),
            name: binding.name.clone(),
            why: why(binding, prepared, &rows),
        };
        let unserved: UnservedBindings = missing.map(unserved).collect();
        unserved.without_actors(away.flat_map(names))
    }
}

/// What an actor that was stopped may be called by, each with what its callers are told.
fn names(actor: &PreparedActor) -> impl Iterator<Item = (Arc<str>, Arc<str>)> {
    let claims = actor.verified.claims();
    let why: Arc<str> = Arc::from(Stopped::why(ComponentKind::Actor, &actor.name));
    let others = [Some(claims.subject.as_str()), claims.call_alias.as_deref()];
    let names = std::iter::once(&*actor.name).chain(others.into_iter().flatten());
    let names: Vec<_> = names.map(|name| (Arc::from(name), Arc::clone(&why))).collect();
    names.into_iter()
}

/// Why it is not bound, or else why its provider does not serve it.
fn why(binding: &PreparedBinding, prepared: &Prepared, rows: &HashMap<&str, &Degraded>) -> String {
    let provider = &binding.provider;
    if prepared.stopped.has_provider(provider) {
        return Stopped::why(ComponentKind::Provider, provider);
    }
    let of = |what: String| rows.get(&*what).map(|row| (row.told().why, row.code));
    if let Some((why, code)) = of(format!("binding of {}", binding.key().to_ref())) {
        return format!("it is not bound: {why} [{code}]");
    }
    match of(format!("provider {provider}")) {
        Some((why, code)) => format!("provider {provider} does not run: {why} [{code}]"),
        None => format!("provider {provider} does not serve it yet"),
    }
}
