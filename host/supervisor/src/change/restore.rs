//! What is refused after all takes nothing away from anybody.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;
use trellis_core::{BindingId, CallError};
use trellis_entitlements::TargetId;
use trellis_providers_sdk::Newcomer;

use super::Change;
use super::bind::NewBinding;
use crate::border::Instance;

/// Longest wait for a provider to give back what it took.
const GIVE_BACK_MAX: Duration = Duration::from_secs(3);

/// What a provider serves on, to be told again.
struct Staying {
    instance: Instance,
    bindings: Vec<Newcomer>,
}

impl Change {
    /// What was refused leaves in force what it was to replace. Another provider was told that this
    /// goes, and may have given its place away; then it gives up what it took in this round. Nor
    /// may a successor know of it. And calls come in over one version of an actor: with one binding
    /// of a version goes back all that it took. Gives what is still served, and what is refused by
    /// then.
    pub(super) async fn restore(
        &self,
        mut taken: Vec<NewBinding>,
        mut refused: Vec<(NewBinding, CallError)>,
    ) -> (Vec<NewBinding>, Vec<(NewBinding, CallError)>) {
        let mut seen = 0;
        while seen < refused.len() {
            taken = self.give_back_versions(taken, &mut refused, seen).await;
            let news = &refused[seen..];
            // A provider that refuses one itself keeps what it has, unless it never had it.
            let elsewhere = |at: TargetId, new: &NewBinding| {
                at != new.binding.spec.target || self.succeeded.contains(&at)
            };
            let staying = self.staying(news, elsewhere);
            seen = refused.len();
            for (target, Staying { instance, bindings }) in staying {
                let at_it = |new: &NewBinding| new.binding.spec.target == target;
                let took = taken.iter().any(at_it);
                if !took && !self.succeeded.contains(&target) {
                    continue;
                }
                let answers = instance.bind_all(bindings, Vec::new()).await;
                let Some(error) = answers.into_iter().find_map(Result::err) else { continue };
                let (back, kept): (Vec<_>, Vec<_>) = taken.into_iter().partition(at_it);
                taken = kept;
                if back.is_empty() {
                    tracing::error!(
                        code = error.code().as_str(),
                        "what is to stay: {}",
                        error.message()
                    );
                    continue;
                }
                let ids = back.iter().map(|new| new.binding.spec.id).collect();
                refused.extend(back.into_iter().map(|new| (new, waits(&error))));
                self.give_back((target, &instance), ids, &refused).await;
            }
        }
        (taken, refused)
    }

    /// Gives back what belongs to the same versions as what was refused last. These are refused
    /// then too; gives the others.
    async fn give_back_versions(
        &self,
        taken: Vec<NewBinding>,
        refused: &mut Vec<(NewBinding, CallError)>,
        seen: usize,
    ) -> Vec<NewBinding> {
        let versions: BTreeMap<_, _> = self.shared.look(|actual| {
            let replaces = |new: &NewBinding| {
                actual.predecessor(new.binding.spec.actor, &new.binding.key.actor).is_some()
            };
            let news = refused.iter().skip(seen).filter(|(new, _)| replaces(new));
            news.map(|(new, error)| (new.binding.spec.actor, waits_for_version(new, error)))
                .collect()
        });
        let mut back: BTreeMap<TargetId, (Instance, Vec<BindingId>)> = BTreeMap::new();
        let mut kept = Vec::new();
        for new in taken {
            let (id, actor, target) =
                (new.binding.spec.id, new.binding.spec.actor, new.binding.spec.target);
            let Some(error) = versions.get(&actor) else {
                kept.push(new);
                continue;
            };
            back.entry(target).or_insert_with(|| (new.instance.clone(), Vec::new())).1.push(id);
            refused.push((new, error.clone()));
        }
        for (target, (instance, ids)) in back {
            self.give_back((target, &instance), ids, refused).await;
        }
        kept
    }

    /// Has a provider give up what it took, and serve again what that was to replace.
    async fn give_back(
        &self,
        (target, instance): (TargetId, &Instance),
        taken: Vec<BindingId>,
        refused: &[(NewBinding, CallError)],
    ) {
        if let Some(staying) = self.staying(refused, |at, _| at == target).remove(&target) {
            let answers = instance.bind_all(staying.bindings, taken.clone()).await;
            for error in answers.into_iter().filter_map(Result::err) {
                tracing::error!(
                    code = error.code().as_str(),
                    "what is to stay: {}",
                    error.message()
                );
            }
        }
        instance.unbind_all(taken, Instant::now() + GIVE_BACK_MAX).await;
    }

    /// What these do not replace, by where it is served.
    fn staying(
        &self,
        refused: &[(NewBinding, CallError)],
        wanted: impl Fn(TargetId, &NewBinding) -> bool,
    ) -> BTreeMap<TargetId, Staying> {
        self.shared.look(|actual| {
            let mut staying = BTreeMap::<TargetId, Staying>::new();
            for (new, _) in refused {
                let id = actual.current.get(&new.binding.key);
                let Some(old) = id.and_then(|id| actual.bindings.get(id)) else { continue };
                let target = old.spec.target;
                if !wanted(target, new) {
                    continue;
                }
                let mut known = actual.providers.values();
                let Some(provider) = known.find(|known| known.target == target) else { continue };
                let Some(instance) = actual.instances.get(&target) else { continue };
                let at_it = staying.entry(target).or_insert_with(|| Staying {
                    instance: instance.clone(),
                    bindings: Vec::new(),
                });
                at_it.bindings.push(old.told(&provider.prepared).into());
            }
            staying
        })
    }
}

fn waits_for_version(new: &NewBinding, error: &CallError) -> CallError {
    let text = format!(
        "another binding of the new version of {} was refused; the version before goes on ({})",
        new.binding.key.actor,
        error.message()
    );
    CallError::new(error.code(), text)
}

fn waits(error: &CallError) -> CallError {
    let text = format!(
        "its place is not free, because what has it could not move; what was there goes on ({})",
        error.message()
    );
    CallError::new(error.code(), text)
}
