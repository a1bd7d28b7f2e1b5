//! Edits on their way: what somebody asks for is loaded as a manifest is, and takes turns with
//! that.

use std::sync::Arc;

use trellis_claims::{Clock, SystemClock};
use trellis_control::{Applied, ChangedBy, ComponentKind, EditRequest, Edited, Step};
use trellis_core::{CallError, Code};
use trellis_supervisor::Allowances;

use super::errand::{Answering, Errand, TakeBack};
use super::foreseeing::Foreseen;
use super::making::Making;
use super::told::{helped, notes, stays_stopped};
use super::{Beside, Life};
use crate::edits::{
    Change, InForce, Next, Order, Subject, TakenBack, Terms, Version, check_data, check_terms,
    draft, fitting_over, untried, untried_so_far, watch,
};
use crate::failure::Failure;
use crate::loading::{Loading, Progress};
use crate::manifest::{Loaded, Made};

/// Said of a rollback over a manifest that was changed since.
const SAID_ANEW: &str = "the manifest says something else by now of what it was bound to then, and \
                         has its say: that is not gone back to";

impl Life {
    /// Begins with an edit that somebody asks for, or says why not.
    pub(super) fn begin(&self, order: Box<Order>) -> Option<(Errand, Loading)> {
        if order.is_abandoned() {
            tracing::info!("an edit that waited is not made: nobody waits for it any more");
            return None;
        }
        match self.making(&order) {
            Ok(making) => {
                let request = &order.request;
                let (another, more) = (request.force, request.allow_more_capabilities);
                let host = (self.loader.clone(), self.host.supervisor().clone());
                let work = making.load(host, Allowances { another, more });
                let work = order.in_time(work);
                let loading = Loading::begin(None, Progress::from_rest(), work);
                Some((Errand::Order(order), loading))
            }
            Err(error) => {
                order.answer(Err(helped(error)));
                None
            }
        }
    }

    /// What an order asks for.
    fn making(&self, order: &Order) -> Result<Making, CallError> {
        // It may have waited for minutes.
        order.asked.by.check_may_change(self.host.identity())?;
        let running = self.base.clone().zip(self.parts.clone()).filter(|_| self.started);
        let Some((base, parts)) = running else {
            return Err(CallError::new(Code::Busy, "the host has not started yet"));
        };
        Terms::of(order.request.watch)?;
        check_terms(&order.request)?;
        self.edits.look(|book| {
            book.check_made_for(order.asked.made_for.as_deref())?;
            let drafted = draft(&order.request.edit, (&base, &parts), book)?;
            check_data(&order.request, &drafted.subject)?;
            let had = match drafted.next {
                Next::Former(to) => book.former(&drafted.subject, to)?,
                Next::New(_) | Next::Plain => None,
            };
            // The manifest has its say where it says something else of a binding since.
            let of = (&drafted.subject, &drafted.base);
            let former = had.as_ref().and_then(|had| fitting_over(had, of, &base.manifest));
            let is_whole = had.as_ref().map(Arc::as_ptr) == former.as_ref().map(Arc::as_ptr);
            let remark = (!is_whole).then(|| SAID_ANEW.to_owned());
            let now = book.overlay().get(&drafted.subject);
            let is_open = now.is_some_and(|now| book.is_open(now.revision));
            let (overlay, origin) = (book.overlay().clone(), book.revision() + 1);
            Ok(Making { drafted, former, remark, is_open, base, overlay, parts, origin })
        })
    }

    /// Takes in what was loaded for an order.
    pub(super) fn order_is_loaded(
        &mut self,
        order: Box<Order>,
        loaded: Result<Loaded, Failure>,
        beside: &mut Beside,
    ) {
        // So may its loading have taken.
        let allowed = order.asked.by.check_may_change(self.host.identity()).map_err(helped);
        let mut loaded = match allowed.and(loaded) {
            Ok(loaded) => loaded,
            Err(failure) => return order.answer(Err(failure)),
        };
        let Some(made) = loaded.edit.take() else { return };
        let request = &order.request;
        let made = self.to_be_watched(request, made);
        let (revision, unchanged) = self.compare(request, &made, &loaded);
        let foreseen = match self.foresee(request, &loaded.prepared, made.of()) {
            Ok(foreseen) => foreseen,
            Err(_) if unchanged => Foreseen::NOTHING,
            Err(error) => return order.answer(Err(Failure::call(made.subject.to_string(), error))),
        };
        let mut notes = self.notes(request, &made, &foreseen);
        if unchanged || request.dry_run {
            let is_stopped = made.edit.as_ref().is_some_and(|it| it.version.besides.stopped);
            let begins = !unchanged && !is_stopped;
            notes.extend(begins.then(|| untried(request, foreseen.tries(made.edit.as_ref()))));
            let applied = Applied { steps: loaded.changes, ..Applied::default() };
            let (dry_run, watched) = (request.dry_run, false);
            let edited = Edited { revision, unchanged, dry_run, watched, applied, notes };
            return order.answer(Ok(edited));
        }
        let revision = self.put(&order, made, &loaded.changes);
        let answering = Answering { order, revision, notes };
        self.carry_out(loaded, (None, Some(answering)), beside);
        // What was in the way of it may have been an edit.
        self.waiting.reload |= self.refused;
    }

    /// The same, with when it is taken back.
    fn to_be_watched(&self, request: &EditRequest, made: Made) -> Made {
        // What brings no version is no reason to judge the one that is watched no more.
        if !made.brings {
            return made;
        }
        let Made { subject, edit, .. } = made;
        let terms = terms(request, &subject);
        let edit = edit.map(|edit| {
            let fared = match edit.watched {
                Some((_, fared)) => fared,
                None => self.host.supervisor().tally(subject.as_pair()).unwrap_or_default(),
            };
            InForce { watched: terms.map(|terms| (terms, fared)), ..edit }
        });
        Made { subject, edit, ..made }
    }

    /// The revision of what is wanted, and whether that is so already.
    fn compare(&self, request: &EditRequest, made: &Made, loaded: &Loaded) -> (u64, bool) {
        self.edits.look(|book| {
            let now = book.overlay().get(&made.subject).map(|it| &*it.version);
            let next = made.edit.as_ref().map(|it| &*it.version);
            let is_same = is_same(request.edit.is_rollback(), now, next);
            (book.revision(), is_same && loaded.changes.is_empty())
        })
    }

    /// What its maker should know.
    fn notes(&self, request: &EditRequest, made: &Made, foreseen: &Foreseen) -> Vec<String> {
        let Made { subject, edit, remarks, .. } = made;
        let mut notes = notes(request, (subject, edit.as_ref()), foreseen.inherits);
        notes.extend(remarks.iter().cloned());
        let stopped = edit.as_ref().filter(|edit| edit.version.besides.stopped);
        let of_start = |edit: &InForce| {
            let tries = untried_so_far(request, foreseen.tries(Some(edit)));
            stays_stopped(&request.edit, subject, edit.untried.then_some(tries))
        };
        notes.extend(stopped.and_then(of_start));
        notes.extend(self.edits.look(|book| book.known_to_fail(subject, edit.as_ref())));
        notes
    }

    /// Has it wanted from now on; gives the revision.
    fn put(&self, order: &Order, made: Made, changes: &[Step]) -> u64 {
        let Made { subject, edit, .. } = made;
        let request = &order.request;
        let is_rollback = request.edit.is_rollback();
        let what = edit.as_ref().map(|edit| edit.version.what.clone());
        let by = if is_rollback { ChangedBy::Rollback } else { ChangedBy::Edit };
        let (who, at_unix_s) = (Some(order.asked.by.name()), SystemClock.now_unix_s());
        let change = Change { by, who, steps: changes, at_unix_s };
        let revision = self.edits.look(|book| {
            let revision = book.put(change, &subject, edit);
            if is_rollback {
                book.goes_back(&subject);
            }
            if request.force {
                book.forces(&subject);
            }
            // Who forces it asks for none, unless a number is given.
            request.replay.iter().for_each(|calls| book.replays(&subject, *calls));
            request.data.iter().for_each(|terms| book.moves(&subject, *terms));
            revision
        });
        let what = what.as_deref().unwrap_or("as the manifest says");
        tracing::info!("revision {revision}: {subject} is to be {what}");
        revision
    }

    /// What was wanted by a revision was tried: what somebody asked for and could not be had is
    /// taken back, and other edits are watched.
    pub(super) fn settle(
        &mut self,
        (revision, answering): (u64, Option<Answering>),
        applied: &Applied,
        beside: &mut Beside,
    ) {
        let settled = self.edits.look(|book| {
            let settled = book.settle(&applied.faults, revision);
            book.remarks(revision, &applied.left_behind);
            settled
        });
        let mut watched = Vec::new();
        for edit in settled {
            let revision = edit.revision;
            if let Some(why) = edit.failed {
                let back = TakeBack { revision, what: TakenBack::NotHad, why };
                self.waiting.back.push_front(Errand::TakeBack(back));
            } else if let Some(terms) = edit.watched {
                watched.push(revision);
                let edits = self.edits.clone();
                let is_open = move || edits.look(|book| book.is_open(revision));
                let watch = watch(self.host.supervisor().clone(), edit.subject, terms, is_open);
                beside.watching.spawn(async move { (revision, watch.await) });
            }
        }
        if let Some(answering) = answering {
            let is_watched = watched.contains(&answering.revision);
            answering.answer(applied.clone(), is_watched);
        }
    }

    /// Something newer is about to be loaded in the place of what was being loaded.
    pub(super) fn give_way(&mut self, was_loading: bool) {
        if let Errand::Order(order) = std::mem::take(&mut self.errand)
            && was_loading
        {
            self.waiting.order = Some(order);
        }
    }

    /// Goes on with what is being loaded, or begins with what waits. What `turned` since it was
    /// begun makes it begin anew.
    pub(super) fn go_on(&mut self, loading: Option<Loading>, turned: bool) -> Option<Loading> {
        if let Some(loading) = loading {
            if !turned || !loading.may_be_dropped() {
                return Some(loading);
            }
            self.waiting.reload |= matches!(self.errand, Errand::Manifest);
            self.give_way(true);
        }
        if std::mem::take(&mut self.waiting.reload) {
            return Some(self.reload(None));
        }
        let order = self.waiting.order.take()?;
        self.take_up(order)
    }

    /// Begins with an edit, where manifests are loaded.
    pub(super) fn take_up(&mut self, order: Box<Order>) -> Option<Loading> {
        let (errand, loading) = self.begin(order)?;
        self.errand = errand;
        Some(loading)
    }
}

/// When an edit is taken back; `None` when it is not watched.
fn terms(request: &EditRequest, subject: &Subject) -> Option<Terms> {
    // Who puts a provider in place although it is not well wants it to stay. And what was written
    // since its data moved would be lost with it.
    let is_meant =
        request.data.is_some() || request.force && subject.kind == ComponentKind::Provider;
    let is_watched = request.edit.is_update() && !is_meant;
    Terms::of(request.watch).ok().flatten().filter(|_| is_watched)
}

/// True when nothing else is wanted than now.
fn is_same(goes_back: bool, now: Option<&Version>, next: Option<&Version>) -> bool {
    match (now, next) {
        (None, None) => true,
        // What is gone back to is the very same.
        (Some(now), Some(next)) if goes_back => std::ptr::eq(now, next),
        _ if goes_back => false,
        (now, next) => is_alike(now, next),
    }
}

/// True when an edit that changes no step leaves all as it is: where nothing runs, no step tells.
fn is_alike(now: Option<&Version>, next: Option<&Version>) -> bool {
    let besides = |it: Option<&Version>| it.map(|it| it.besides.clone()).unwrap_or_default();
    if besides(now) != besides(next) {
        return false;
    }
    let replacement = |it: Option<&Version>| it.map(|it| it.replacement.clone());
    !besides(next).stopped || replacement(now) == replacement(next)
}
