//! What is not well takes over from nothing that is.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::join_all;
use trellis_control::Step;
use trellis_core::{BindingId, CallError, Code};

use super::Change;
use super::bind::{Fresh, NewBinding};
use super::make::{Made, MadeProvider};
use crate::border::{Instance, by_instance};

impl Change {
    /// A provider that is not well does not take over from one that is, unless that is forced: for
    /// none of the bindings that it is to serve. To force one says nothing of another. What else is
    /// not well there counts for nothing, such as a binding that is only tried.
    pub(super) async fn judge_health(&mut self, made: &mut Made, fresh: &mut Fresh) {
        if self.desired.options.force {
            return;
        }
        let mut worse = self.worse_as_a_whole(made).await;
        let successors = made.providers.iter().filter(|(_, one)| one.succeeds);
        let successors = successors.filter(|(_, one)| !one.prepared.forced);
        let (names, moved): (Vec<_>, Vec<_>) = successors
            .flat_map(|(name, one)| self.moved(name, one).into_iter().map(move |it| (name, it)))
            .unzip();
        for (name, why) in names.into_iter().zip(worse_of(&moved).await) {
            if let Some(why) = why {
                worse.entry(Arc::clone(name)).or_insert(why);
            }
        }
        for (name, why) in &worse {
            self.keep_old(name, is_worse(name, why), made, fresh).await;
        }
        // Only the ones that were not well had been told of them.
        self.tell_outlets(made, fresh, |new| worse.contains_key(&new.provider.name)).await;
        self.judge_bindings(made, fresh).await;
    }

    /// Nor does a binding go over to another provider, or to other values at the same one, where it
    /// would not be well while it is well as it is.
    async fn judge_bindings(&mut self, made: &mut Made, fresh: &mut Fresh) {
        let rebound: Vec<_> = fresh.outlets.iter().filter_map(|new| self.rebound(new)).collect();
        let worse: BTreeMap<_, _> = (rebound.iter().map(|it| it.new))
            .zip(worse_of(&rebound).await)
            .filter_map(|(new, why)| Some((new, why?)))
            .collect();
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
    fn rebound(&self, new: &NewBinding) -> Option<Moved> {
        let Step::Rebind { leaves, .. } = self.steps.get(new.place?)? else { return None };
        let was_well = leaves.as_ref().is_some_and(|old| self.is_well(old));
        let (instance, new, key) = (new.instance.clone(), new.binding.spec.id, &new.binding.key);
        self.shared.look(|actual| {
            let old = *actual.current.get(key)?;
            let serving = actual.instance_of(old)?.clone();
            Some(Moved { new, instance, old, serving, was_well })
        })
    }

    /// The bindings that a successor was told of, as they are to be and as they are.
    fn moved(&self, name: &str, successor: &MadeProvider) -> Vec<Moved> {
        let is_well = self.is_well(name);
        self.shared.look(|actual| {
            let Some(serving) = actual.instances.get(&successor.target) else { return Vec::new() };
            let moved = successor.told.iter().map(|id| Moved {
                new: *id,
                instance: successor.instance.clone(),
                old: *id,
                serving: serving.clone(),
                was_well: is_well && actual.is_in_force(*id),
            });
            moved.collect()
        })
    }

    /// Why successors that take over no binding are not well while those before are.
    async fn worse_as_a_whole(&self, made: &Made) -> BTreeMap<Arc<str>, String> {
        let idle = made.providers.iter().filter(|(_, one)| one.succeeds && one.told.is_empty());
        let idle = idle.filter(|(_, one)| !one.prepared.forced);
        let asked = idle.map(|(name, one)| async move {
            let why = one.instance.ailment().await?;
            let serving = self.shared.look(|actual| actual.instances.get(&one.target).cloned())?;
            let well = self.is_well(name) || serving.ailment().await.is_none();
            well.then(|| (Arc::clone(name), why))
        });
        join_all(asked).await.into_iter().flatten().collect()
    }

    /// A provider was well when it was asked last.
    fn is_well(&self, provider: &str) -> bool {
        let instance = self.shared.look(|actual| {
            let running = actual.providers.get(provider)?;
            actual.instances.get(&running.target).cloned()
        });
        instance.is_some_and(|instance| instance.life().is_well())
    }
}

/// A binding that is to be served in the place of another one, or by a successor, with the
/// instances that serve the two.
struct Moved {
    new: BindingId,
    instance: Instance,
    old: BindingId,
    serving: Instance,
    /// It was well when its provider was asked last.
    was_well: bool,
}

/// Why each of these would not be well while it is well as it is.
async fn worse_of(moved: &[Moved]) -> Vec<Option<String>> {
    let mut ill = ailments(moved.iter().map(|it| (it.new, it.instance.clone()))).await;
    let doubtful = moved.iter().filter(|it| ill.contains_key(&it.new) && !it.was_well);
    let before = ailments(doubtful.map(|it| (it.old, it.serving.clone()))).await;
    let worse = |it: &Moved| ill.remove(&it.new).filter(|_| !before.contains_key(&it.old));
    moved.iter().map(worse).collect()
}

/// Why those of these bindings are not well that are not.
async fn ailments(
    asked: impl Iterator<Item = (BindingId, Instance)>,
) -> BTreeMap<BindingId, String> {
    let asked = by_instance(asked).into_iter().map(|(instance, ids)| async move {
        let ailments = instance.ailment_of_each(ids.clone()).await;
        ids.into_iter().zip(ailments)
    });
    let answers = join_all(asked).await.into_iter().flatten();
    answers.filter_map(|(id, why)| Some((id, why?))).collect()
}

fn is_worse(provider: &str, why: &str) -> CallError {
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
