//! The latest changes of what is wanted, with what came of them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use trellis_control::{ApplyError, ChangedBy, Revision, RevisionOutcome, Step, for_everybody};
use trellis_limits::fixed::HISTORY;

use super::in_force::InForce;
use super::overlay::Overlay;
use super::subject::Subject;

/// Most steps of one change that are listed.
const STEPS_MAX: usize = 20;

/// A change of what is wanted.
pub(crate) struct Change<'a> {
    pub(crate) by: ChangedBy,
    /// Who asked for it.
    pub(crate) who: Option<String>,
    /// The steps to it from what was wanted.
    pub(crate) steps: &'a [Step],
    /// When it is made, in seconds since 1970.
    pub(crate) at_unix_s: u64,
}

/// The latest changes of what is wanted, the oldest first; and earlier ones of which somebody waits
/// to hear what becomes of them.
#[derive(Default)]
pub(super) struct History(VecDeque<Record>);

/// A change, with what it left in force.
pub(super) struct Record {
    pub(super) told: Revision,
    /// The edits that were in force by it; `None` of one that is not among the latest any more.
    pub(super) overlay: Option<Overlay>,
    /// It could not be had, and is to be taken back.
    pub(super) is_given_up: bool,
    /// What the steps are about.
    subjects: BTreeSet<String>,
    /// The outcome that was told last.
    heard: Option<RevisionOutcome>,
    /// The revision at which nothing else came of it any more.
    ended: Option<u64>,
}

impl Record {
    /// A change that is under way: the one that makes this revision, and what an edit is about.
    pub(super) fn of(revision: u64, change: Change<'_>, subject: Option<&Subject>) -> Self {
        let steps = change.steps;
        let told = Revision {
            revision,
            at_unix_s: change.at_unix_s,
            by: change.by,
            who: change.who,
            subject: subject.map(ToString::to_string),
            version: None,
            what: steps.iter().take(STEPS_MAX).map(ToString::to_string).collect(),
            more: steps.len().saturating_sub(STEPS_MAX),
            outcome: RevisionOutcome::Applying,
            seen: None,
            why: None,
        };
        let subjects = steps.iter().map(Step::subject).collect();
        let (overlay, heard, ended, is_given_up) = (None, None, None, false);
        Self { told, overlay, is_given_up, subjects, heard, ended }
    }

    /// It is about an edit; where nothing runs, no step says which.
    pub(super) fn is_to_be(&mut self, subject: &Subject, edit: Option<&InForce>) {
        self.told.version = edit.map(|edit| edit.version.told());
        if self.told.what.is_empty() {
            let what = edit.map_or("as the manifest says", |edit| edit.version.what.as_str());
            self.told.what.push(for_everybody(&format!("{subject} is to be {what}")));
        }
    }

    /// It is about this as well.
    pub(super) fn is_about(&mut self, subject: String) {
        self.subjects.insert(subject);
    }

    /// True when there was anything to do.
    pub(super) fn has_steps(&self) -> bool {
        !self.subjects.is_empty()
    }

    /// The first of its steps that failed.
    pub(super) fn fault(&self, failing: &BTreeMap<&str, &ApplyError>) -> Option<String> {
        let fault = self.subjects.iter().find_map(|what| failing.get(&**what));
        fault.map(ToString::to_string)
    }

    /// What came of it, and why.
    pub(super) fn ends(&mut self, outcome: RevisionOutcome, why: Option<&str>) {
        self.told.outcome = outcome;
        self.told.why = why.map(for_everybody);
    }
}

impl History {
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Record> {
        self.0.iter()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Record> {
        self.0.iter_mut()
    }

    pub(super) fn find(&mut self, revision: u64) -> Option<&mut Record> {
        self.0.iter_mut().find(|record| record.told.revision == revision)
    }

    /// The revision of the oldest of the latest changes.
    pub(super) fn oldest(&self) -> u64 {
        let oldest = self.0.iter().find(|record| record.overlay.is_some());
        oldest.map_or(0, |record| record.told.revision)
    }

    /// What could not be had at first is there by now, unless it `fails`; where something newer is
    /// wanted, nobody knows.
    pub(super) fn recovers(&mut self, fails: impl Fn(&str) -> bool) {
        let mut newer = BTreeSet::new();
        for record in self.0.iter_mut().rev() {
            let is_last = record.subjects.is_disjoint(&newer);
            let is_had = is_last && !record.subjects.iter().any(|what| fails(what));
            if record.told.outcome == RevisionOutcome::Failed && is_had {
                record.ends(RevisionOutcome::Applied, None);
            }
            newer.extend(record.subjects.iter().chain(&record.told.subject).cloned());
        }
    }

    /// The changes that are new since this was asked, or came to something else.
    pub(super) fn news(&mut self) -> Vec<Revision> {
        let mut news = Vec::new();
        for Record { told, heard, .. } in &mut self.0 {
            if heard.replace(told.outcome) != Some(told.outcome) {
                news.push(told.clone());
            }
        }
        news
    }

    /// One more. The oldest is forgotten when there are too many, but for what is under way: that
    /// stays until it ended, and for as many changes after that, so that whoever waits hears of it.
    pub(super) fn push(&mut self, record: Record, is_under_way: impl Fn(&Record) -> bool) {
        let now = record.told.revision;
        for known in self.0.iter_mut().filter(|known| known.told.outcome.is_final()) {
            known.ended.get_or_insert(now.saturating_sub(1));
        }
        self.0.push_back(record);
        let most = usize::try_from(HISTORY.default).unwrap_or(usize::MAX);
        let earlier = self.0.len().saturating_sub(most);
        let stays = |record: &Record| {
            let is_new = |ended: u64| ended.saturating_add(HISTORY.default) > now;
            is_under_way(record) || record.ended.is_some_and(is_new)
        };
        let stay: Vec<_> = self.0.drain(..earlier).filter(stays).collect();
        for record in stay.into_iter().rev() {
            self.0.push_front(Record { overlay: None, ..record });
        }
    }
}
