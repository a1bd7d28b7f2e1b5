//! Bindings that are not in force, of actors that are wanted: stopped, not trusted, unbound by an
//! edit, or bound elsewhere by now. What a store keeps for them is theirs as much as ever, so it is
//! looked at over bindings that are lent for that.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::runtime::Handle;
use trellis_core::{BindingId, CallError, Code, ErrorKind};
use trellis_entitlements::TargetId;

use super::Change;
use crate::actual::ActualState;
use crate::border::Instance;
use crate::left::Former;
use crate::moving::keyspaces::{Other, Space};
use crate::moving::pages::holds;
use crate::prepare::PreparedProvider;
use crate::shared::Shared;

/// Bindings that are lent, and taken away again when this is dropped.
pub(super) struct Lent {
    shared: Arc<Shared>,
    bound: Mutex<Vec<(BindingId, Instance)>>,
}

impl Lent {
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        Self { shared: Arc::clone(shared), bound: Mutex::default() }
    }

    /// Binds those for which an instance keeps something; gives how they are called there.
    ///
    /// # Errors
    /// When that cannot be found out.
    pub(super) async fn keeping(
        &self,
        idle: Vec<Former>,
        (provider, instance): (&PreparedProvider, &Instance),
    ) -> Result<Vec<(Former, BindingId)>, CallError> {
        let mut keeping = Vec::new();
        for one in idle {
            let id = BindingId(self.shared.look(ActualState::next_id));
            let held = match self.bind((&one, id), (provider, instance)).await {
                Ok(()) => holds(instance, id).await,
                // With values that it does not take nobody ever put anything there.
                Err(error) if error.kind() == ErrorKind::Invalid => Ok(false),
                Err(error) => Err(error),
            };
            let actor = &one.binding.actor;
            if held.map_err(|error| unasked(&provider.name, actor, &error))? {
                keeping.push((one, id));
            }
        }
        Ok(keeping)
    }

    /// Binds one.
    ///
    /// # Errors
    /// Why the instance does not take it.
    pub(super) async fn bind(
        &self,
        (one, id): (&Former, BindingId),
        (provider, instance): (&PreparedProvider, &Instance),
    ) -> Result<(), CallError> {
        // One that does not answer in time may have it by now.
        self.bound.lock().push((id, instance.clone()));
        instance.bind(one.binding.told((id, &one.actor), provider)).await
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        // Without a runtime the host is gone already.
        if Handle::try_current().is_ok() {
            self.shared.tell_unbound(std::mem::take(self.bound.get_mut()));
        }
    }
}

impl Change {
    /// The bindings to a provider that are not in force, of actors that are wanted.
    pub(super) fn idle(&self, (target, name): (TargetId, &str)) -> Vec<Former> {
        let prepared = &self.desired.prepared;
        self.shared.look(|actual| {
            let written = prepared.bindings.iter().filter(|it| *it.provider == *name);
            let written = written.filter_map(|binding| {
                Some(Former { actor: prepared.key_of(&binding.actor)?, binding: binding.clone() })
            });
            let is_wanted = |it: &&Former| prepared.key_of(&it.binding.actor).is_some();
            let left = actual.left.to(name).filter(is_wanted).cloned();
            let in_force = |it: &Former| {
                let id = actual.current.get(&it.binding.key());
                let now = id.and_then(|id| actual.bindings.get(id));
                now.is_some_and(|now| {
                    (now.spec.target, &now.actor) == (target, &it.actor)
                        && now.prepared.values == it.binding.values
                })
            };
            written.chain(left).filter(|it| !in_force(it)).collect()
        })
    }

    /// Whose keys are at other providers than the one that `follows` there.
    ///
    /// # Errors
    /// When one of them does not say, or cannot.
    pub(super) async fn others(
        &self,
        (target, follows): (TargetId, &PreparedProvider),
        lent: &Lent,
    ) -> Result<Vec<Other<Instance>>, CallError> {
        if let Some(silent) = self.silent(follows) {
            return Err(cannot_say(&silent));
        }
        let running: Vec<_> = self.shared.look(|actual| {
            let others = actual.providers.values().filter(|it| it.target != target);
            let keep = others.filter(|it| it.prepared.descriptor.data.is_some());
            let instance = |target| actual.instances.get(&target).cloned();
            let running = keep.filter_map(|it| Some((it, instance(it.target)?)));
            running.map(|(it, at)| (it.target, it.prepared.clone(), at)).collect()
        });
        let mut others = Vec::new();
        for (target, provider, keeper) in running {
            let idle = self.idle((target, &provider.name));
            let idle = lent.keeping(idle, (&provider, &keeper)).await?;
            let spaces = idle.iter().map(|(one, id)| space(one, *id));
            let spaces = spaces.chain(spaces_of(&self.shared, target));
            others.extend(spaces.map(|space| Other { keeper: keeper.clone(), space }));
        }
        Ok(others)
    }
}

impl Change {
    /// A provider that is wanted, keeps what this kind of store keeps, and does not run.
    fn silent(&self, follows: &PreparedProvider) -> Option<Arc<str>> {
        let runs = |name: &str| {
            self.shared.look(|actual| {
                let running = actual.providers.get(name);
                running.is_some_and(|it| actual.instances.contains_key(&it.target))
            })
        };
        let mut wanted = self.desired.prepared.providers.iter().filter(|it| {
            it.name != follows.name
                && it.descriptor.data.is_some()
                && it.descriptor.name == follows.descriptor.name
        });
        wanted.find(|it| !runs(&it.name)).map(|it| Arc::clone(&it.name))
    }
}

/// What the bindings in force of a provider see.
pub(super) fn spaces_of(shared: &Shared, target: TargetId) -> Vec<Space> {
    shared.look(|actual| {
        let current = actual.current.values().filter_map(|id| actual.bindings.get(id));
        let own = current.filter(|binding| binding.spec.target == target);
        own.map(|it| Space { binding: it.spec.id, actor: it.key.actor.to_string() }).collect()
    })
}

/// What one that is lent sees.
pub(super) fn space(one: &Former, binding: BindingId) -> Space {
    Space { binding, actor: one.binding.actor.to_string() }
}

/// Nobody's keys are thrown away because their provider is stopped.
fn cannot_say(provider: &str) -> CallError {
    let text = format!(
        "provider {provider}, which does not run, may keep its keys where some are to be thrown \
         away: start it first (`trellis start provider {provider}`), take it out of the manifest, \
         or empty the store yourself and use `--data copy`"
    );
    CallError::new(Code::Data, text)
}

/// What is not known to be empty may hold what would be left behind, or thrown away.
fn unasked(provider: &str, actor: &str, error: &CallError) -> CallError {
    let text = format!(
        "whether provider {provider} keeps anything for {actor}, which is not bound to it now, \
         cannot be found out: {}",
        error.message()
    );
    CallError::new(error.code(), text)
}
