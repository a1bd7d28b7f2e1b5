//! Long operations, piece by piece: between two pieces nothing is locked, other tasks run, and a
//! caller that no longer waits takes the rest of the work with it.
//!
//! An operation still happens at one moment: when anything it reads changes meanwhile, it begins
//! again, each time with larger pieces. What is longer than the largest piece and changes all the
//! time is refused: nobody is held up for it.

use std::collections::BTreeSet;
use std::iter::successors;
use std::ops::Bound;

use trellis_capabilities_keyvalue::Tally;
use trellis_core::CallError;

use super::Memory;
use super::collection::{PIECE, PIECE_MAX, Set};
use super::shard::Value;
use crate::arguments::span;
use crate::namespace::NamespaceId;
use crate::refusal::{self, Kind};

/// Whether an operation has come to its end.
pub(super) enum Flow<T> {
    More,
    Done(T),
}

/// An operation that can be interrupted: it carries how far it has come.
pub(super) trait Piecewise: Send {
    type Outcome: Send;

    /// Goes on by at most `most` elements.
    fn step(
        &mut self,
        values: &[Option<&Value>],
        most: usize,
    ) -> Result<Flow<Self::Outcome>, CallError>;
}

/// The versions of what an operation read.
pub(super) type Stamp = Vec<u64>;

impl Memory {
    /// Carries out an operation on these keys; with the versions it saw.
    ///
    /// # Errors
    /// Its own, and [`Code::Busy`](trellis_core::Code::Busy) when every attempt met a change.
    pub(super) async fn in_pieces<P: Piecewise>(
        &self,
        space: NamespaceId,
        keys: &[String],
        begin: impl Fn() -> P + Send,
    ) -> Result<(P::Outcome, Stamp), CallError> {
        for most in
            successors(Some(PIECE), |most| Some(most * 4)).take_while(|most| *most <= PIECE_MAX)
        {
            let mut operation = begin();
            let mut seen: Option<Stamp> = None;
            loop {
                let flow = self.look_at_all(space, keys, |values| {
                    let now = stamp(values);
                    if *seen.get_or_insert_with(|| now.clone()) != now {
                        return Ok(None);
                    }
                    let flow = operation.step(values, most)?;
                    Ok(Some((flow, now)))
                })?;
                match flow {
                    None => break,
                    Some((Flow::Done(outcome), now)) => return Ok((outcome, now)),
                    Some((Flow::More, _)) => tokio::task::yield_now().await,
                }
            }
        }
        Err(refusal::always_changing())
    }
}

fn stamp(values: &[Option<&Value>]) -> Stamp {
    let version = |value: &Option<&Value>| match value {
        Some(Value::List(list)) => list.version(),
        Some(Value::Set(set)) => set.version(),
        _ => 0,
    };
    values.iter().map(version).collect()
}

/// The members of any of several sets.
pub(super) struct Union<'a> {
    keys: &'a [String],
    tally: Tally,
    /// Which key is read, and from which member on.
    at: usize,
    after: Option<Box<str>>,
    found: BTreeSet<Box<str>>,
}

impl<'a> Union<'a> {
    pub(super) const fn of(keys: &'a [String], tally: Tally) -> Self {
        Self { keys, tally, at: 0, after: None, found: BTreeSet::new() }
    }
}

impl Piecewise for Union<'_> {
    type Outcome = Vec<String>;

    fn step(
        &mut self,
        values: &[Option<&Value>],
        most: usize,
    ) -> Result<Flow<Vec<String>>, CallError> {
        let mut left = most;
        while let Some(value) = values.get(self.at) {
            let set = set_of(&self.keys[self.at], *value)?;
            let after = self.after.take();
            let mut last: Option<&Box<str>> = None;
            for member in set.into_iter().flat_map(|set| members_after(set, after.as_deref())) {
                if left == 0 {
                    self.after = last.cloned().or_else(|| after.clone());
                    return Ok(Flow::More);
                }
                left -= 1;
                self.tally.look_at(1)?;
                if !self.found.contains(member) {
                    self.tally.answer(member)?;
                    self.found.insert(member.clone());
                }
                last = Some(member);
            }
            self.at += 1;
        }
        let found = std::mem::take(&mut self.found);
        Ok(Flow::Done(found.into_iter().map(String::from).collect()))
    }
}

/// The members of all of several sets.
pub(super) struct Intersection<'a> {
    keys: &'a [String],
    tally: Tally,
    after: Option<Box<str>>,
    found: Vec<String>,
}

impl<'a> Intersection<'a> {
    pub(super) const fn of(keys: &'a [String], tally: Tally) -> Self {
        Self { keys, tally, after: None, found: Vec::new() }
    }
}

impl Piecewise for Intersection<'_> {
    type Outcome = Vec<String>;

    fn step(
        &mut self,
        values: &[Option<&Value>],
        most: usize,
    ) -> Result<Flow<Vec<String>>, CallError> {
        let sets = self.keys.iter().zip(values).map(|(key, value)| set_of(key, *value));
        let sets = sets.collect::<Result<Vec<_>, _>>()?;
        let Some(sets) = sets.into_iter().collect::<Option<Vec<&Set>>>() else {
            return Ok(Flow::Done(Vec::new()));
        };
        let Some(smallest) = sets.iter().min_by_key(|set| set.members().len()) else {
            return Ok(Flow::Done(Vec::new()));
        };
        let mut left = (most / sets.len()).max(1);
        let mut last: Option<&Box<str>> = None;
        let after = self.after.take();
        for member in members_after(smallest, after.as_deref()) {
            if left == 0 {
                self.after = last.cloned();
                return Ok(Flow::More);
            }
            left -= 1;
            self.tally.look_at(sets.len())?;
            if sets.iter().all(|set| set.members().contains(member)) {
                self.tally.answer(member)?;
                self.found.push(member.to_string());
            }
            last = Some(member);
        }
        Ok(Flow::Done(std::mem::take(&mut self.found)))
    }
}

/// A part of a list.
pub(super) struct Range<'a> {
    pub(super) key: &'a str,
    pub(super) start: i32,
    pub(super) stop: i32,
    pub(super) tally: Tally,
    pub(super) found: Vec<String>,
}

impl Piecewise for Range<'_> {
    type Outcome = Vec<String>;

    fn step(
        &mut self,
        values: &[Option<&Value>],
        most: usize,
    ) -> Result<Flow<Vec<String>>, CallError> {
        let items = match values.first().copied().flatten() {
            None => return Ok(Flow::Done(Vec::new())),
            Some(Value::List(list)) => list.items(),
            Some(other) => return Err(refusal::wrong_kind(self.key, other.kind(), Kind::List)),
        };
        let wanted = span(self.start, self.stop, items.len());
        let from = wanted.start + self.found.len();
        let until = wanted.end.min(from.saturating_add(most));
        for item in items.range(from..until) {
            self.tally.look_at(1)?;
            self.tally.answer(item)?;
            self.found.push(item.to_string());
        }
        if until < wanted.end {
            return Ok(Flow::More);
        }
        Ok(Flow::Done(std::mem::take(&mut self.found)))
    }
}

/// Where in a list an item stands, and how many items there are.
pub(super) struct Positions<'a> {
    pub(super) key: &'a str,
    pub(super) item: &'a str,
    pub(super) tally: Tally,
    pub(super) at: usize,
    pub(super) found: Vec<usize>,
}

impl Piecewise for Positions<'_> {
    type Outcome = (Vec<usize>, usize);

    fn step(
        &mut self,
        values: &[Option<&Value>],
        most: usize,
    ) -> Result<Flow<Self::Outcome>, CallError> {
        let items = match values.first().copied().flatten() {
            None => return Ok(Flow::Done((Vec::new(), 0))),
            Some(Value::List(list)) => list.items(),
            Some(other) => return Err(refusal::wrong_kind(self.key, other.kind(), Kind::List)),
        };
        let until = items.len().min(self.at.saturating_add(most));
        self.tally.look_at(until - self.at)?;
        let equal =
            items.range(self.at..until).enumerate().filter(|(_, held)| ***held == *self.item);
        self.found.extend(equal.map(|(offset, _)| self.at + offset));
        self.at = until;
        if until < items.len() {
            return Ok(Flow::More);
        }
        Ok(Flow::Done((std::mem::take(&mut self.found), items.len())))
    }
}

/// The set a key holds, if it holds anything.
pub(super) fn set_of<'a>(
    key: &str,
    value: Option<&'a Value>,
) -> Result<Option<&'a Set>, CallError> {
    match value {
        None => Ok(None),
        Some(Value::Set(set)) => Ok(Some(set)),
        Some(other) => Err(refusal::wrong_kind(key, other.kind(), Kind::Set)),
    }
}

fn members_after<'a>(set: &'a Set, after: Option<&str>) -> impl Iterator<Item = &'a Box<str>> {
    let from = after.map_or(Bound::Unbounded, Bound::Excluded);
    set.members().range::<str, _>((from, Bound::Unbounded))
}
