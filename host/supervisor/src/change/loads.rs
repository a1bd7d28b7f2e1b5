//! Modules on their way into memory. A change that makes way leaves them to the next one: what is
//! wanted all along is not begun again whenever something else changes.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use trellis_control::ComponentKind;
use trellis_core::{CallError, Code};
use trellis_engine::{Actor, HostCalls, ModuleBounds, ModuleSpec};
use trellis_entitlements::{ActorId, TargetId};
use trellis_targets::GuestCalls;
use trellis_targets::replay::{KeepingCalls, Kept, Replayed};

use super::replay;
use crate::lifecycle::Life;
use crate::prepare::PreparedActor;
use crate::shared::Shared;

/// Most modules on their way into memory at once; those that must be compiled are bounded by the
/// engine besides.
const LOADS_MAX: usize = 32;

pub(super) struct MadeActor {
    /// The place of its step.
    pub(super) place: usize,
    pub(super) id: ActorId,
    pub(super) target: TargetId,
    pub(super) prepared: PreparedActor,
    pub(super) engine: Actor,
    pub(super) life: Arc<Life>,
    pub(super) kept: Option<Arc<Kept>>,
    /// How it answers calls of the version before.
    pub(super) replayed: Option<Replayed>,
}

/// Modules on their way, and those that are there. Dropping it ends the former.
pub(crate) struct Loads {
    tasks: JoinSet<Result<Loaded, CallError>>,
    under_way: HashMap<Id, Load>,
    done: Vec<MadeActor>,
    turns: Arc<Semaphore>,
}

/// One module on its way.
struct Load {
    place: usize,
    prepared: PreparedActor,
    _task: Task,
}

/// What brings it there; ends when this is dropped.
struct Task(AbortHandle);

/// What a task gives.
struct Loaded {
    id: ActorId,
    target: TargetId,
    engine: Actor,
    life: Arc<Life>,
    kept: Option<Arc<Kept>>,
    replayed: Option<Replayed>,
}

impl Default for Loads {
    fn default() -> Self {
        let (tasks, under_way) = (JoinSet::new(), HashMap::new());
        let turns = Arc::new(Semaphore::new(LOADS_MAX));
        Self { tasks, under_way, done: Vec::new(), turns }
    }
}

impl Loads {
    /// From now on these are wanted, each by the step at a place, and no others. What is on its way
    /// or there goes on.
    pub(super) fn want(&mut self, shared: &Arc<Shared>, wanted: Vec<(usize, PreparedActor)>) {
        let named = |(id, load): (Id, Load)| (Arc::clone(&load.prepared.name), (id, load));
        let mut under_way: HashMap<_, _> = self.under_way.drain().map(named).collect();
        let named = |made: MadeActor| (Arc::clone(&made.prepared.name), made);
        let mut done: HashMap<_, _> = self.done.drain(..).map(named).collect();
        for (place, prepared) in wanted {
            let name = &prepared.name;
            if let Some(made) = done.remove(name).filter(|it| is_same(&it.prepared, &prepared)) {
                self.done.push(MadeActor { place, prepared, ..made });
                continue;
            }
            let known = under_way.remove(name);
            match known.filter(|(_, load)| is_same(&load.prepared, &prepared)) {
                Some((id, mut load)) => {
                    (load.place, load.prepared) = (place, prepared);
                    self.under_way.insert(id, load);
                }
                None => self.begin(shared, place, prepared),
            }
        }
    }

    fn begin(&mut self, shared: &Arc<Shared>, place: usize, prepared: PreparedActor) {
        // Here, where the order is the manifest's: of two that claim one name the first has it.
        let ids = shared.look(|actual| (actual.next_id(), actual.next_id()));
        let ids = (ActorId(ids.0), TargetId(ids.1));
        let load = load(Arc::clone(shared), ids, prepared.clone());
        let turns = Arc::clone(&self.turns);
        let task = self.tasks.spawn(async move {
            let _turn = turns.acquire_owned().await;
            load.await
        });
        self.under_way.insert(task.id(), Load { place, prepared, _task: Task(task) });
    }

    /// The next of what is wanted that is there or could not be had; `None` when there is no more.
    /// Nothing is lost when the future is dropped.
    pub(super) async fn next(&mut self) -> Option<(usize, Result<MadeActor, CallError>)> {
        if let Some(made) = self.done.pop() {
            return Some((made.place, Ok(made)));
        }
        while !self.under_way.is_empty() {
            let (id, loaded) = match self.tasks.join_next_with_id().await? {
                Ok(ended) => ended,
                Err(error) => (error.id(), Err(broken(error))),
            };
            // The others are those that were given up.
            if let Some(Load { place, prepared, .. }) = self.under_way.remove(&id) {
                let made = loaded.map(|it| {
                    let Loaded { id, target, engine, life, kept, replayed } = it;
                    MadeActor { place, id, target, prepared, engine, life, kept, replayed }
                });
                return Some((place, made));
            }
        }
        None
    }

    /// True when nothing that is wanted is on its way or there.
    pub(super) fn is_empty(&self) -> bool {
        self.under_way.is_empty() && self.done.is_empty()
    }

    /// Keeps what is there for the next change.
    pub(super) fn keep(&mut self, made: impl IntoIterator<Item = MadeActor>) {
        self.done.extend(made);
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        // Does nothing when it has ended.
        self.0.abort();
    }
}

/// True when what is made of one is what is wanted of the other, which is read again from where the
/// first one was.
fn is_same(known: &PreparedActor, wanted: &PreparedActor) -> bool {
    known.same_as(wanted) && known.module == wanted.module
}

async fn load(
    shared: Arc<Shared>,
    (id, target): (ActorId, TargetId),
    prepared: PreparedActor,
) -> Result<Loaded, CallError> {
    let bytes = prepared.read().await?;
    let replayed = replay::check(&shared, &prepared, &bytes).await?;
    let life = shared.lifecycles.begin(ComponentKind::Actor, &prepared.name);
    let overseer = Arc::clone(&life) as Arc<_>;
    let calls = GuestCalls::new(Arc::clone(&shared.dispatcher), id, overseer);
    let kept = replay::kept(&shared, &prepared);
    let calls: Arc<dyn HostCalls> = match &kept {
        Some(kept) => Arc::new(KeepingCalls::new(calls, Arc::clone(kept))),
        None => Arc::new(calls),
    };
    let module = ModuleSpec {
        name: Arc::clone(&prepared.name),
        bytes,
        digest: *prepared.verified.digest(),
        isolation: prepared.isolation,
        limits: prepared.limits.clone(),
        source: Some(Arc::new(prepared.clone())),
        briefing: None,
    };
    let engine = shared.engine.load(module, calls).await?;
    prepared.code.was_right_under(&ModuleBounds::of(&prepared.limits));
    life.is_made();
    Ok(Loaded { id, target, engine, life, kept, replayed })
}

/// What a helper task ended with, when it did not end as it should.
pub(super) fn broken(_: JoinError) -> CallError {
    CallError::new(Code::Internal, "the host failed on this step; its log says why")
}
