//! What every instance of an actor is told before it serves a call.
//!
//! A guest that serves others has to know whom. Instances come and go, and what they have to know
//! changes while they live: so each is told what it missed before its next call, and a new one all
//! of it. What that is and means is for whoever loads the module to say.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;
use trellis_core::CallError;

/// What an instance was told last about each topic.
pub type Known = BTreeMap<u64, Notice>;

/// One call by which an instance learns something.
#[derive(Clone, Debug)]
pub struct Notice {
    /// What it is about. The guest's host calls meanwhile carry it as their
    /// [`caller`](crate::HostCall::caller).
    pub topic: u64,
    /// Which word on it this is. `None` for the last: the instance need not know of the topic any
    /// more.
    pub edition: Option<u64>,
    /// The operation.
    pub operation: Cow<'static, str>,
    /// The request, encoded.
    pub payload: Bytes,
}

/// When an instance is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Occasion {
    /// A call waits for it.
    BeforeCall,
    /// Nobody does but who asked for it ([`Actor::brief`](crate::Actor::brief)).
    Aside,
}

/// What all instances of an actor have to know.
pub trait Briefing: Send + Sync + 'static {
    /// Changes whenever there is something new. An instance that was briefed under this edition is
    /// called without another look.
    fn edition(&self) -> u64;

    /// What an instance that knows this much is to be told next; `None` when it knows all that it
    /// is to be told then. What it was told and does not know is not given again on one occasion.
    fn next(&self, known: &Known, occasion: Occasion) -> Option<Notice>;

    /// An instance was told. [`trellis_core::Code::Guest`] is its own answer; after an error of any
    /// other code it is gone, and [`trellis_core::Code::Timeout`] says nothing of what it would
    /// have answered. True when it knows that now, which a farewell leaves no choice about.
    fn told(&self, notice: &Notice, answer: Result<(), CallError>) -> bool;
}

/// How far an instance was briefed.
#[derive(Default)]
pub(crate) struct Briefed {
    edition: u64,
    known: Known,
}

impl Briefed {
    /// True when there may be something that it does not know.
    #[inline]
    pub(crate) fn is_behind(&self, briefing: &dyn Briefing) -> bool {
        self.edition != briefing.edition()
    }

    /// What it is to be told next. `None` when it knows all that there was in `edition`.
    pub(crate) fn next(
        &mut self,
        (briefing, edition): (&dyn Briefing, u64),
        occasion: Occasion,
    ) -> Option<Notice> {
        let next = briefing.next(&self.known, occasion);
        if next.is_none() {
            self.edition = edition;
        }
        next
    }

    /// It was told, and knows it now.
    pub(crate) fn heard(&mut self, notice: Notice) {
        match notice.edition {
            Some(_) => drop(self.known.insert(notice.topic, notice)),
            None => drop(self.known.remove(&notice.topic)),
        }
    }
}
