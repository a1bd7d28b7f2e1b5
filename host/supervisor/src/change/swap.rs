//! Replaces a provider by one that cannot stand beside it: both want the same file, or the same
//! port. Calls wait meanwhile, each until its own deadline. Providers that exchange their files are
//! replaced together.

use std::collections::HashSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::join_all;
use tokio::time::{Instant, timeout_at};
use trellis_core::{BindingId, CallError, Code, ErrorKind};
use trellis_entitlements::TargetId;
use trellis_targets::{HeldTarget, Hold};

use super::Change;
use super::intake::Asked;
use super::outcome::Again;
use super::outlets::tell;
use crate::actual::ActualState;
use crate::border::Instance;
use crate::calls::Calls;
use crate::desired::{Moment, vouch_for_provider};
use crate::exchange;
use crate::foresight::held_already;
use crate::prepare::PreparedProvider;
use crate::progress::Awaited;
use crate::shared::Shared;
use crate::superseded::newer;

/// Longest wait for the calls of a provider that has to end before its successor can begin; what
/// is left then is cut. New calls wait as long, so it is short.
const HOLD_DRAIN_MAX: Duration = Duration::from_secs(3);

/// A provider while it is replaced.
struct Held {
    shared: Arc<Shared>,
    /// The place of its step.
    place: usize,
    target: TargetId,
    old: PreparedProvider,
    new: PreparedProvider,
    /// The calls from before.
    calls: Calls,
    /// None once calls go on.
    hold: Option<Hold>,
}

/// An instance that is to serve, and what it was told of.
struct Begun {
    instance: Instance,
    told: Vec<BindingId>,
}

type Failure = (CallError, Again);

impl Change {
    /// One group after the other, until something newer is wanted. Those of a group exchange what
    /// they hold.
    pub(super) async fn swap_contested(&mut self) {
        for group in self.groups() {
            if *self.superseded.borrow() {
                return;
            }
            let places: Vec<_> = group.iter().map(|(place, _)| *place).collect();
            let names = group.iter().map(|(_, new)| &*new.name);
            self.shared.progress.waits_for(Awaited::of_providers(names));
            let mut held = Vec::new();
            for (place, new) in group {
                match self.hold(place, new) {
                    Ok(one) => held.push(one),
                    Err(error) => self.fail(place, error),
                }
            }
            match AssertUnwindSafe(self.swap(held)).catch_unwind().await {
                Ok(failed) => failed.into_iter().for_each(|(place, (error, again))| {
                    self.fail_until(place, error, again);
                }),
                Err(_) => places.iter().for_each(|place| self.fail(*place, panicked())),
            }
            let swapped = places.into_iter().filter(|place| !self.failed.contains_key(place));
            self.done_before.extend(swapped);
        }
    }

    /// The providers that cannot stand beside their successors, those together that exchange what
    /// they hold, with the places of their steps.
    fn groups(&self) -> Vec<Vec<(usize, PreparedProvider)>> {
        let wanted = self.wanted_providers(true);
        self.shared.look(|actual| {
            let mut pairs = Vec::new();
            let mut groups = Vec::new();
            for (place, new) in wanted {
                match actual.providers.get(&new.name) {
                    Some(running) => pairs.push((place, &running.prepared, new)),
                    None => groups.push(vec![(place, new.clone())]),
                }
            }
            let replaced: Vec<_> = pairs.iter().map(|(_, old, new)| (*old, *new)).collect();
            for group in exchange::groups(&replaced) {
                let member = |index: usize| (pairs[index].0, pairs[index].2.clone());
                groups.push(group.into_iter().map(member).collect());
            }
            groups
        })
    }

    /// From now on calls of the provider wait.
    fn hold(&self, place: usize, new: PreparedProvider) -> Result<Held, CallError> {
        if new.data.is_some() {
            return Err(held_already());
        }
        let (held, hold) = HeldTarget::new(Arc::clone(&new.name));
        let (route, handle) = self.shared.dispatcher.route(&new.name, Arc::new(held));
        self.shared.edit(|actual| {
            let running = actual.providers.get_mut(&new.name);
            let running = running.filter(|known| actual.instances.contains_key(&known.target));
            let Some(running) = running else {
                let text = format!("provider {} does not run, so nothing replaces it", new.name);
                return Err(CallError::new(Code::Provider, text));
            };
            let (target, old) = (running.target, running.prepared.clone());
            let calls = running.calls.wait_on(handle);
            actual.road.routes.put(target, route);
            let (shared, hold) = (Arc::clone(&self.shared), Some(hold));
            Ok(Held { shared, place, target, old, new, calls, hold })
        })
    }

    /// Replaces all of these, or none; gives why by the places of their steps.
    async fn swap(&self, mut held: Vec<Held>) -> Vec<(usize, Failure)> {
        join_all(held.iter().map(Held::end)).await;
        let begun = join_all(held.iter().map(|one| self.begin(one.target, &one.new))).await;
        let begun =
            join_all(begun.into_iter().zip(&held).map(|(begun, one)| self.still_may(begun, one)));
        let begun = begun.await;
        if begun.iter().all(Result::is_ok) {
            let begun = held.into_iter().zip(begun.into_iter().flatten());
            let released = begun.filter_map(|(mut one, begun)| {
                let refused = one.release(one.new.clone(), begun).err();
                refused.map(|error| (one.place, (error, Again::Soon)))
            });
            return released.collect();
        }
        let errors = take_down(begun, &held).await;
        let restarted = join_all(held.iter().map(|one| self.restart(one.target, &one.old))).await;
        let mut failed = Vec::new();
        for ((one, error), again) in held.iter_mut().zip(errors).zip(restarted) {
            let again = match again {
                Ok(again) => match one.release(one.old.clone(), again) {
                    Ok(()) => Again::Rarely,
                    Err(_) => Again::Soon,
                },
                Err(worse) => {
                    one.breaks(worse);
                    Again::Soon
                }
            };
            failed.push((one.place, (error, again)));
        }
        failed
    }

    /// Ends one that took its time to begin and may not serve by now: what it was to replace is
    /// started again, and may need what this one has.
    async fn still_may(
        &self,
        begun: Result<Begun, CallError>,
        held: &Held,
    ) -> Result<Begun, CallError> {
        let begun = begun?;
        let now = Moment::of(&*self.shared.clock);
        let may = self.shared.look(|actual| may_serve(&held.new, held.target, actual, &now));
        match may {
            Ok(()) => Ok(begun),
            Err(error) => {
                begun.instance.end().await;
                Err(error)
            }
        }
    }

    /// Makes the new one, unless something newer is wanted by then.
    async fn begin(
        &self,
        target: TargetId,
        prepared: &PreparedProvider,
    ) -> Result<Begun, CallError> {
        let newer_wanted = || CallError::new(Code::Stopping, "something newer is wanted");
        let mut superseded = self.superseded.clone();
        let instance = tokio::select! {
            made = self.shared.make(prepared, (target, None)) => made?,
            () = newer(&mut superseded) => return Err(newer_wanted()),
        };
        let told = tokio::select! {
            told = self.tell_all(&instance, target, prepared) => told,
            () = newer(&mut superseded) => Err(newer_wanted()),
        };
        begun(instance, told).await
    }

    /// Makes the old one again, whatever is wanted: calls wait for it.
    async fn restart(
        &self,
        target: TargetId,
        prepared: &PreparedProvider,
    ) -> Result<Begun, CallError> {
        let instance = self.shared.make(prepared, (target, None)).await?;
        let told = self.tell_all(&instance, target, prepared).await;
        begun(instance, told).await
    }

    /// Tells an instance of every binding the provider has.
    async fn tell_all(
        &self,
        instance: &Instance,
        target: TargetId,
        prepared: &PreparedProvider,
    ) -> Result<Vec<BindingId>, CallError> {
        let serves = self.serves((target, prepared), &HashSet::new());
        tell(instance, &serves, (Vec::new(), Asked::ForGood)).await?;
        Ok(serves.iter().map(|(binding, _)| binding.id).collect())
    }
}

/// One that was not told of everything does not serve.
async fn begun(
    instance: Instance,
    told: Result<Vec<BindingId>, CallError>,
) -> Result<Begun, CallError> {
    match told {
        Ok(told) => Ok(Begun { instance, told }),
        Err(error) => {
            instance.shut_down(Instant::now() + HOLD_DRAIN_MAX).await;
            Err(error)
        }
    }
}

/// Takes down those of a group that began, because another one did not. Gives why for each.
async fn take_down(begun: Vec<Result<Begun, CallError>>, held: &[Held]) -> Vec<CallError> {
    let failed = begun.iter().zip(held).find_map(|(begun, one)| Some((begun.as_ref().err()?, one)));
    let waits = failed.map(|(error, one)| {
        let text = format!(
            "what it is to hold is exchanged with provider {}, which could not: {}",
            one.new.name,
            error.message()
        );
        CallError::new(error.code(), text)
    });
    let errors = join_all(begun.into_iter().map(|begun| {
        let waits = waits.clone().unwrap_or_else(panicked);
        async move {
            match begun {
                Ok(begun) => {
                    begun.instance.shut_down(Instant::now() + HOLD_DRAIN_MAX).await;
                    waits
                }
                Err(error) => error,
            }
        }
    }));
    errors.await
}

/// Whether a provider may serve that took its time to begin: it may have been taken away meanwhile,
/// or nobody trusts it any more.
fn may_serve(
    provider: &PreparedProvider,
    target: TargetId,
    actual: &ActualState,
    now: &Moment,
) -> Result<(), CallError> {
    vouch_for_provider(provider, actual.trust.as_ref(), now)?;
    let name = &provider.name;
    match actual.providers.get(name) {
        Some(running) if running.target == target => Ok(()),
        _ => Err(CallError::new(Code::Stopping, format!("the provider {name} was taken away"))),
    }
}

impl Held {
    /// Ends the instance that serves: what it has may finish, for a while. It may hold what it had
    /// until it is dropped, which is done while nothing is locked.
    async fn end(&self) {
        let until = Instant::now() + HOLD_DRAIN_MAX;
        if timeout_at(until, self.calls.ended()).await.is_err() {
            self.calls.cut();
        }
        let serving = self.shared.look(|actual| actual.instances.get(&self.target).cloned());
        if let Some(instance) = &serving {
            instance.shut_down(until).await;
        }
        let known = self.shared.look(|actual| actual.instances.remove(&self.target));
        drop((serving, known));
    }

    /// Calls go on to an instance; an error says why it may not serve after all, which calls are
    /// told too.
    fn release(&mut self, prepared: PreparedProvider, begun: Begun) -> Result<(), CallError> {
        let Some(hold) = self.hold.take() else { return Ok(()) };
        let Begun { instance, told } = begun;
        let shared = &self.shared;
        let answers = instance.target();
        let (route, handle) =
            shared.dispatcher.route(&prepared.name, Arc::clone(&answers) as Arc<_>);
        let installed = shared.edit(|actual| {
            may_serve(&prepared, self.target, actual, &Moment::of(&*shared.clock))?;
            let gone = actual.gone_of(told, &instance);
            actual.road.routes.put(self.target, route);
            actual.instances.insert(self.target, instance.clone());
            if let Some(running) = actual.providers.get_mut(&prepared.name) {
                // Calls that waited go on over their own route.
                drop(running.calls.go_on(handle));
                running.broken = None;
                running.prepared = prepared;
            }
            Ok(gone)
        });
        match installed {
            Ok(gone) => {
                shared.tell_unbound(gone);
                hold.release(answers);
                Ok(())
            }
            Err(error) => {
                shared.end_at_once(instance);
                self.hold = Some(hold);
                self.breaks(CallError::clone(&error));
                Err(error)
            }
        }
    }

    /// There is no instance, and calls are told so.
    fn breaks(&mut self, error: CallError) {
        let Some(hold) = self.hold.take() else { return };
        let left = self.shared.look(|actual| {
            if let Some(running) = actual.providers.get_mut(&self.new.name) {
                running.broken = Some(error.clone());
            }
            actual.instances.remove(&self.target)
        });
        // Its end may panic, and so may have been what brought us here.
        self.shared.aside.spawn(async move { drop(left) });
        hold.fail(outage(&self.new.name, error));
    }
}

impl Drop for Held {
    /// After a panic nothing would ever release the calls, nor start an instance.
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.breaks(panicked());
        }
    }
}

/// What calls are told of a provider that could not be started: that nobody vouches for it is no
/// refusal of theirs.
fn outage(provider: &str, error: CallError) -> CallError {
    if error.kind() != ErrorKind::Denied {
        return error;
    }
    let (why, code) = (error.message(), error.code());
    CallError::new(Code::Provider, format!("provider {provider} does not run: {why} [{code}]"))
}

fn panicked() -> CallError {
    CallError::new(Code::Internal, "the host failed on this step; its log says why")
}
