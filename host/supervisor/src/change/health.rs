//! What is not well takes over from nothing that is.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::future::join_all;
use trellis_control::Step;
use trellis_core::{BindingId, CallError, Code};

use super::Change;
use super::bind::{Fresh, NewBinding};
use super::make::Made;
use crate::border::Instance;

impl Change {
    /// A provider that is not well does not take over from one that is, unless that is forced.
    pub(super) async fn judge_health(&mut self, made: &mut Made, fresh: &mut Fresh) {
        if self.desired.options.force {
            return;
        }
        let successors = made.providers.iter().filter(|(_, one)| one.succeeds);
        let asked = successors
            .map(|(name, one)| async move { (Arc::clone(name), one.instance.ailment().await) });
        let mut kept = BTreeSet::new();
        for (name, ailment) in join_all(asked).await {
            let well = self.is_well(&name);
            if let Some(why) = ailment.filter(|_| well) {
                self.keep_old(&name, worse(&name, &why), made, fresh).await;
                kept.insert(name);
            }
        }
        // Only the ones that were not well had been told of them.
        self.tell_outlets(made, fresh, |new| kept.contains(&new.provider.name)).await;
        self.judge_bindings(made, fresh).await;
    }

    /// Nor does a binding go over to another provider, or to other values at the same one, where it
    /// would not be well while it is well as it is.
    async fn judge_bindings(&mut self, made: &mut Made, fresh: &mut Fresh) {
        let rebound: Vec<_> = fresh.outlets.iter().filter_map(|new| self.rebound(new)).collect();
        let asked = rebound.into_iter().map(|it| async move { Some((it.new, it.worse().await?)) });
        let worse: BTreeMap<_, _> = join_all(asked).await.into_iter().flatten().collect();
        if worse.is_empty() {
            return;
        }
        let is_worse = |new: &NewBinding| worse.contains_key(&new.binding.spec.id);
        let (gone, kept): (Vec<_>, Vec<_>) =
            std::mem::take(&mut fresh.outlets).into_iter().partition(is_worse);
        fresh.outlets = kept;
        self.shared.tell_unbound(gone.iter().map(NewBinding::undo).collect());
        for new in gone {
            let why = worse.get(&new.binding.spec.id).map_or("", String::as_str);
            self.give_up(&new, worse_off(&new.provider.name, why), made, fresh);
        }
    }

    /// A binding in the place of another one.
    fn rebound(&self, new: &NewBinding) -> Option<Rebound> {
        let Step::Rebind { leaves, .. } = self.steps.get(new.place?)? else { return None };
        let was_well = leaves.as_ref().is_some_and(|old| self.is_well(old));
        let (instance, new, key) = (new.instance.clone(), new.binding.spec.id, &new.binding.key);
        self.shared.look(|actual| {
            let old = *actual.current.get(key)?;
            let serving = actual.instance_of(old)?.clone();
            Some(Rebound { new, instance, old, serving, was_well })
        })
    }

    fn is_well(&self, provider: &str) -> bool {
        self.shared.look(|actual| {
            let running = actual.providers.get(provider);
            running.is_some_and(|running| running.ailment.is_none() && running.broken.is_none())
        })
    }
}

/// A binding in the place of another one, with the instances that serve them.
struct Rebound {
    new: BindingId,
    instance: Instance,
    old: BindingId,
    serving: Instance,
    /// What it leaves was well when it was asked last.
    was_well: bool,
}

impl Rebound {
    /// Why the new one is not well while the old one is.
    async fn worse(&self) -> Option<String> {
        let why = self.instance.ailment_of(self.new).await?;
        let well = self.was_well || self.serving.ailment_of(self.old).await.is_none();
        well.then_some(why)
    }
}

fn worse(provider: &str, why: &str) -> CallError {
    let text = format!(
        "provider {provider} is not well ({why}), and what serves now is; it goes on until that \
         changes, or until the change is forced"
    );
    CallError::new(Code::Provider, text)
}

fn worse_off(provider: &str, why: &str) -> CallError {
    let text = format!(
        "at provider {provider} it would not be well ({why}), and as it is now it is; it stays so \
         until that changes, or until the change is forced"
    );
    CallError::new(Code::Provider, text)
}
