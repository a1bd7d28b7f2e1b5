//! Another version answers the calls that were kept.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use trellis_core::{CallError, Code, ErrorKind, Trace};
use trellis_engine::{Actor, Call};
use trellis_limits::fixed::REPLAY_TIME;

use super::kept::{Kept, KeptCall};
use super::playback::{Asks, Playback};

/// So many failures say enough.
const FAILURES_MAX: usize = 10;

/// How a version answers calls of the version before.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Replayed {
    /// As the version before.
    pub alike: usize,
    /// With another answer, or by asking for something else.
    pub otherwise: usize,
    /// It failed after it had asked for what the version before never did, so that nobody knows.
    pub unknown: usize,
    /// What it asked for there: the first.
    pub asked: Option<String>,
    /// It failed where the version before did not.
    failed: usize,
    /// Its first failure.
    first: Option<String>,
}

/// What became of one call.
enum Answered {
    Alike,
    Otherwise,
    Unknown(String),
    Failed(Code),
}

/// Has an actor, which asks for things of this `playback` alone, answer the latest calls that were
/// kept: `most` of them. Nothing else may call it meanwhile.
///
/// # Errors
/// [`Code::Replay`] when it fails on a call that the version before answered, or does not come to
/// the end within `time`.
pub async fn replay(
    (actor, playback): (&Actor, &Playback),
    (kept, most): (&Kept, usize),
    time: Duration,
) -> Result<Replayed, CallError> {
    let calls = kept.latest(most);
    let until = Instant::now() + time;
    let mut replayed = Replayed::default();
    for (place, call) in calls.iter().enumerate() {
        let left = calls.len() - place;
        if Instant::now() >= until {
            return Err(late((left, calls.len()), time));
        }
        playback.begin(call);
        let answer = actor.call(again(call, until)).await;
        let asks = playback.end();
        if answer.is_err() && Instant::now() >= until {
            return Err(late((left, calls.len()), time));
        }
        replayed.count(call, answered(call, &answer, asks));
        if replayed.failed >= FAILURES_MAX {
            return Err(replayed.failures(place + 1));
        }
    }
    if replayed.failed > 0 {
        return Err(replayed.failures(calls.len()));
    }
    if replayed.unknown > 0 && replayed.unknown == calls.len() {
        return Err(replayed.nothing_known());
    }
    Ok(replayed)
}

/// True for a failure that may come of an answer which nobody knows.
const fn may_be_excused(error: Code) -> bool {
    matches!(error.kind(), ErrorKind::Provider) || matches!(error, Code::Guest)
}

/// The call, to be made once more.
fn again(call: &KeptCall, deadline: Instant) -> Call {
    Call {
        operation: call.operation.clone().into(),
        payload: call.payload.clone(),
        deadline,
        depth: 0,
        trace: Trace::new([fastrand::u64(1..), fastrand::u64(..)], fastrand::u64(1..)),
        caller: 0,
    }
}

fn answered(call: &KeptCall, answer: &Result<Bytes, CallError>, asks: Asks) -> Answered {
    let is_same = match (&call.answer, answer) {
        (Ok(before), Ok(now)) => before == now,
        (Err(before), Err(now)) => before.code() == now.code(),
        (Err(_), Ok(_)) => false,
        (Ok(_), Err(error)) => {
            return match asks.unknown {
                // What it says itself may be about the answer that it did not get. No answer makes
                // a guest trap that is sound.
                Some(asked) if may_be_excused(error.code()) => Answered::Unknown(asked),
                _ => Answered::Failed(error.code()),
            };
        }
    };
    if is_same && asks == Asks::default() { Answered::Alike } else { Answered::Otherwise }
}

impl Replayed {
    /// How many calls it answered.
    #[must_use]
    pub const fn calls(&self) -> usize {
        self.alike + self.otherwise + self.unknown + self.failed
    }

    fn count(&mut self, call: &Arc<KeptCall>, answered: Answered) {
        match answered {
            Answered::Alike => self.alike += 1,
            Answered::Otherwise => self.otherwise += 1,
            Answered::Unknown(asked) => {
                self.unknown += 1;
                self.asked.get_or_insert(asked);
            }
            Answered::Failed(code) => {
                self.failed += 1;
                // The code alone: a guest may say what is in the call, and this is for everybody.
                self.first.get_or_insert_with(|| format!("{} ({code})", call.operation));
            }
        }
    }

    /// It was shown nothing to go by.
    #[cold]
    fn nothing_known(&self) -> CallError {
        let asked = self.asked.as_deref().unwrap_or_default();
        let text = format!(
            "it fails on each of {} calls after it asked for {asked}, which the version before \
             never did, so nobody knows whether it works",
            self.unknown
        );
        CallError::new(Code::Replay, text)
    }

    #[cold]
    fn failures(&self, of: usize) -> CallError {
        let (failed, first) = (self.failed, self.first.as_deref().unwrap_or_default());
        let text = format!(
            "it fails on {failed} of {of} calls that the version before answered; the first is \
             {first}"
        );
        CallError::new(Code::Replay, text)
    }
}

/// Nothing is known of the rest.
#[cold]
fn late((left, of): (usize, usize), time: Duration) -> CallError {
    let (name, ms) = (REPLAY_TIME.name, time.as_millis());
    let text = format!("{left} of {of} calls were not answered within {ms} ms ({name})");
    CallError::new(Code::Replay, text)
}

impl fmt::Display for Replayed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { alike, otherwise, unknown, asked, .. } = self;
        write!(f, "of {} calls that were kept it answers {alike} as before", self.calls())?;
        if *otherwise > 0 {
            write!(f, ", {otherwise} otherwise")?;
        }
        if let Some(asked) = asked {
            write!(f, ", and nobody knows of {unknown}, where it also asks for {asked}")?;
        }
        Ok(())
    }
}
