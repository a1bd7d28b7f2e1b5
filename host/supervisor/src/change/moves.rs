//! What a provider keeps goes along to the one that follows it. Calls wait for that, so it is
//! bounded; whatever fails, the one from before goes on with all it had.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedRwLockWriteGuard, watch};
use tokio::time::{Instant, timeout_at};
use trellis_control::{DataTerms, Moved};
use trellis_core::{BindingId, CallError, Code};
use trellis_entitlements::TargetId;
use trellis_targets::{HeldTarget, Hold};

use super::Change;
use super::bind::Fresh;
use super::make::Made;
use crate::border::Instance;
use crate::calls::Calls;
use crate::foresight::{check_contracts, nobody};
use crate::moving::{Amount, Bounds, Space, Way, made_way};
use crate::shared::Shared;
use crate::superseded::newer;

/// Longest wait for the calls from before, which may still write.
const LAST_CALLS_MAX: Duration = Duration::from_secs(3);

/// What is held back between a copy and the moment at which its provider is replaced.
#[derive(Default)]
pub(super) struct Moves {
    held: Vec<Held>,
    /// Against who looks into a store from outside.
    still: Option<OwnedRwLockWriteGuard<()>>,
}

/// The calls of a provider while its data move, and until it was replaced or goes on.
struct Held {
    shared: Arc<Shared>,
    name: Arc<str>,
    target: TargetId,
    old: Instance,
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
        let mut moves = Moves::default();
        if wanted.is_empty() {
            return Some(moves);
        }
        // Without it whoever looks into a store may write there meanwhile.
        moves.still = Some(self.still().await?);
        for (name, terms) in wanted {
            match self.move_of(&name, terms, made).await {
                Ok((one, moved)) => {
                    moves.held.push(one);
                    self.moved.push(moved);
                }
                Err(error) => {
                    self.shared.metrics.moved(error.code().as_str());
                    // What follows moves them. What was moved is taken over, or it would be found
                    // there by then.
                    if *self.superseded.borrow() && moves.held.is_empty() {
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
        name: &Arc<str>,
        terms: DataTerms,
        made: &Made,
    ) -> Result<(Held, Moved), CallError> {
        let gone = || nobody(name);
        let one = made.providers.get(name).ok_or_else(gone)?;
        let old = self.shared.look(|actual| {
            let running = actual.providers.get(name)?;
            let can = check_contracts(&running.prepared, &one.prepared);
            Some((actual.instances.get(&one.target)?.clone(), can))
        });
        let (old, can) = old.ok_or_else(gone)?;
        can?;
        let spaces = self.spaces(one.target, &one.told)?;
        let (held, before) = Held::hold(&self.shared, (name, one.target), old)?;
        let began = Instant::now();
        tracing::info!(
            provider = %name,
            "what it keeps is being copied; if the host ends before that is done, a part of it is \
             left there, and the next copy needs `--data replace`"
        );
        last_calls(&before, self.superseded.clone()).await?;
        let from = held.old.clone();
        let way = Way::new(&from, &one.instance);
        let copied = way.copy(spaces, terms, &Bounds::begin(self.superseded.clone())).await;
        let Amount { keys, bytes } = match copied {
            Ok(amount) => amount,
            Err(failed) => {
                // Nobody waits for what is left to do.
                drop(held);
                return Err(way.take_away(failed, self.superseded.clone()).await);
            }
        };
        let time_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.shared.metrics.moved("done");
        tracing::info!(provider = %name, keys, bytes, time_ms, "what it keeps was copied");
        Ok((held, Moved { provider: name.to_string(), keys, bytes, time_ms }))
    }

    /// Over which bindings there is something to move: all that are in force. Each has to be known
    /// to the one that follows.
    fn spaces(&self, target: TargetId, told: &[BindingId]) -> Result<Vec<Space>, CallError> {
        let told: BTreeSet<_> = told.iter().collect();
        let spaces: Vec<_> = self.shared.look(|actual| {
            let current = actual.current.values().filter_map(|id| actual.bindings.get(id));
            let own = current.filter(|binding| binding.spec.target == target);
            let space = |binding: &crate::actual::RunningBinding| Space {
                binding: binding.spec.id,
                actor: binding.key.actor.to_string(),
            };
            own.map(space).collect()
        });
        if spaces.iter().all(|space| told.contains(&space.binding)) {
            return Ok(spaces);
        }
        let text = "a binding of it changes at the same time; ask again once that is done";
        Err(data_error(text.to_owned()))
    }
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
        Ok((Self { shared, name, target, old, hold: Some(hold) }, before))
    }

    /// Calls go on to whoever serves now.
    fn go_on(&mut self) {
        let Some(hold) = self.hold.take() else { return };
        let (name, shared) = (&self.name, &self.shared);
        let (route, handle) = shared.dispatcher.route(name, self.old.target());
        let serving = shared.edit(|actual| {
            let serving = actual.instances.get(&self.target)?.clone();
            let running = actual.providers.get_mut(name).filter(|it| it.target == self.target)?;
            // A successor has a route of its own since it took over.
            if serving.is(&self.old) {
                drop(running.calls.go_on(handle));
                actual.road.routes.put(self.target, route);
            }
            Some(serving)
        });
        match serving {
            Some(serving) => hold.release(serving.target()),
            None => {
                let text = format!("provider {name} was taken away while its data moved");
                hold.fail(CallError::new(Code::Provider, text));
            }
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.go_on();
    }
}
