//! Bindings that were in force and are so no more: what stores keep for them is there still.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;
use trellis_core::ActorKey;

use crate::key::BindingKey;
use crate::prepare::PreparedBinding;

/// Most bindings that are known so; of one more nothing is kept, which is told.
const BINDINGS_MAX: usize = 10_000;
/// Most of what one binding was, one after the other: the oldest is forgotten for one more.
const FORMER_MAX: usize = 8;

/// Bindings of stores that were in force since the start of the host.
#[derive(Default)]
pub(crate) struct Left(HashMap<BindingKey, Vec<Former>, RandomState>);

/// What a binding was, or is to be, and whose.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Former {
    pub(crate) actor: ActorKey,
    pub(crate) binding: PreparedBinding,
}

impl Left {
    /// Adds one, and says which one is forgotten for it.
    pub(crate) fn put(&mut self, key: &BindingKey, former: Former) {
        let is_full = self.0.len() >= BINDINGS_MAX && !self.0.contains_key(key);
        if is_full {
            return forgotten(&former);
        }
        let known = self.0.entry(key.clone()).or_default();
        known.retain(|it| *it != former);
        if known.len() == FORMER_MAX {
            forgotten(&known.remove(0));
        }
        known.push(former);
    }

    /// All that led to a provider.
    pub(crate) fn to<'a>(&'a self, provider: &'a str) -> impl Iterator<Item = &'a Former> {
        let all = self.0.values().flatten();
        all.filter(move |it| *it.binding.provider == *provider)
    }

    /// Forgets those of actors that nobody wants any more, once there are many.
    pub(crate) fn forget(&mut self, in_force: usize, is_wanted: impl Fn(&str) -> bool) {
        if self.0.len() > in_force {
            self.0.retain(|key, _| is_wanted(&key.actor));
        }
    }

    /// A provider gets another name.
    pub(crate) fn rename(&mut self, was: &str, name: &Arc<str>) {
        let all = self.0.values_mut().flatten();
        for one in all.filter(|it| *it.binding.provider == *was) {
            one.binding.provider = Arc::clone(name);
        }
    }
}

fn forgotten(former: &Former) {
    let PreparedBinding { actor, provider, name, .. } = &former.binding;
    tracing::warn!(
        %actor, %provider, binding = %name,
        "a binding that is in force no more is not remembered, since there are too many: when what \
         its provider keeps is copied, the keys that only this one sees stay where they are"
    );
}

#[cfg(test)]
mod tests {
    use trellis_core::{BindingName, Contract, ContractId};

    use super::*;

    fn former(provider: &str, size: u32) -> (BindingKey, Former) {
        let contract = Contract {
            id: ContractId::from_static("k:v"),
            aliases: Vec::new().into(),
            operations: Vec::new().into(),
        };
        let binding = PreparedBinding {
            actor: "a".into(),
            contract: contract.into(),
            name: BindingName::new("default"),
            provider: provider.into(),
            payload_bytes_max: size,
            values: trellis_providers_sdk::Values::default(),
        };
        (binding.key(), Former { actor: ActorKey::new("M"), binding })
    }

    #[test]
    fn what_a_binding_was_is_known_once_and_within_a_bound() {
        let mut left = Left::default();
        let sizes = |left: &Left| -> Vec<_> {
            left.to("s").map(|it| it.binding.payload_bytes_max).collect()
        };
        for size in [1, 2, 1] {
            let (key, former) = former("s", size);
            left.put(&key, former);
        }
        assert_eq!(sizes(&left), [2, 1]);
        for size in 10..20 {
            let (key, former) = former("s", size);
            left.put(&key, former);
        }
        assert_eq!(sizes(&left), (12..20).collect::<Vec<_>>());
        left.rename("s", &"t".into());
        assert_eq!((left.to("s").count(), left.to("t").count()), (0, FORMER_MAX));
        left.forget(1, |_| false);
        assert_eq!(left.to("t").count(), FORMER_MAX, "there are few");
        left.forget(0, |actor| actor == "a");
        assert_eq!(left.to("t").count(), FORMER_MAX);
        left.forget(0, |_| false);
        assert_eq!(left.to("t").count(), 0);
    }
}
