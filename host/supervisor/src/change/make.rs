//! Makes the new beside the old: providers are started, actors loaded. Nobody sees them yet.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use trellis_core::{BindingId, CallError, Code};
use trellis_engine::{Actor, ModuleSpec};
use trellis_entitlements::{ActorId, TargetId};
use trellis_targets::GuestCalls;

use super::{Change, broken};
use crate::border::Instance;
use crate::prepare::{PreparedActor, PreparedProvider};
use crate::shared::Shared;

/// Most modules on their way into memory at once; those that must be compiled are bounded by the
/// engine besides.
const LOADS_MAX: usize = 32;

/// What was made, by name.
#[derive(Default)]
pub(super) struct Made {
    pub(super) actors: BTreeMap<Arc<str>, MadeActor>,
    pub(super) providers: BTreeMap<Arc<str>, MadeProvider>,
}

pub(super) struct MadeActor {
    /// The place of its step.
    pub(super) place: usize,
    pub(super) id: ActorId,
    pub(super) target: TargetId,
    pub(super) prepared: PreparedActor,
    pub(super) engine: Actor,
}

pub(super) struct MadeProvider {
    /// The place of its step.
    pub(super) place: usize,
    pub(super) target: TargetId,
    pub(super) prepared: PreparedProvider,
    pub(super) instance: Instance,
    /// An instance of that name serves bindings already, which go over to this one.
    pub(super) succeeds: bool,
    /// Those of them that it was told of.
    pub(super) told: Vec<BindingId>,
}

enum Piece {
    Actor(Box<MadeActor>),
    Provider(Box<MadeProvider>),
}

impl Change {
    /// `None` when something newer is wanted; what was made by then is let go.
    pub(super) async fn make(&mut self) -> Option<Made> {
        let mut jobs = self.jobs();
        let mut made = Made::default();
        let mut superseded = self.superseded.clone();
        loop {
            let joined = tokio::select! {
                joined = jobs.join_next() => joined,
                () = newer(&mut superseded) => {
                    jobs.shutdown().await;
                    self.discard(made);
                    return None;
                }
            };
            let Some(joined) = joined else { return Some(made) };
            match joined {
                Ok((_, Ok(Piece::Actor(actor)))) => {
                    made.actors.insert(Arc::clone(&actor.prepared.name), *actor);
                }
                Ok((_, Ok(Piece::Provider(one)))) => {
                    made.providers.insert(Arc::clone(&one.prepared.name), *one);
                }
                Ok((place, Err(error))) => self.fail(place, error),
                // A job that panicked does not say which it was: see `jobs`.
                Err(_) => {}
            }
        }
    }

    /// Lets go what was made for nothing.
    pub(super) fn discard(&self, made: Made) {
        made.providers.into_values().for_each(|one| self.shared.discard(one.instance));
    }

    fn jobs(&self) -> JoinSet<(usize, Result<Piece, CallError>)> {
        let turns = Arc::new(Semaphore::new(LOADS_MAX));
        let mut jobs = JoinSet::new();
        for (place, prepared) in self.wanted_providers(false) {
            let make = make_provider(Arc::clone(&self.shared), place, prepared.clone());
            jobs.spawn(alone(place, make));
        }
        for (place, prepared) in self.wanted_actors() {
            if self.failed.contains_key(&place) {
                continue;
            }
            let load = load(Arc::clone(&self.shared), place, prepared.clone());
            let turns = Arc::clone(&turns);
            jobs.spawn(alone(place, async move {
                let _turn = turns.acquire_owned().await;
                load.await
            }));
        }
        jobs
    }
}

/// Waits until something newer is wanted.
pub(super) async fn newer(superseded: &mut watch::Receiver<bool>) {
    // An error means that the owner is gone, which ends this change too.
    drop(superseded.wait_for(|superseded| *superseded).await);
}

/// A piece of work whose panic is its failure.
async fn alone(
    place: usize,
    work: impl Future<Output = Result<Piece, CallError>> + Send + 'static,
) -> (usize, Result<Piece, CallError>) {
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
) -> Result<Piece, CallError> {
    let (target, succeeds) = shared.look(|actual| {
        let running = actual.providers.get(&prepared.name).map(|running| running.target);
        (running.unwrap_or_else(|| TargetId(actual.next_id())), running.is_some())
    });
    let instance = shared.make(&prepared, target).await?;
    let told = Vec::new();
    let made = MadeProvider { place, target, prepared, instance, succeeds, told };
    Ok(Piece::Provider(Box::new(made)))
}

async fn load(
    shared: Arc<Shared>,
    place: usize,
    prepared: PreparedActor,
) -> Result<Piece, CallError> {
    let (id, target) =
        shared.look(|actual| (ActorId(actual.next_id()), TargetId(actual.next_id())));
    let calls = GuestCalls::new(Arc::clone(&shared.dispatcher), id);
    let module = ModuleSpec {
        name: Arc::clone(&prepared.name),
        bytes: prepared.read().await?,
        digest: *prepared.verified.digest(),
        isolation: prepared.isolation,
        limits: prepared.limits.clone(),
        source: Some(Arc::new(prepared.clone())),
    };
    let engine = shared.engine.load(module, Arc::new(calls)).await?;
    Ok(Piece::Actor(Box::new(MadeActor { place, id, target, prepared, engine })))
}
