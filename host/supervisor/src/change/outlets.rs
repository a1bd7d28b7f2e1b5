//! Tells the providers that actors call.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use futures_util::future::join_all;
use trellis_core::{BindingId, CallError, Code};
use trellis_entitlements::{ActorId, TargetId};
use trellis_providers_sdk::{Binding, Newcomer};

use super::Change;
use super::bind::{Fresh, NewBinding};
use super::intake::Asked;
use super::make::Made;
use crate::actual::RunningBinding;
use crate::border::Instance;
use crate::key::BindingKey;
use crate::prepare::{PreparedBinding, PreparedProvider};

impl Change {
    /// Binds what actors call out over, and moves the bindings of replaced providers. A new version
    /// of an actor that lacks a binding does not take over, nor does a provider that refuses one.
    pub(super) async fn bind_outlets(&mut self, made: &mut Made, fresh: &mut Fresh) {
        self.move_bindings(made, fresh).await;
        self.tell_outlets(made, fresh, |_| true).await;
    }

    /// Tells providers of those fresh outlets. Who serves on in the place of a successor that could
    /// not have one of its own learns of what that was to serve.
    pub(super) async fn tell_outlets(
        &mut self,
        made: &mut Made,
        fresh: &mut Fresh,
        wanted: impl Fn(&NewBinding) -> bool,
    ) {
        let mut kept = self.tell_some(made, fresh, wanted).await;
        while !kept.is_empty() {
            kept = self.tell_some(made, fresh, |new| kept.contains(&new.provider.name)).await;
        }
    }

    /// Tells providers of those fresh outlets. Gives the names of those that serve on because their
    /// successors were refused one.
    async fn tell_some(
        &mut self,
        made: &mut Made,
        fresh: &mut Fresh,
        wanted: impl Fn(&NewBinding) -> bool,
    ) -> BTreeSet<Arc<str>> {
        let (telling, mut kept): (Vec<_>, Vec<_>) =
            std::mem::take(&mut fresh.outlets).into_iter().partition(wanted);
        let bind = |new: NewBinding| async move {
            let bound = new.instance.bind(new.told()).await;
            (new, bound)
        };
        let mut refused = Vec::new();
        for (new, bound) in join_all(telling.into_iter().map(bind)).await {
            match bound {
                Ok(()) => kept.push(new),
                Err(error) => refused.push((new, error)),
            }
        }
        fresh.outlets = kept;
        // One that did not answer in time may have it by now.
        self.shared.tell_unbound(refused.iter().map(|(new, _)| new.undo()).collect());
        let mut serve_on = BTreeSet::new();
        for (new, error) in refused {
            let caller = Arc::clone(&new.binding.key.actor);
            if self.give_up_successor(&caller, &error, made, fresh) {
                serve_on.insert(caller);
            }
            self.give_up(&new, error, made, fresh);
        }
        for provider in &serve_on {
            self.tell_again(provider).await;
        }
        serve_on
    }

    /// Has the successors of providers take over the bindings these serve. Those that refuse one do
    /// not take over; then the others are asked again, because each is asked as if all the others
    /// took over: two servers may exchange their addresses.
    async fn move_bindings(&mut self, made: &mut Made, fresh: &mut Fresh) {
        let replaced = fresh.replaced();
        loop {
            let (moves, mut refused) = self.moves(made, &replaced);
            for asked in [Asked::Beforehand, Asked::ForGood] {
                if refused.is_empty() {
                    refused = ask_all(&moves, asked).await;
                }
            }
            if refused.is_empty() {
                for Move { name, serves, .. } in moves {
                    let successor = made.providers.get_mut(&name);
                    successor.into_iter().for_each(|one| one.told = ids(&serves));
                }
                return;
            }
            for (name, error) in refused {
                self.keep_old(&name, error, made, fresh).await;
            }
        }
    }

    /// What successors are to take over, and those that cannot.
    fn moves(
        &self,
        made: &Made,
        replaced: &HashSet<BindingKey>,
    ) -> (Vec<Move>, Vec<(Arc<str>, CallError)>) {
        let (mut moves, mut refused) = (Vec::new(), Vec::new());
        for (name, one) in made.providers.iter().filter(|(_, one)| one.succeeds) {
            let name = Arc::clone(name);
            match self.cannot_leave(&name, one.target, replaced) {
                Some(error) => refused.push((name, error)),
                None => {
                    let serves = self.serves((one.target, &one.prepared), replaced);
                    moves.push(Move { name, instance: one.instance.clone(), serves });
                }
            }
        }
        (moves, refused)
    }

    /// Why a provider is not replaced: a binding was to leave it for another one that does not run.
    /// It would come to what was never meant for it, such as another store's data.
    fn cannot_leave(
        &self,
        name: &str,
        target: TargetId,
        replaced: &HashSet<BindingKey>,
    ) -> Option<CallError> {
        let bindings = self.desired.prepared.bindings.iter();
        let binding = self.shared.look(|actual| {
            let served = |binding: &PreparedBinding| {
                let now = actual.current.get(&binding.key()).and_then(|id| actual.bindings.get(id));
                now.is_some_and(|now| now.spec.target == target)
            };
            let leaves = |binding: &&PreparedBinding| *binding.provider != *name && served(binding);
            { bindings }.filter(leaves).find(|binding| !replaced.contains(&binding.key()))
        })?;
        let text = format!(
            "the binding of {} was to leave it for provider {}, which does not run; it goes on",
            binding.actor, binding.provider
        );
        Some(CallError::new(Code::Provider, text))
    }

    /// Everything that a provider serves and that is not `replaced` by this change, and whether it
    /// cannot do without.
    pub(super) fn serves(
        &self,
        (target, prepared): (TargetId, &PreparedProvider),
        replaced: &HashSet<BindingKey>,
    ) -> Vec<(Binding, bool)> {
        self.shared.look(|actual| {
            let own = actual.bindings.values().filter(|one| one.spec.target == target);
            let in_force = |one: &RunningBinding| {
                actual.current.get(&one.key) == Some(&one.spec.id) && !replaced.contains(&one.key)
            };
            // Over the others no new call comes in; calls that still go out over them may.
            let wanted = own.filter(|one| in_force(one) || !one.is_intake());
            wanted.map(|one| (one.told(prepared), in_force(one))).collect()
        })
    }

    /// A successor could not take over: the one that serves goes on. It is told of its bindings
    /// again, in case the other one took something from it, and serves what the other one was to
    /// serve. Fresh outlets are yet to be [told](Self::tell_outlets).
    pub(super) async fn keep_old(
        &mut self,
        name: &str,
        error: CallError,
        made: &mut Made,
        fresh: &mut Fresh,
    ) {
        self.drop_successor(name, error, made, fresh);
        self.tell_again(name).await;
    }

    /// The same, without telling it again of what it has.
    pub(super) fn drop_successor(
        &mut self,
        name: &str,
        error: CallError,
        made: &mut Made,
        fresh: &mut Fresh,
    ) {
        let Some(successor) = made.providers.remove(name) else { return };
        self.drop_outlets_of(successor.caller, fresh);
        self.fail(successor.place, error);
        self.shared.discard(successor.instance);
        let serving = self.shared.look(|actual| {
            let running = actual.providers.get(name)?;
            Some((actual.instances.get(&running.target)?.clone(), running.prepared.clone()))
        });
        let Some((instance, prepared)) = serving else { return };
        for list in [&mut fresh.outlets, &mut fresh.intake] {
            for new in list.iter_mut().filter(|new| new.binding.spec.target == successor.target) {
                new.instance = instance.clone();
                new.provider = prepared.clone();
            }
        }
        self.give_up_unserved(name, made, fresh);
    }

    /// What a successor was bound to itself goes with it; the one that serves on has its own.
    fn drop_outlets_of(&mut self, caller: Option<ActorId>, fresh: &mut Fresh) {
        let Some(caller) = caller else { return };
        let own = |new: &NewBinding| new.binding.spec.actor == caller;
        let (gone, kept): (Vec<_>, Vec<_>) =
            std::mem::take(&mut fresh.outlets).into_iter().partition(own);
        fresh.outlets = kept;
        self.postponed.extend(gone.iter().filter_map(|new| new.place));
        self.shared.tell_unbound(gone.iter().map(NewBinding::undo).collect());
    }

    /// Gives up the fresh bindings that only a successor would have served: what actors may ask
    /// stays what the one that goes on serves.
    fn give_up_unserved(&mut self, name: &str, made: &mut Made, fresh: &mut Fresh) {
        let unserved = |new: &NewBinding| {
            *new.provider.name == *name && !new.provider.serves(&new.binding.spec.contract)
        };
        let mut lost = Vec::new();
        for list in [&mut fresh.outlets, &mut fresh.intake] {
            let (gone, kept) = std::mem::take(list).into_iter().partition(unserved);
            *list = kept;
            lost.extend::<Vec<_>>(gone);
        }
        for new in lost {
            let text = format!("waits for provider {name}, which could not be replaced");
            self.give_up(&new, CallError::new(Code::Provider, text), made, fresh);
        }
    }

    /// Tells the instance that serves of its bindings again, in case one that was to succeed it
    /// took something from it.
    pub(super) async fn tell_again(&self, name: &str) {
        let serving = self.shared.look(|actual| {
            let running = actual.providers.get(name)?;
            let instance = actual.instances.get(&running.target)?.clone();
            let own = actual.current.values().filter_map(|id| actual.bindings.get(id));
            let own = own.filter(|one| one.spec.target == running.target);
            Some((instance, own.map(|one| one.told(&running.prepared)).collect::<Vec<_>>()))
        });
        let Some((instance, bindings)) = serving else { return };
        let told = bindings.iter().map(|binding| binding.id).collect();
        for bound in join_all(bindings.into_iter().map(|one| instance.bind(one))).await {
            if let Err(error) = bound {
                tracing::error!(
                    provider = name,
                    code = error.code().as_str(),
                    "{}",
                    error.message()
                );
            }
        }
        self.shared.take_back(told, &instance);
    }
}

/// What the successor of a provider is to take over.
struct Move {
    name: Arc<str>,
    instance: Instance,
    /// As [`Change::serves`] has it.
    serves: Vec<(Binding, bool)>,
}

/// Asks each as if all the others took over; gives those that refuse.
async fn ask_all(moves: &[Move], asked: Asked) -> Vec<(Arc<str>, CallError)> {
    let answers = moves.iter().map(|one| async move {
        let others = moves.iter().filter(|other| other.name != one.name);
        let leaving = others.flat_map(|other| ids(&other.serves)).collect();
        let told = tell(&one.instance, &one.serves, (leaving, asked)).await;
        told.err().map(|error| (Arc::clone(&one.name), error))
    });
    join_all(answers).await.into_iter().flatten().collect()
}

fn ids(serves: &[(Binding, bool)]) -> Vec<BindingId> {
    serves.iter().map(|(binding, _)| binding.id).collect()
}

/// Tells an instance of what it is to [serve](Change::serves), or has it reserve that.
pub(super) async fn tell(
    instance: &Instance,
    serves: &[(Binding, bool)],
    (leaving, asked): (Vec<BindingId>, Asked),
) -> Result<(), CallError> {
    let newcomer = |binding: &Binding| Newcomer { binding: binding.clone(), replaces: None };
    let newcomers = serves.iter().map(|(binding, _)| newcomer(binding)).collect();
    let answers = match asked {
        Asked::Beforehand => instance.reserve_all(newcomers, leaving).await,
        Asked::ForGood => instance.bind_all(newcomers, leaving).await,
    };
    for ((binding, needed), answer) in serves.iter().zip(answers) {
        if let Err(error) = answer
            && *needed
        {
            let text = format!("the binding of {}: {}", binding.actor_name, error.message());
            return Err(CallError::new(error.code(), text));
        }
    }
    Ok(())
}
