//! What a provider keeps goes along to the one that follows it. Calls wait for that, so it is
//! bounded; whatever fails, the one from before goes on with all it had.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{OwnedRwLockWriteGuard, oneshot, watch};
use tokio::time::{Instant, timeout_at};
use trellis_control::{DataTerms, Moved};
use trellis_core::{BindingId, CallError, Code};
use trellis_entitlements::TargetId;
use trellis_targets::{HeldTarget, Hold};

use super::Change;
use super::bind::Fresh;
use super::idle::{Lent, space, spaces_of};
use super::make::{Made, MadeProvider};
use crate::border::Instance;
use crate::calls::Calls;
use crate::foresight::{check_contracts, nobody};
use crate::left::Former;
use crate::moving::keyspaces::{Other, Space};
use crate::moving::{Amount, Bounds, Load, Way, in_time, made_way, patiently};
use crate::prepare::PreparedProvider;
use crate::shared::Shared;
use crate::superseded::newer;

/// Longest wait for the calls from before, which may still write.
const LAST_CALLS_MAX: Duration = Duration::from_secs(3);

/// What is held back between a copy and the moment at which its provider is replaced.
pub(super) type Moves = Vec<Held>;

/// Against who looks into a store from outside, and against another move, as long as there is one.
type Still = Arc<OwnedRwLockWriteGuard<()>>;

/// The calls of a provider while its data move, and until it was replaced or goes on. If it goes
/// on, what was copied is taken away again, whatever this change came to: it may have been cut.
pub(super) struct Held {
    shared: Arc<Shared>,
    name: Arc<str>,
    target: TargetId,
    old: Instance,
    way: Arc<Way<Instance, Instance>>,
    still: Still,
    /// Over some of these it is copied, and taken away again.
    lent: Arc<Lent>,
    /// None once calls go on.
    hold: Option<Hold>,
}

impl Change {
    /// Moves what providers keep to those that are to follow them, as their owner wants. A provider
    /// whose data do not move goes on. Gives what holds back who would write to the others, until
    /// it is dropped; `None` when something newer is wanted before anything was moved.
    pub(super) async fn move_data(&mut self, made: &mut Made, fresh: &mut Fresh) -> Option<Moves> {
        let wanted = made.providers.iter().filter_map(|(name, one)| {
            Some((Arc::clone(name), one.prepared.data.filter(|_| self.is_another(name, made))?))
        });
        let wanted: Vec<_> = wanted.collect();
        let mut moves = Moves::new();
        if wanted.is_empty() {
            return Some(moves);
        }
        // Without it whoever looks into a store may write there meanwhile.
        let still = Arc::new(self.still().await?);
        for (name, terms) in wanted {
            match self.move_of((&name, &still), terms, made).await {
                Ok((one, moved, notes)) => {
                    moves.push(one);
                    self.moved.push(moved);
                    self.notes.extend(notes);
                }
                Err(error) => {
                    self.shared.metrics.moved(error.code().as_str());
                    // What follows moves them. What was moved is taken over, or it would be found
                    // there by then.
                    if *self.superseded.borrow() && moves.is_empty() {
                        tracing::info!(provider = %name, "{}", error.message());
                        return None;
                    }
                    self.keep_old(&name, error, made, fresh).await;
                }
            }
        }
        Some(moves)
    }

    /// Waits until nobody looks into a store; `None` when something newer is wanted before.
    async fn still(&self) -> Option<OwnedRwLockWriteGuard<()>> {
        let mut superseded = self.superseded.clone();
        tokio::select! {
            biased;
            still = Arc::clone(&self.shared.moving).write_owned() => Some(still),
            () = newer(&mut superseded) => None,
        }
    }

    /// True unless what runs is the same already: an instance that is only made anew keeps what the
    /// one before it had.
    fn is_another(&self, name: &str, made: &Made) -> bool {
        let Some(one) = made.providers.get(name) else { return false };
        self.shared.look(|actual| {
            let running = actual.providers.get(name).map(|running| &running.prepared);
            running.is_none_or(|old| {
                !old.is_kind_of(&one.prepared) || old.values != one.prepared.values
            })
        })
    }

    async fn move_of(
        &self,
        (name, still): (&Arc<str>, &Still),
        terms: DataTerms,
        made: &Made,
    ) -> Result<(Held, Moved, Vec<String>), CallError> {
        let gone = || nobody(name);
        let one = made.providers.get(name).ok_or_else(gone)?;
        let old = self.shared.look(|actual| {
            let running = actual.providers.get(name)?;
            Some((running.prepared.clone(), actual.instances.get(&one.target)?.clone()))
        });
        let (before, old) = old.ok_or_else(gone)?;
        check_contracts(&before, &one.prepared)?;
        let lent = Arc::new(Lent::new(&self.shared));
        let bounds = Bounds::begin(self.superseded.clone());
        let load = self.load((one, &before, &old), terms, &lent);
        let load = in_time(&bounds, load).await?;
        let way = Arc::new(Way::new(old.clone(), one.instance.clone()));
        let still = Arc::clone(still);
        let (held, before) = Held::hold(&self.shared, (name, one.target), old, (way, still, lent))?;
        let began = Instant::now();
        tracing::info!(
            provider = %name,
            "what it keeps is being copied; if the host is killed before that is done, a part of \
             it is left there, and the next copy needs `--data replace`"
        );
        last_calls(&before, self.superseded.clone()).await?;
        let bounds = Bounds::begin(self.superseded.clone());
        let amount = match held.way.copy(load, &bounds).await {
            Ok(amount) => amount,
            Err(error) => return Err(held.give_up(error, self.superseded.clone()).await),
        };
        let Amount { keys, bytes, .. } = amount;
        let time_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.shared.metrics.moved("done");
        tracing::info!(provider = %name, keys, bytes, time_ms, "what it keeps was copied");
        let moved = Moved { provider: name.to_string(), keys, bytes, time_ms };
        Ok((held, moved, notes(name, amount)))
    }

    /// What there is to move, and whose keys are not to be touched for that.
    async fn load(
        &self,
        (one, before, old): (&MadeProvider, &PreparedProvider, &Instance),
        terms: DataTerms,
        lent: &Lent,
    ) -> Result<Load<Instance>, CallError> {
        let idle = self.idle((one.target, &before.name));
        let spaces = self.spaces((one.target, &one.told), !idle.is_empty())?;
        let idle = lent.keeping(idle, (before, old)).await?;
        for (idle, id) in &idle {
            let bound = lent.bind((idle, *id), (&one.prepared, &one.instance)).await;
            bound.map_err(|error| stays_behind(idle, &error))?;
        }
        let spaces = spaces.into_iter().chain(idle.iter().map(|(one, id)| space(one, *id)));
        let others: Vec<Other<_>> = match terms {
            DataTerms::Copy => Vec::new(),
            DataTerms::Replace => self.others((one.target, &one.prepared), lent).await?,
        };
        Ok(Load { spaces: spaces.collect(), others, terms })
    }

    /// The bindings in force over which there is something to move. Each has to be known to the
    /// one that follows; none is right where there are others that are `idle`.
    fn spaces(
        &self,
        (target, told): (TargetId, &[BindingId]),
        idle: bool,
    ) -> Result<Vec<Space>, CallError> {
        let told: BTreeSet<_> = told.iter().collect();
        let spaces = spaces_of(&self.shared, target);
        if spaces.is_empty() && !idle {
            let text = "nothing is bound to it, and only what bindings keep is copied: bind the \
                        actors that use it (`trellis get bindings`), and ask again";
            return Err(data_error(text.to_owned()));
        }
        if spaces.iter().all(|space| told.contains(&space.binding)) {
            return Ok(spaces);
        }
        let text = "a binding of it changes at the same time; ask again once that is done";
        Err(data_error(text.to_owned()))
    }
}

/// What is to be known of a copy.
fn notes(provider: &str, Amount { others, gone, .. }: Amount) -> Vec<String> {
    let left = || {
        format!(
            "what provider {provider} was keeps about {others} more keys, of actors that are not \
             bound to it; they were not copied and stay there, until `--data replace` goes back to \
             it with such an actor"
        )
    };
    let thrown = || {
        format!(
            "{gone} keys that only the store had that provider {provider} is now were thrown away"
        )
    };
    let left = (others > 0).then(left);
    left.into_iter().chain((gone > 0).then(thrown)).collect()
}

/// Nothing is left behind for want of a binding.
fn stays_behind(idle: &Former, error: &CallError) -> CallError {
    let actor = &idle.binding.actor;
    let text = format!(
        "the keys of {actor} would stay behind: its binding is not in force, and what is to follow \
         does not take it: {}; `trellis get bindings` shows what it is bound to by now",
        error.message()
    );
    CallError::new(error.code(), text)
}

async fn last_calls(
    before: &Calls,
    mut superseded: watch::Receiver<bool>,
) -> Result<(), CallError> {
    let ended = tokio::select! {
        biased;
        ended = timeout_at(Instant::now() + LAST_CALLS_MAX, before.ended()) => ended,
        () = newer(&mut superseded) => return Err(made_way()),
    };
    ended.map_err(|_| {
        let ms = LAST_CALLS_MAX.as_millis();
        data_error(format!("calls that were under way did not end within {ms} ms; ask again"))
    })
}

fn data_error(text: String) -> CallError {
    CallError::new(Code::Data, text)
}

impl Held {
    /// From now on calls of the provider wait. Gives those from before.
    fn hold(
        shared: &Arc<Shared>,
        (name, target): (&Arc<str>, TargetId),
        old: Instance,
        (way, still, lent): (Arc<Way<Instance, Instance>>, Still, Arc<Lent>),
    ) -> Result<(Self, Calls), CallError> {
        let (held, hold) = HeldTarget::new(Arc::clone(name));
        let (route, handle) = shared.dispatcher.route(name, Arc::new(held));
        let before = shared.edit(|actual| {
            let running = actual.providers.get_mut(name)?;
            let before = running.calls.wait_on(handle);
            actual.road.routes.put(target, route);
            Some(before)
        });
        let before = before.ok_or_else(|| {
            data_error(format!("provider {name} was taken away, so nothing was copied"))
        })?;
        let (shared, name) = (Arc::clone(shared), Arc::clone(name));
        Ok((Self { shared, name, target, old, way, still, lent, hold: Some(hold) }, before))
    }

    /// Calls go on to whoever serves now. True when that is the one from before.
    fn go_on(&mut self) -> bool {
        let Some(hold) = self.hold.take() else { return false };
        let (name, shared) = (&self.name, &self.shared);
        let (route, handle) = shared.dispatcher.route(name, self.old.target());
        let serving = shared.edit(|actual| {
            let serving = actual.instances.get(&self.target)?.clone();
            let running = actual.providers.get_mut(name).filter(|it| it.target == self.target)?;
            // A successor has a route of its own since it took over.
            let is_old = serving.is(&self.old);
            if is_old {
                drop(running.calls.go_on(handle));
                actual.road.routes.put(self.target, route);
            }
            Some((serving, is_old))
        });
        match serving {
            Some((serving, is_old)) => {
                hold.release(serving.target());
                is_old
            }
            None => {
                let text = format!("provider {name} was taken away while its data moved");
                hold.fail(CallError::new(Code::Provider, text));
                // Nobody has it, so nothing is lost with a copy less; but nothing is known either.
                false
            }
        }
    }

    /// Calls go on, and what was copied is taken away, for this reason: what there is to say of
    /// both. Something newer that is wanted waits for that, but not for long.
    async fn give_up(mut self, error: CallError, superseded: watch::Receiver<bool>) -> CallError {
        if !self.go_on() {
            return error;
        }
        // An end of the host cuts who waits, not what is waited for.
        match patiently(self.take_away(error.clone()), superseded).await {
            Some(told) => told.unwrap_or(error),
            None => {
                let text = format!("{}; what was copied is still taken away", error.message());
                CallError::new(error.code(), text)
            }
        }
    }

    /// Takes away what the other one was given, aside. Until that is done nothing moves there anew.
    fn take_away(&self, error: CallError) -> oneshot::Receiver<CallError> {
        let (done, told) = oneshot::channel();
        let (way, still) = (Arc::clone(&self.way), Arc::clone(&self.still));
        let lent = Arc::clone(&self.lent);
        if !way.is_begun() {
            let _ = done.send(error);
            return told;
        }
        let name = Arc::clone(&self.name);
        self.shared.aside.spawn(async move {
            let error = way.take_away(error).await;
            tracing::info!(provider = %name, "what was copied from it was for nothing: {error}");
            // Whoever asked may be gone.
            let _ = done.send(error);
            drop((still, lent));
        });
        told
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // Without a runtime the host is gone already.
        if self.go_on() && Handle::try_current().is_ok() {
            let text = "the change ended before the other one took over";
            drop(self.take_away(CallError::new(Code::Stopping, text)));
        }
    }
}
