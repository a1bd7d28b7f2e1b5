//! Tells the providers that bring calls in.

use std::collections::{BTreeMap, HashSet};

use futures_util::future::join_all;
use trellis_core::{BindingId, CallError};
use trellis_entitlements::TargetId;
use trellis_providers_sdk::Newcomer;

use super::Change;
use super::bind::NewBinding;

impl Change {
    /// Tells the providers that bring calls in; what is published lets these calls pass already.
    /// Each learns of all its bindings at once, because one may want what another gives up. What
    /// one provider refuses may wait for what another one gives up, so it is tried again as long
    /// as any succeeds. What they take over from goes with everything else that goes.
    pub(super) async fn bind_intake(&mut self, mut waiting: Vec<NewBinding>) {
        while !waiting.is_empty() {
            let (taken, refused) = self.tell_intake(waiting).await;
            let progress = !taken.is_empty();
            self.put_in_force(taken);
            if progress && !refused.is_empty() {
                waiting = refused.into_iter().map(|(new, _)| new).collect();
                continue;
            }
            self.shared.edit(|actual| {
                refused.iter().for_each(|(new, _)| drop(actual.forget(new.binding.spec.id)));
            });
            // One that did not answer in time may have it by now.
            self.shared.tell_unbound(refused.iter().map(|(new, _)| new.undo()).collect());
            refused.into_iter().for_each(|(new, error)| self.report(&new, error));
            return;
        }
    }

    /// Gives those that are served now, and those that are not.
    async fn tell_intake(
        &self,
        waiting: Vec<NewBinding>,
    ) -> (Vec<NewBinding>, Vec<(NewBinding, CallError)>) {
        let leaving = self.leaving(&waiting);
        let mut of_provider: BTreeMap<TargetId, Vec<NewBinding>> = BTreeMap::new();
        for new in waiting {
            of_provider.entry(new.binding.spec.target).or_default().push(new);
        }
        let told = of_provider.into_values().map(|news| {
            let leaving = &leaving;
            async move {
                let Some(instance) = news.first().map(|new| new.instance.clone()) else {
                    return Vec::new();
                };
                let newcomers = self.newcomers(&news);
                let bound = instance.bind_all(newcomers, leaving.clone()).await;
                news.into_iter().zip(bound).collect()
            }
        });
        let (mut taken, mut refused) = (Vec::new(), Vec::new());
        for (new, bound) in join_all(told).await.into_iter().flatten() {
            match bound {
                Ok(()) => taken.push(new),
                Err(error) => refused.push((new, error)),
            }
        }
        (taken, refused)
    }

    /// The bindings that go, whatever comes of those that wait.
    fn leaving(&self, waiting: &[NewBinding]) -> Vec<BindingId> {
        let waiting: HashSet<_> = waiting.iter().map(|new| new.binding.spec.id).collect();
        self.shared.look(|actual| {
            let known = actual.bindings.values().filter(|one| one.is_intake());
            let leaves = known.filter(|one| {
                let id = one.spec.id;
                actual.current.get(&one.key) != Some(&id) && !waiting.contains(&id)
            });
            leaves.map(|one| one.spec.id).collect()
        })
    }

    /// What a provider is told of these: what each takes the place of, wherever that is served.
    fn newcomers(&self, news: &[NewBinding]) -> Vec<Newcomer> {
        self.shared.look(|actual| {
            let newcomer = |new: &NewBinding| Newcomer {
                binding: new.told(),
                replaces: actual.current.get(&new.binding.key).copied(),
            };
            news.iter().map(newcomer).collect()
        })
    }

    /// Puts bindings in force that are served. One whose actor was taken away meanwhile is not
    /// served for long.
    fn put_in_force(&self, taken: Vec<NewBinding>) {
        let mut gone = Vec::new();
        self.shared.look(|actual| {
            for new in taken {
                if actual.bindings.contains_key(&new.binding.spec.id) {
                    let old = actual.put_in_force(&new.binding);
                    actual.outgoing.extend(old);
                } else {
                    gone.push(new.undo());
                }
            }
        });
        self.shared.tell_unbound(gone);
    }
}
