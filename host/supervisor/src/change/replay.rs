//! Another version of an actor answers the latest calls before it serves.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use trellis_control::Step;
use trellis_core::{CallError, Code};
use trellis_engine::{ModuleSpec, host_caps};
use trellis_limits::ActorLimits;
use trellis_limits::fixed::REPLAY_TIME;
use trellis_targets::replay::{Kept, KeptBounds, Playback, Replayed, replay};

use crate::parked::Last;
use crate::prepare::{Prepared, PreparedActor};
use crate::shared::Shared;

impl Shared {
    /// What the actor of this name has last: the one that runs, or the one that was stopped.
    pub(crate) fn last(&self, name: &str) -> Option<Last> {
        let running = self.look(|actual| actual.actors.get(name).map(Last::of));
        running.or_else(|| self.parked.get(name))
    }

    /// Keeps what the actors have that these steps stop and that stay wanted; and forgets what
    /// nobody wants any more.
    pub(crate) fn park(&self, steps: &[Step], wanted: &Prepared) {
        let stopped = steps.iter().filter_map(|step| match step {
            Step::StopActor { actor } if wanted.stopped.has_actor(actor) => Some(&**actor),
            _ => None,
        });
        let known = self.parked.names();
        let (stopped, gone) = self.look(|actual| {
            let running = stopped.filter_map(|name| actual.actors.get(name));
            let running = running.filter(|running| running.kept.is_some());
            let stopped: Vec<_> =
                running.map(|it| (Arc::clone(&it.prepared.name), Last::of(it))).collect();
            // What runs again goes on with what was kept, and has it.
            let is_gone = |name: &Arc<str>| {
                actual.actors.contains_key(name) || wanted.places.of_actor(name).is_none()
            };
            (stopped, known.into_iter().filter(is_gone).collect::<Vec<_>>())
        });
        self.parked.change(stopped, &gone);
    }
}

/// Whether a version may follow the one that has its name: `None` where it need not show that.
///
/// It does so in an instance of its own, which is gone afterwards: what it remembers of a replay is
/// nothing that happened.
pub(super) async fn check(
    shared: &Shared,
    prepared: &PreparedActor,
    bytes: &Bytes,
) -> Result<Option<Replayed>, CallError> {
    let Some((kept, most)) = asked(shared, prepared, prepared.replays)? else { return Ok(None) };
    let playback = Arc::new(Playback::default());
    let limits = ActorLimits { instances_min: 0, instances_max: 1, ..prepared.limits.clone() };
    let module = ModuleSpec {
        name: format!("{} (replay)", prepared.name).into(),
        bytes: bytes.clone(),
        digest: *prepared.verified.digest(),
        isolation: prepared.isolation,
        limits,
        source: None,
        briefing: None,
    };
    let actor = shared.engine.load(module, Arc::clone(&playback) as Arc<_>).await?;
    let time = Duration::from_millis(REPLAY_TIME.default);
    let replayed = replay((&actor, &playback), (&kept, most), time).await;
    shared.metrics.replayed(replayed.is_ok());
    replayed.map(Some)
}

/// The calls that it has to answer, and how many of them, when so many are asked for; `None` is
/// all.
///
/// # Errors
/// [`Code::Replay`] when some are asked for and none were kept.
pub(crate) fn asked(
    shared: &Shared,
    prepared: &PreparedActor,
    replays: Option<u32>,
) -> Result<Option<(Arc<Kept>, usize)>, CallError> {
    // Its owner goes back to it, forces it, or says so.
    if replays == Some(0) {
        return Ok(None);
    }
    let last = shared.last(&prepared.name);
    let is_same = last.as_ref().is_some_and(|last| last.digest == *prepared.verified.digest());
    let kept = last.and_then(|last| last.kept);
    let kept = kept.filter(|kept| !kept.is_empty() && prepared.limits.replay_calls_max > 0);
    match (kept, replays) {
        _ if is_same => Ok(None),
        (Some(kept), most) => {
            let most = most.and_then(|most| usize::try_from(most).ok());
            Ok(Some((kept, most.unwrap_or(usize::MAX))))
        }
        (None, None) => Ok(None),
        // Who asks for it is not to believe that it was done.
        (None, Some(_)) => {
            let text = "no calls were kept that it could answer: that begins with \
                        `limits: {replay_calls: 100}` of the actor in the manifest";
            Err(CallError::new(Code::Replay, text))
        }
    }
}

/// Where the calls of a version are kept: with those of the version before, also of a stopped one.
pub(super) fn kept(shared: &Shared, prepared: &PreparedActor) -> Option<Arc<Kept>> {
    let bounds = bounds(prepared);
    if bounds.calls == 0 {
        return None;
    }
    let before = shared.last(&prepared.name).and_then(|last| last.kept);
    let metrics = || Arc::clone(shared.engine.metrics());
    Some(before.unwrap_or_else(|| Arc::new(Kept::new(bounds, metrics()))))
}

/// How much of its calls is kept.
pub(super) fn bounds(prepared: &PreparedActor) -> KeptBounds {
    let limits = prepared.limits.capped_by(&host_caps());
    let usize_of = |most: u64| usize::try_from(most).unwrap_or(usize::MAX);
    KeptBounds {
        calls: usize_of(limits.replay_calls_max.into()),
        bytes: usize_of(limits.replay_bytes_max),
    }
}
