//! Bindings as they are seen from outside.

use std::collections::BTreeMap;
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
        providers: &BTreeMap<Arc<str>, SeenProvider>,
        reasons: &Reasons<'_>,
    ) -> Vec<BindingEntry> {
        let entry = |(binding, seen): (BindingRef, SeenBinding)| {
            let SeenBinding { binding: PreparedBinding { provider, values, .. }, in_force } = seen;
            let reasons = reasons.about(&[format!("binding of {binding}")]);
            let values = match providers.get(&provider) {
                Some(provider) => shown(&values, provider.descriptor()),
                None => {
                    values.iter().map(|(key, _)| (key.to_owned(), REDACTED.to_owned())).collect()
                }
            };
            BindingEntry {
                binding,
                provider: provider.to_string(),
                state: Condition::of(in_force, &reasons),
                reasons,
                values,
            }
        };
        self.0.into_iter().map(entry).collect()
    }
}
