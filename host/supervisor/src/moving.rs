//! Copies what one provider keeps to another one, over their bindings: page by page, counted and
//! compared. Whoever asks for it holds the writers back.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};
use trellis_control::DataTerms;
use trellis_core::{BindingId, CallError, Code, OperationSpec};
use trellis_limits::fixed::{DATA_MOVE_BYTES, DATA_MOVE_TIME};
use trellis_providers_sdk::data::{
    CompareData, CompareDataRequest, EraseData, EraseDataRequest, ExportData, ExportDataRequest,
    ImportData, ImportDataRequest, Page, Piece,
};

use crate::border::Instance;
use crate::superseded::newer;

/// About how many bytes go in one page: few enough for a frame of a process, with one element more.
pub(crate) const PAGE_BYTES: u32 = 1 << 20;

/// How much longer a store may take to give up what it was given, once something newer is wanted.
const TAKE_AWAY_PATIENCE: Duration = Duration::from_secs(3);

/// Whoever is asked for what it keeps.
pub(crate) trait Keeper: Sync {
    /// What it is called in errors.
    fn name(&self) -> String;

    /// Carries out one operation over a binding.
    fn ask(
        &self,
        binding: BindingId,
        operation: &'static str,
        payload: Vec<u8>,
    ) -> impl Future<Output = Result<Bytes, CallError>> + Send;
}

/// How much may be moved, and until when.
#[derive(Clone, Debug)]
pub(crate) struct Bounds {
    pub(crate) bytes_max: u64,
    pub(crate) until: Instant,
    /// True once something newer is wanted.
    pub(crate) superseded: watch::Receiver<bool>,
}

/// That nothing was moved.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) error: CallError,
    /// Where something may have been put already.
    begun: Vec<Space>,
}

/// What was moved.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Amount {
    pub(crate) keys: u64,
    pub(crate) bytes: u64,
}

/// A keyspace, by the binding over which it is asked for, and whose that is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Space {
    pub(crate) binding: BindingId,
    pub(crate) actor: String,
}

/// From where to where.
pub(crate) struct Way<'a, F, T> {
    pub(crate) from: &'a F,
    pub(crate) to: &'a T,
    /// How many keys were given to the target so far.
    given: AtomicU64,
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

/// Asks for one operation.
pub(crate) async fn ask<O: OperationSpec>(
    keeper: &impl Keeper,
    binding: BindingId,
    request: &O::Input,
) -> Result<O::Output, CallError> {
    let reply = keeper.ask(binding, O::NAME, O::encode_input(request)).await?;
    O::decode_output(&reply)
}

impl<'a, F: Keeper, T: Keeper> Way<'a, F, T> {
    /// From one to another.
    pub(crate) fn new(from: &'a F, to: &'a T) -> Self {
        Self { from, to, given: AtomicU64::new(0), is_shared: AtomicBool::new(false) }
    }

    /// Copies the keyspaces of these bindings. Whatever comes of it, the source is as it was.
    ///
    /// # Errors
    /// Why it was not moved: [`Code::Data`], or what one of the two says. What the target was given
    /// by then is to be [taken away](Self::take_away).
    pub(crate) async fn copy(
        &self,
        spaces: Vec<Space>,
        terms: DataTerms,
        bounds: &Bounds,
    ) -> Result<Amount, Failed> {
        let begun = in_time(bounds, async {
            let spaces = self.distinct(spaces).await?;
            self.make_empty(&spaces, terms).await?;
            Ok(spaces)
        });
        let spaces = begun.await.map_err(|error| Failed { error, begun: Vec::new() })?;
        let copied = in_time(bounds, async {
            let amount = self.copy_all(&spaces, bounds.bytes_max).await?;
            self.compare_all(&spaces).await?;
            Ok(amount)
        });
        let copied = copied.await;
        copied.map_err(|error| Failed { error, begun: spaces })
    }

    /// Each keyspace once. No two of the source may be one of the target, nor one be two: actors
    /// would see other keys than before.
    async fn distinct(&self, spaces: Vec<Space>) -> Result<Vec<Space>, CallError> {
        let (mut there, mut seen) = (BTreeMap::new(), BTreeMap::new());
        let mut distinct = Vec::new();
        for space in spaces {
            let from = peek(self.from, space.binding, None).await?.store;
            let to = peek(self.to, space.binding, None).await?.store;
            if from == to {
                let text = format!(
                    "both are the same store for {}; nothing needs to be copied",
                    space.actor
                );
                return Err(CallError::new(Code::Data, text));
            }
            let other = there.insert(to.clone(), from.clone());
            let known = seen.insert(from.clone(), to.clone());
            if other.is_some_and(|other| other != from)
                || known.as_ref().is_some_and(|it| *it != to)
            {
                let text = format!(
                    "the keys of {} would be another actor's too, or no longer: SHARED or \
                     NAMESPACE mean something else there; give both the same",
                    space.actor
                );
                return Err(CallError::new(Code::Data, text));
            }
            if known.is_none() {
                distinct.push(space);
            }
        }
        Ok(distinct)
    }

    /// Makes sure that the target holds nothing, or sees to it.
    async fn make_empty(&self, spaces: &[Space], terms: DataTerms) -> Result<(), CallError> {
        for space in spaces {
            if !holds(self.to, space.binding).await? {
                continue;
            }
            if terms == DataTerms::Copy {
                let (name, actor) = (self.to.name(), &space.actor);
                let text = format!(
                    "what provider {name} is to be holds keys of {actor} already; with `--data \
                     replace` they are thrown away for those that are copied"
                );
                return Err(CallError::new(Code::Data, text));
            }
            self.erase(space).await?;
        }
        Ok(())
    }

    async fn erase(&self, space: &Space) -> Result<(), CallError> {
        let mut cursor = String::new();
        loop {
            let request = EraseDataRequest { cursor };
            cursor = ask::<EraseData>(self.to, space.binding, &request).await?.next;
            if cursor.is_empty() {
                return Ok(());
            }
        }
    }

    async fn copy_all(&self, spaces: &[Space], most: u64) -> Result<Amount, CallError> {
        let mut amount = Amount::default();
        for space in spaces {
            let mut next = Some(String::new());
            while let Some(cursor) = next.take() {
                let page = page(self.from, space.binding, cursor).await?;
                next = Some(page.next).filter(|next| !next.is_empty());
                if page.pieces.is_empty() {
                    continue;
                }
                amount.bytes += page.pieces.iter().map(bytes_of).sum::<u64>();
                if amount.bytes > most {
                    return Err(too_much(most));
                }
                let keys = page.pieces.iter().filter(|piece| piece.begins()).count();
                let request = ImportDataRequest { pieces: page.pieces };
                amount.keys += ask::<ImportData>(self.to, space.binding, &request).await?.keys;
                // Relaxed, all of them: one task has this.
                self.given.fetch_add(keys as u64, Ordering::Relaxed);
            }
        }
        Ok(amount)
    }

    /// Reads all of the source once more, and has the target say whether it holds the same.
    async fn compare_all(&self, spaces: &[Space]) -> Result<(), CallError> {
        for space in spaces {
            let mut next = Some(String::new());
            while let Some(cursor) = next.take() {
                let page = page(self.from, space.binding, cursor).await?;
                next = Some(page.next).filter(|next| !next.is_empty());
                if page.pieces.is_empty() {
                    continue;
                }
                let request = CompareDataRequest { pieces: page.pieces };
                let differing = ask::<CompareData>(self.to, space.binding, &request).await?;
                if !differing.keys.is_empty() {
                    self.is_shared.store(true, Ordering::Relaxed);
                    // Keys are their owner's, and errors are for everybody.
                    let text = format!(
                        "{} keys of {} are not the same there after they were copied; does \
                         somebody else write to one of the two?",
                        differing.keys.len(),
                        space.actor
                    );
                    return Err(CallError::new(Code::Data, text));
                }
            }
        }
        Ok(())
    }

    /// True when the target holds more keys than it was given.
    async fn holds_more(&self, spaces: &[Space]) -> Result<bool, CallError> {
        let given = self.given.load(Ordering::Relaxed);
        let mut there = 0;
        for space in spaces {
            let mut next = Some(String::new());
            while let Some(cursor) = next.take() {
                let (keys, names_only, bytes_max) = (Vec::new(), true, PAGE_BYTES);
                let request = ExportDataRequest { cursor, keys, names_only, bytes_max };
                let page = ask::<ExportData>(self.to, space.binding, &request).await?;
                there += page.pieces.iter().filter(|piece| piece.begins()).count() as u64;
                next = Some(page.next).filter(|next| !next.is_empty());
            }
        }
        Ok(there > given)
    }

    /// Takes away what the target was given, and says so when that cannot be: a later try would
    /// find it there. Something newer that is wanted waits for that, but not for long.
    pub(crate) async fn take_away(
        &self,
        Failed { error, begun }: Failed,
        mut superseded: watch::Receiver<bool>,
    ) -> CallError {
        let until = Instant::now() + Duration::from_millis(DATA_MOVE_TIME.default);
        let taken = async {
            if self.is_shared.load(Ordering::Relaxed) || self.holds_more(&begun).await? {
                return Ok::<_, CallError>(false);
            }
            for space in &begun {
                self.erase(space).await?;
            }
            Ok(true)
        };
        let late = async {
            newer(&mut superseded).await;
            sleep(TAKE_AWAY_PATIENCE).await;
        };
        let taken = async {
            tokio::select! {
                taken = taken => Some(taken),
                () = late => None,
            }
        };
        match timeout_at(until, taken).await.ok().flatten() {
            Some(Ok(true)) => return error,
            // Nobody's keys are thrown away that nobody asked for.
            Some(Ok(false)) => {
                let text = format!(
                    "{}; there is something else there than what was copied, so nothing was taken \
                     away again: the next try needs `--data replace`",
                    error.message()
                );
                return CallError::new(error.code(), text);
            }
            Some(Err(_)) | None => {}
        }
        let text = format!(
            "{}; what was copied by then could not be taken away again: the next try needs `--data \
             replace`",
            error.message()
        );
        CallError::new(error.code(), text)
    }
}

/// Whether a store holds any key of a binding.
async fn holds(keeper: &impl Keeper, binding: BindingId) -> Result<bool, CallError> {
    let mut cursor = None;
    loop {
        let page = peek(keeper, binding, cursor).await?;
        if !page.pieces.is_empty() || page.next.is_empty() {
            return Ok(!page.pieces.is_empty());
        }
        cursor = Some(page.next);
    }
}

/// A look at whether there is something.
async fn peek(
    keeper: &impl Keeper,
    binding: BindingId,
    cursor: Option<String>,
) -> Result<Page, CallError> {
    let cursor = cursor.unwrap_or_default();
    let request = ExportDataRequest { cursor, keys: Vec::new(), names_only: true, bytes_max: 1 };
    ask::<ExportData>(keeper, binding, &request).await
}

async fn page(keeper: &impl Keeper, binding: BindingId, cursor: String) -> Result<Page, CallError> {
    let (keys, names_only, bytes_max) = (Vec::new(), false, PAGE_BYTES);
    let request = ExportDataRequest { cursor, keys, names_only, bytes_max };
    ask::<ExportData>(keeper, binding, &request).await
}

/// What a piece counts: the texts, and a little for each.
fn bytes_of(piece: &Piece) -> u64 {
    let key = if piece.begins() { piece.key.len() } else { 0 };
    (key + piece.values.iter().map(String::len).sum::<usize>()) as u64
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

async fn in_time<T>(
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

impl Keeper for Instance {
    fn name(&self) -> String {
        Instance::name(self).to_string()
    }

    async fn ask(
        &self,
        binding: BindingId,
        operation: &'static str,
        payload: Vec<u8>,
    ) -> Result<Bytes, CallError> {
        self.data((binding, operation), payload.into()).await
    }
}

#[cfg(test)]
mod tests;
