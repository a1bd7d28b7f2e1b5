//! Bindings as they are seen from outside.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use trellis_control::{BindingEntry, BindingRef, Condition, REDACTED};

use crate::prepare::PreparedBinding;

use super::providers::{SeenProvider, shown};
use super::reasons::Reasons;

/// The bindings that are in force or wanted, in their order.
pub(super) struct SeenBindings(BTreeMap<BindingRef, SeenBinding>);

struct SeenBinding {
    binding: PreparedBinding,
    in_force: bool,
}

impl SeenBindings {
    pub(super) fn in_force(bindings: Vec<PreparedBinding>) -> Self {
        let seen = |binding: PreparedBinding| {
            (binding.key().to_ref(), SeenBinding { binding, in_force: true })
        };
        Self(bindings.into_iter().map(seen).collect())
    }

    pub(super) fn add_wanted(&mut self, wanted: &[PreparedBinding]) {
        for binding in wanted {
            let seen = || SeenBinding { binding: binding.clone(), in_force: false };
            self.0.entry(binding.key().to_ref()).or_insert_with(seen);
        }
    }

    /// Those of one actor.
    pub(super) fn of_actor(&self, actor: &str) -> Vec<BindingRef> {
        // Nothing is less than no contract and no name.
        let (contract, name) = (String::new(), String::new());
        let first = BindingRef { actor: actor.to_owned(), contract, name };
        let rest = self.0.range(first..).map(|(binding, _)| binding);
        rest.take_while(|binding| binding.actor == actor).cloned().collect()
    }

    pub(super) fn into_entries(
        self,
        (actors, providers): (&BTreeSet<Arc<str>>, &BTreeMap<Arc<str>, SeenProvider>),
        reasons: &Reasons<'_>,
    ) -> Vec<BindingEntry> {
        let provider_runs = |name: &str| providers.get(name).is_some_and(SeenProvider::runs);
        let runs = |name: &str| actors.contains(name) || provider_runs(name);
        let entry = |(binding, seen): (BindingRef, SeenBinding)| {
            let SeenBinding { binding: PreparedBinding { provider, values, .. }, in_force } = seen;
            let calls = providers.get(&*binding.actor).is_some_and(SeenProvider::may_call);
            let stopped = [&*binding.actor, &provider].map(|it| reasons.stopped.has_provider(it));
            let stopped =
                stopped[0] && calls || stopped[1] || reasons.stopped.has_actor(&binding.actor);
            let reasons = reasons.about(&concerned(&binding, &provider, in_force));
            let served_by = providers.get(&provider);
            let values = match served_by {
                Some(provider) => shown(&values, provider.descriptor()),
                None => {
                    values.iter().map(|(key, _)| (key.to_owned(), REDACTED.to_owned())).collect()
                }
            };
            // One that leads to what does not run is of no use, though its place is kept.
            let state = Condition::of(in_force && provider_runs(&provider), &reasons);
            let state = state.unless_stopped(stopped);
            let mut waits_for = Vec::new();
            if state == Condition::Starting {
                let (actor, served) = (runs(&binding.actor), provider_runs(&provider));
                waits_for.extend((!actor).then(|| format!("actor {}", binding.actor)));
                waits_for.extend((!served).then(|| format!("provider {provider}")));
            }
            BindingEntry {
                binding,
                provider: provider.to_string(),
                state,
                reasons,
                waits_for,
                values,
            }
        };
        self.0.into_iter().map(entry).collect()
    }
}

/// What may be why a binding is no better than it is: itself, its provider, and what it waits for
/// when it is not in force.
fn concerned(binding: &BindingRef, provider: &str, in_force: bool) -> Vec<String> {
    let mut concerned = vec![format!("binding of {binding}"), format!("provider {provider}")];
    if !in_force {
        concerned.push(format!("actor {}", binding.actor));
        // A provider may be bound to another one.
        if binding.actor != provider {
            concerned.push(format!("provider {}", binding.actor));
        }
    }
    concerned
}
