//! Makes the new beside the old: providers are started, actors loaded. Nobody sees them yet.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::task::JoinSet;
use trellis_core::{ActorKey, BindingId, CallError, Code};
use trellis_entitlements::{ActorId, TargetId};

use super::Change;
use super::loads::{MadeActor, broken};
use crate::border::Instance;
use crate::prepare::PreparedProvider;
use crate::progress::Awaited;
use crate::shared::Shared;
use crate::superseded::newer;

/// What was made, by name.
#[derive(Default)]
pub(super) struct Made {
    pub(super) actors: BTreeMap<Arc<str>, MadeActor>,
    pub(super) providers: BTreeMap<Arc<str>, MadeProvider>,
}

pub(super) struct MadeProvider {
    /// The place of its step.
    pub(super) place: usize,
    pub(super) target: TargetId,
    /// As whom it asks for something itself; for a module, which has claims.
    pub(super) caller: Option<ActorId>,
    pub(super) prepared: PreparedProvider,
    pub(super) instance: Instance,
    /// An instance of that name serves bindings already, which go over to this one.
    pub(super) succeeds: bool,
    /// Those of them that it was told of.
    pub(super) told: Vec<BindingId>,
}

impl Made {
    /// Under which handle and key a new one asks for something that has that name.
    pub(super) fn caller(&self, name: &str) -> Option<(ActorId, ActorKey)> {
        if let Some(actor) = self.actors.get(name) {
            return Some((actor.id, actor.prepared.verified.claims().key()));
        }
        let provider = self.providers.get(name)?;
        let module = provider.prepared.module.as_ref()?;
        Some((provider.caller?, module.verified.claims().key()))
    }
}

impl Change {
    /// `None` when something newer is wanted; what was made by then was left or let go.
    pub(super) async fn make(&mut self) -> Option<Made> {
        self.want_modules();
        let mut jobs = self.provider_jobs();
        let mut made = Made::default();
        let mut superseded = self.superseded.clone();
        self.shared.progress.waits_for(self.awaited());
        while !(jobs.is_empty() && self.loads.is_empty()) {
            tokio::select! {
                Some(joined) = jobs.join_next() => match joined {
                    Ok((place, Ok(one))) => {
                        self.came(place);
                        made.providers.insert(Arc::clone(&one.prepared.name), *one);
                    }
                    Ok((place, Err(error))) => {
                        self.came(place);
                        self.fail(place, error);
                    }
                    // A job that panicked does not say which it was: see `provider_jobs`.
                    Err(_) => {}
                },
                Some((place, loaded)) = self.loads.next() => {
                    self.came(place);
                    match loaded {
                        Ok(one) => drop(made.actors.insert(Arc::clone(&one.prepared.name), one)),
                        Err(error) => self.fail(place, error),
                    }
                }
                () = newer(&mut superseded) => {
                    jobs.shutdown().await;
                    self.leave(made);
                    return None;
                }
            }
        }
        Some(made)
    }

    /// Something newer is wanted: the next change goes on with the modules. Providers are let go,
    /// since an instance may hold what the next one needs.
    pub(super) fn leave(&mut self, made: Made) {
        made.providers.into_values().for_each(|one| self.shared.discard(one.instance));
        self.loads.keep(made.actors.into_values());
    }

    /// What is to be made beside what runs.
    fn awaited(&self) -> Awaited {
        let made = |place: &usize| !self.failed.contains_key(place);
        let actors = self.wanted_actors().into_iter().map(|(place, _)| place).filter(made);
        let providers = self.wanted_providers(false).into_iter().map(|(place, _)| place);
        Awaited::of(actors.chain(providers).filter_map(|place| self.steps.get(place)))
    }

    fn came(&self, place: usize) {
        self.steps.get(place).into_iter().for_each(|step| self.shared.progress.came(step));
    }

    fn want_modules(&mut self) {
        let wanted = self.wanted_actors().into_iter();
        let wanted = wanted.filter(|(place, _)| !self.failed.contains_key(place));
        let wanted = wanted.map(|(place, actor)| (place, actor.clone())).collect();
        self.loads.want(&self.shared, wanted);
    }

    fn provider_jobs(&self) -> JoinSet<(usize, Result<Box<MadeProvider>, CallError>)> {
        let mut jobs = JoinSet::new();
        for (place, prepared) in self.wanted_providers(false) {
            let make = make_provider(Arc::clone(&self.shared), place, prepared.clone());
            jobs.spawn(alone(place, make));
        }
        jobs
    }
}

/// A piece of work whose panic is its failure.
async fn alone(
    place: usize,
    work: impl Future<Output = Result<Box<MadeProvider>, CallError>> + Send + 'static,
) -> (usize, Result<Box<MadeProvider>, CallError>) {
    let mut task = JoinSet::new();
    task.spawn(work);
    let ended = task.join_next().await.map(|ended| ended.map_err(broken));
    let nothing = || CallError::new(Code::Internal, "the step ended without a result");
    (place, ended.unwrap_or_else(|| Err(nothing())).and_then(|result| result))
}

async fn make_provider(
    shared: Arc<Shared>,
    place: usize,
    prepared: PreparedProvider,
) -> Result<Box<MadeProvider>, CallError> {
    let (target, caller, succeeds) = shared.look(|actual| {
        let running = actual.providers.get(&prepared.name);
        let running = running.map(|running| running.target);
        let target = running.unwrap_or_else(|| TargetId(actual.next_id()));
        let caller = prepared.module.as_ref().map(|_| ActorId(actual.next_id()));
        Ok::<_, CallError>((target, caller, running.is_some()))
    })?;
    let instance = shared.make(&prepared, (target, caller)).await?;
    let told = Vec::new();
    Ok(Box::new(MadeProvider { place, target, caller, prepared, instance, succeeds, told }))
}
