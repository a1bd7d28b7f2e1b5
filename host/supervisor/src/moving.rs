//! Copies what one provider keeps to another one, over their bindings: page by page, counted and
//! compared. Whoever asks for it holds the writers back.

pub(crate) mod keyspaces;
pub(crate) mod pages;
mod replacing;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};
use trellis_control::DataTerms;
use trellis_core::{CallError, Code};
use trellis_limits::fixed::{DATA_MOVE_BYTES, DATA_MOVE_TIME};
use trellis_providers_sdk::data::{
    CompareData, CompareDataRequest, DescribeData, EraseData, EraseDataRequest, ImportData,
    ImportDataRequest, Piece,
};

use self::keyspaces::{Other, Pair, Space, distinct};
use self::pages::{Keeper, Pages, ask, holds};
use crate::superseded::newer;

/// How much longer a store may take to give up what it was given, once something newer is wanted.
const TAKE_AWAY_PATIENCE: Duration = Duration::from_secs(3);
/// What two clocks may differ by and still be the same: what it takes to read them.
const CLOCKS_AGREE_MS: u64 = 50;

/// How much may be moved, and until when.
#[derive(Clone, Debug)]
pub(crate) struct Bounds {
    pub(crate) bytes_max: u64,
    pub(crate) until: Instant,
    /// True once something newer is wanted.
    pub(crate) superseded: watch::Receiver<bool>,
}

/// What is to be moved.
pub(crate) struct Load<T> {
    /// Of these bindings.
    pub(crate) spaces: Vec<Space>,
    /// Whose keys are not to be touched for that.
    pub(crate) others: Vec<Other<T>>,
    pub(crate) terms: DataTerms,
}

/// What was moved.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Amount {
    pub(crate) keys: u64,
    pub(crate) bytes: u64,
    /// How many keys the source has besides, as far as it is known: they are of no binding that is
    /// in force.
    pub(crate) others: u64,
    /// How many keys that only the target had were thrown away.
    pub(crate) gone: u64,
}

/// From where to where.
pub(crate) struct Way<F, T> {
    from: F,
    to: T,
    /// Where something may have been put already.
    begun: Mutex<Vec<Pair>>,
    /// How many keys the source has in all, as far as it says.
    total: AtomicU64,
    /// How many keys the target took so far.
    given: AtomicU64,
    /// How many more it may have taken: those of a page without an answer.
    flying: AtomicU64,
    /// Somebody else writes there.
    is_shared: AtomicBool,
}

impl Bounds {
    /// Those that hold from now on.
    pub(crate) fn begin(superseded: watch::Receiver<bool>) -> Self {
        let time = Duration::from_millis(DATA_MOVE_TIME.default);
        Self { bytes_max: DATA_MOVE_BYTES.default, until: Instant::now() + time, superseded }
    }
}

impl<F: Keeper, T: Keeper> Way<F, T> {
    /// From one to another.
    pub(crate) fn new(from: F, to: T) -> Self {
        let (begun, total, given, flying, is_shared) = Default::default();
        Self { from, to, begun, total, given, flying, is_shared }
    }

    /// Copies the keyspaces of these bindings. Whatever comes of it, the source is as it was. What
    /// the target was given is to be [taken away](Self::take_away) if this fails, is cut, or was
    /// for nothing. What it held before is thrown away last, once all that follows it is there.
    ///
    /// # Errors
    /// Why it was not moved: [`Code::Data`], or what one of the two says.
    pub(crate) async fn copy(&self, load: Load<T>, bounds: &Bounds) -> Result<Amount, CallError> {
        let all = async {
            let mut pairs = self.pairs(load.spaces).await?;
            self.look_there(&mut pairs, load.terms).await?;
            if pairs.iter().any(|pair| pair.held) {
                self.may_replace((&pairs, &load.others), bounds.bytes_max).await?;
            }
            self.begun.lock().clone_from(&pairs);
            let mut amount = self.copy_all(&pairs, bounds.bytes_max).await?;
            self.compare_all(&pairs).await?;
            self.takes_more(&pairs, "would take no more after all keys were copied").await?;
            amount.gone = self.throw_rest_away(&pairs).await?;
            Ok(amount)
        };
        in_time(bounds, all).await
    }

    /// True when the target may hold something of the source.
    pub(crate) fn is_begun(&self) -> bool {
        !self.begun.lock().is_empty()
    }

    /// Each keyspace once, with what it is on both sides.
    async fn pairs(&self, spaces: Vec<Space>) -> Result<Vec<Pair>, CallError> {
        let mut pairs = Vec::new();
        for space in spaces {
            let from = ask::<DescribeData>(&self.from, space.binding, &()).await?;
            let to = ask::<DescribeData>(&self.to, space.binding, &()).await?;
            let mut ahead_ms = 0;
            if to.now_ms.abs_diff(from.now_ms) > CLOCKS_AGREE_MS {
                let again = ask::<DescribeData>(&self.from, space.binding, &()).await?;
                ahead_ms = ahead((from.now_ms, again.now_ms), to.now_ms);
            }
            // Relaxed, as all of them are: one task has this.
            self.total.fetch_max(from.total, Ordering::Relaxed);
            let (removable, held) = (to.removable, false);
            let (from, to) = (from.into(), to.into());
            pairs.push(Pair { space, from, to, ahead_ms, removable, held });
        }
        distinct(pairs)
    }

    /// Notes of which keyspaces the target holds something; refuses that, unless it may go.
    async fn look_there(&self, pairs: &mut [Pair], terms: DataTerms) -> Result<(), CallError> {
        for Pair { space, held, .. } in pairs {
            *held = holds(&self.to, space.binding).await?;
            if *held && terms == DataTerms::Copy {
                let (name, actor) = (self.to.name(), &space.actor);
                let text = format!(
                    "what provider {name} is to be holds keys of {actor} already; with `--data \
                     replace` they are thrown away for those that are copied"
                );
                return Err(CallError::new(Code::Data, text));
            }
        }
        Ok(())
    }

    async fn erase(&self, space: &Space) -> Result<(), CallError> {
        let mut cursor = String::new();
        loop {
            let request = EraseDataRequest { cursor };
            cursor = ask::<EraseData>(&self.to, space.binding, &request).await?.next;
            if cursor.is_empty() {
                return Ok(());
            }
        }
    }

    async fn copy_all(&self, pairs: &[Pair], most: u64) -> Result<Amount, CallError> {
        let mut amount = Amount::default();
        for pair in pairs {
            let mut pages = Pages::of(&self.from, pair.space.binding);
            while let Some(pieces) = pages.next().await? {
                amount.bytes += pieces.iter().map(bytes_of).sum::<u64>();
                if amount.bytes > most {
                    return Err(too_much(most));
                }
                amount.keys += self.give(pair, pieces).await?;
            }
        }
        amount.others = self.total.load(Ordering::Relaxed).saturating_sub(amount.keys);
        Ok(amount)
    }

    /// Puts a page there; gives how many keys it began.
    async fn give(&self, pair: &Pair, pieces: Vec<Piece>) -> Result<u64, CallError> {
        // What is among others is not taken away again, so it need not be told from them.
        let keys = if pair.held { 0 } else { begun(&pieces) };
        self.flying.store(keys, Ordering::Relaxed);
        let request = ImportDataRequest { pieces: pair.by_clock(pieces) };
        let taken = ask::<ImportData>(&self.to, pair.space.binding, &request).await;
        // A page is taken whole or not at all; of one that got lost nothing is known.
        let is_lost = |error: &CallError| matches!(error.code(), Code::Timeout | Code::Provider);
        if !taken.as_ref().is_err_and(is_lost) {
            self.flying.store(0, Ordering::Relaxed);
        }
        let taken = taken?;
        self.given.fetch_add(keys, Ordering::Relaxed);
        Ok(taken.keys)
    }

    /// Reads all of the source once more, and has the target say whether it holds the same.
    async fn compare_all(&self, pairs: &[Pair]) -> Result<(), CallError> {
        for pair in pairs {
            let binding = pair.space.binding;
            let mut pages = Pages::of(&self.from, binding);
            while let Some(pieces) = pages.next().await? {
                let request = CompareDataRequest { pieces: pair.by_clock(pieces) };
                let differing = ask::<CompareData>(&self.to, binding, &request).await?.keys.len();
                if differing > 0 {
                    self.is_shared.store(true, Ordering::Relaxed);
                    // Keys are their owner's, and errors are for everybody.
                    let text = format!(
                        "{differing} keys of {} are not the same there after they were copied; \
                         does somebody else write to one of the two, or does one of them throw \
                         keys away?",
                        pair.space.actor
                    );
                    return Err(CallError::new(Code::Data, text));
                }
            }
        }
        Ok(())
    }

    /// Makes sure that the target takes what is written: it may have become full with the last of
    /// what it was given. Otherwise this is said of it.
    async fn takes_more(&self, pairs: &[Pair], otherwise: &str) -> Result<(), CallError> {
        for Pair { space, .. } in pairs {
            let nothing = ImportDataRequest { pieces: Vec::new() };
            ask::<ImportData>(&self.to, space.binding, &nothing).await.map_err(|error| {
                let (actor, why) = (&space.actor, error.message());
                let text = format!("the store {otherwise}: {why} (asked for {actor})");
                CallError::new(error.code(), text)
            })?;
        }
        Ok(())
    }

    /// True when the target holds more keys than it was given.
    async fn holds_more(&self, pairs: &[Pair]) -> Result<bool, CallError> {
        let mut there = 0;
        for Pair { space, .. } in pairs {
            let mut names = Pages::of_names(&self.to, space.binding);
            while let Some(pieces) = names.next().await? {
                there += begun(&pieces);
            }
        }
        Ok(there > self.given.load(Ordering::Relaxed) + self.flying.load(Ordering::Relaxed))
    }

    /// Takes away what the target was given, but where it held something before, and says so when
    /// that cannot be: a later try would find it there.
    pub(crate) async fn take_away(&self, error: CallError) -> CallError {
        let begun = std::mem::take(&mut *self.begun.lock());
        let (held, begun): (Vec<_>, Vec<_>) = begun.into_iter().partition(|pair| pair.held);
        let until = Instant::now() + std::time::Duration::from_millis(DATA_MOVE_TIME.default);
        let taken = async {
            if self.is_shared.load(Ordering::Relaxed) || self.holds_more(&begun).await? {
                return Ok::<_, CallError>(false);
            }
            for pair in &begun {
                self.erase(&pair.space).await?;
            }
            Ok(true)
        };
        let why = match timeout_at(until, taken).await {
            Ok(Ok(true)) if held.is_empty() => return error,
            Ok(Ok(true)) => {
                "what there is in the other store stays there, what was copied by then among it"
            }
            // Nobody's keys are thrown away that nobody asked for.
            Ok(Ok(false)) => {
                "there is something else there than what was copied, so nothing was taken away again"
            }
            Ok(Err(_)) | Err(_) => "what was copied by then could not be taken away again",
        };
        let text = format!("{}; {why}: the next try needs `--data replace`", error.message());
        CallError::new(error.code(), text)
    }
}

impl Pair {
    /// The same pieces with their times by the clock of the other store.
    fn by_clock(&self, pieces: Vec<Piece>) -> Vec<Piece> {
        pieces.into_iter().map(|piece| piece.by_clock(self.ahead_ms)).collect()
    }
}

/// By how much a clock is ahead of another one that was read before it and after it. What it takes
/// to read them is no difference.
fn ahead((before, after): (u64, u64), there: u64) -> i64 {
    let agree = before.saturating_sub(CLOCKS_AGREE_MS)..=after.saturating_add(CLOCKS_AGREE_MS);
    if agree.contains(&there) {
        return 0;
    }
    let middle = before.saturating_add(after.saturating_sub(before) / 2);
    let by = i64::try_from(there.abs_diff(middle)).unwrap_or(i64::MAX);
    if there < middle { -by } else { by }
}

/// How many keys begin with these.
fn begun(pieces: &[Piece]) -> u64 {
    pieces.iter().filter(|piece| piece.begins()).count() as u64
}

/// What a piece counts: the texts, and a little for each.
fn bytes_of(piece: &Piece) -> u64 {
    let key = if piece.begins() { piece.key.len() } else { 0 };
    (key + piece.values.iter().map(|value| value.len()).sum::<usize>()) as u64
}

/// Waits for what is done aside; something newer that is wanted does not wait for it long, and then
/// this gives nothing.
pub(crate) async fn patiently<T>(
    work: impl Future<Output = T>,
    mut superseded: watch::Receiver<bool>,
) -> Option<T> {
    let late = async {
        newer(&mut superseded).await;
        sleep(TAKE_AWAY_PATIENCE).await;
    };
    tokio::select! {
        done = work => Some(done),
        () = late => None,
    }
}

/// That data stay where they are because something newer is wanted.
pub(crate) fn made_way() -> CallError {
    let text = "something newer is wanted, so the data are not moved before that";
    CallError::new(Code::Stopping, text)
}

fn too_much(most: u64) -> CallError {
    let name = DATA_MOVE_BYTES.name;
    let text = format!(
        "the provider keeps more than {most} bytes, which is too much to move while calls wait \
         ({name}); move it beside the host, or with `trellis kv export` and `import`"
    );
    CallError::new(Code::Data, text)
}

/// What comes of this, unless it takes too long or something newer is wanted.
pub(crate) async fn in_time<T>(
    bounds: &Bounds,
    work: impl Future<Output = Result<T, CallError>>,
) -> Result<T, CallError> {
    let mut superseded = bounds.superseded.clone();
    let work = async {
        tokio::select! {
            done = work => done,
            () = newer(&mut superseded) => {
                Err(made_way())
            }
        }
    };
    timeout_at(bounds.until, work).await.unwrap_or_else(|_| {
        let (most, name) = (DATA_MOVE_TIME.default, DATA_MOVE_TIME.name);
        let text = format!("to move the data took longer than {most} ms, and calls wait ({name})");
        Err(CallError::new(Code::Data, text))
    })
}

#[cfg(test)]
mod tests;
