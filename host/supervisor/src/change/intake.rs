//! Tells the providers that bring calls in.

use std::collections::{BTreeMap, HashSet};

use futures_util::future::join_all;
use trellis_core::{BindingId, CallError, Code};
use trellis_entitlements::TargetId;
use trellis_providers_sdk::Newcomer;

use super::Change;
use super::bind::NewBinding;
use crate::progress::Awaited;
use crate::superseded::newer;

/// How providers are asked for bindings.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Asked {
    /// To reserve what they will hold; nothing that is served changes.
    Beforehand,
    /// To serve them.
    ForGood,
}

impl Change {
    /// Tells the providers that bring calls in; what is published lets these calls pass already.
    /// Each learns of all its bindings at once, because one may want what another gives up, here
    /// or at another provider. What is refused is tried again as long as any succeeds. What they
    /// take over from goes with everything else that goes. True when something newer is wanted,
    /// before all of them have answered.
    pub(super) async fn bind_intake(&mut self, mut waiting: Vec<NewBinding>) -> bool {
        let asked = waiting.iter().map(|new| &*new.provider.name);
        self.shared.progress.waits_for(Awaited::of_providers(asked));
        while !waiting.is_empty() {
            let (taken, refused) = self.tell_intake(waiting).await;
            let (taken, refused) = self.restore(taken, refused).await;
            let makes_way = *self.superseded.borrow() && !refused.is_empty();
            let progress = !taken.is_empty() && !makes_way;
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
            refused.iter().for_each(|(new, error)| self.report(new, error.clone()));
            self.undo_versions(&refused);
            return makes_way;
        }
        false
    }

    /// Gives those that are served now, and those that are not.
    async fn tell_intake(
        &self,
        waiting: Vec<NewBinding>,
    ) -> (Vec<NewBinding>, Vec<(NewBinding, CallError)>) {
        let leaving = self.leaving(&waiting);
        let answers = self.ask(&waiting, &leaving, Asked::ForGood).await;
        let (mut taken, mut refused) = (Vec::new(), Vec::new());
        for (new, bound) in waiting.into_iter().zip(answers) {
            match bound {
                Ok(()) => taken.push(new),
                Err(error) => refused.push((new, error)),
            }
        }
        (taken, refused)
    }

    /// What the providers say to these, in their order. Each is asked as if all the others took
    /// what they are asked for: two actors may exchange their places across providers.
    pub(super) async fn ask(
        &self,
        news: &[NewBinding],
        leaving: &[BindingId],
        asked: Asked,
    ) -> Vec<Result<(), CallError>> {
        let newcomers = self.newcomers(news);
        let mut of_provider: BTreeMap<TargetId, Vec<usize>> = BTreeMap::new();
        for (index, new) in news.iter().enumerate() {
            of_provider.entry(new.binding.spec.target).or_default().push(index);
        }
        let (newcomers, of_provider) = (&newcomers, &of_provider);
        let answers = of_provider.iter().filter_map(|(target, own)| {
            let instance = &news.get(*own.first()?)?.instance;
            let elsewhere = of_provider.iter().filter(move |(other, _)| *other != target);
            let replaced = elsewhere.flat_map(|(_, others)| others);
            let replaced = replaced.filter_map(|index| newcomers[*index].replaces);
            let leaving: Vec<_> = leaving.iter().copied().chain(replaced).collect();
            let own_newcomers: Vec<_> = own.iter().map(|at| newcomers[*at].clone()).collect();
            let mut superseded = self.superseded.clone();
            Some(async move {
                let answers = match asked {
                    Asked::Beforehand => instance.reserve_all(own_newcomers, leaving).await,
                    Asked::ForGood => tokio::select! {
                        biased;
                        bound = instance.bind_all(own_newcomers, leaving) => bound,
                        () = newer(&mut superseded) => vec![Err(makes_way()); own.len()],
                    },
                };
                own.iter().copied().zip(answers)
            })
        });
        let answers: BTreeMap<_, _> = join_all(answers).await.into_iter().flatten().collect();
        answers.into_values().collect()
    }

    /// The bindings that go, whatever comes of those that wait.
    pub(super) fn leaving(&self, waiting: &[NewBinding]) -> Vec<BindingId> {
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

fn makes_way() -> CallError {
    CallError::new(Code::Stopping, "something newer is wanted")
}
