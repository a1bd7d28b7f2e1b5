//! The way back: rollbacks, and what the host takes back. What they go back to is in memory,
//! so they wait for nothing that takes long.

use trellis_claims::{Clock, SystemClock};
use trellis_control::ChangedBy;

use super::errand::{Errand, GoingBack, TakeBack};
use super::making::load_back;
use super::{Beside, Life};
use crate::edits::{Change, InForce, Judged, TakenBack, Verdict};
use crate::failure::Failure;
use crate::loading::{Loading, Progress};
use crate::manifest::Loaded;

impl Life {
    /// A watch ended.
    pub(super) fn judged(&mut self, (revision, judged): (u64, Judged)) {
        let Judged { verdict, seen } = judged;
        self.edits.look(|book| book.saw(revision, seen));
        match verdict {
            Verdict::Good => {
                self.edits.look(|book| book.stays(revision));
                // It is remembered as it is from now on.
                self.look();
            }
            Verdict::Bad(why) => {
                let back = TakeBack { revision, what: TakenBack::DidWorse, why };
                self.waiting.back.push_front(Errand::TakeBack(back));
            }
        }
    }

    /// True when one more rollback may begin.
    pub(super) fn may_go_back(&self, going: &GoingBack) -> bool {
        going.loading.is_none() && self.waiting.back.is_empty()
    }

    /// Begins with what waits to go back, first with what the host takes back itself. What `turned`
    /// since it was begun makes it begin anew.
    pub(super) fn go_back(&mut self, going: &mut GoingBack, turned: bool) {
        let is_order = matches!(going.errand, Errand::Order(_));
        let gives_way = turned || is_order && self.waiting.takes_back();
        if gives_way && going.loading.take().is_some() {
            self.waiting.back.push_back(std::mem::take(&mut going.errand));
        }
        while going.loading.is_none() {
            let Some(errand) = self.waiting.back.pop_front() else { return };
            let begun = match errand {
                Errand::Order(order) => self.begin(order),
                Errand::TakeBack(back) => self.begin_to_take_back(back),
                Errand::Manifest => None,
            };
            if let Some((errand, loading)) = begun {
                *going = GoingBack { errand, loading: Some(loading) };
            }
        }
    }

    /// Begins to take something back, unless something else is wanted there by now.
    fn begin_to_take_back(&self, back: TakeBack) -> Option<(Errand, Loading)> {
        let (base, parts) = self.base.clone().zip(self.parts.clone())?;
        let (way, overlay) = self.edits.look(|book| {
            Some((book.way_back(back.revision, back.what)?, book.overlay().clone()))
        })?;
        // The manifest has its say where it was rewritten meanwhile.
        let fits = |edit: &InForce| overlay.fits(&way.subject, edit, &base.manifest);
        if way.edit.as_ref().is_some_and(|edit| !fits(edit)) {
            self.edits.look(|book| book.is_not_taken_back(&way.subject));
            return None;
        }
        let host = (self.loader.clone(), self.host.supervisor().clone());
        let work = load_back(host, (base, overlay, parts), way);
        Some((Errand::TakeBack(back), Loading::begin(None, Progress::from_rest(), work)))
    }

    /// Takes in what is gone back to.
    pub(super) fn back_is_loaded(
        &mut self,
        errand: Errand,
        loaded: Result<Loaded, Failure>,
        beside: &mut Beside,
    ) {
        match errand {
            Errand::Order(order) => self.order_is_loaded(order, loaded, beside),
            Errand::TakeBack(back) => self.take_back(&back, loaded, beside),
            Errand::Manifest => {}
        }
    }

    fn take_back(&mut self, back: &TakeBack, loaded: Result<Loaded, Failure>, beside: &mut Beside) {
        let TakeBack { revision, what, why } = back;
        let loaded = match loaded {
            Ok(loaded) => loaded,
            // What is told is what is: it stays what is wanted.
            Err(failure) => {
                let stays = failure.told();
                self.edits.look(|book| book.cannot_take_back(*revision, (why, &stays)));
                return self.look();
            }
        };
        let by = ChangedBy::Automatic;
        let at_unix_s = SystemClock.now_unix_s();
        let change = Change { by, who: None, steps: &loaded.changes, at_unix_s };
        if self.edits.look(|book| book.take_back(*revision, (*what, why), change)).is_some() {
            self.host.metrics().taken_back();
            self.carry_out(loaded, (None, None), beside);
            // What was in the way of it may have been an edit.
            self.waiting.reload |= self.refused;
        }
    }
}
