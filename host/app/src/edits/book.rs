//! What is in force other than the manifest says, and how it came to that.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use trellis_control::{
    ApplyError, ChangedBy, EditEntry, Edits, Revision, RevisionOutcome, Step, for_everybody,
};
use trellis_core::{CallError, Code};
use trellis_dispatch::Tally;
use trellis_limits::fixed::HISTORY;

use super::overlay::{InForce, Overlay};
use super::subject::Subject;
use super::version::Version;
use super::watch::Terms;

/// Most steps of one change that are listed.
const STEPS_MAX: usize = 20;

/// The edits in force, and the latest changes of what is wanted.
#[derive(Default)]
pub(crate) struct Book {
    /// Of what is wanted: it grows with every change of that.
    revision: u64,
    overlay: Overlay,
    /// What may be older than what runs, because its owner went back to it, until it runs; with the
    /// revision by which that was.
    older: BTreeMap<Subject, u64>,
    /// Edits that were taken back, by the last of each, until something else is wanted there.
    taken_back: BTreeMap<Subject, String>,
    history: VecDeque<Record>,
}

/// A change of what is wanted.
pub(crate) struct Change<'a> {
    pub(crate) by: ChangedBy,
    /// The steps to it from what was wanted.
    pub(crate) steps: &'a [Step],
    /// When it is made, in seconds since 1970.
    pub(crate) at_unix_s: u64,
}

/// Why an edit is taken back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum TakenBack {
    /// It could not be had: what it was to replace goes on.
    NotHad,
    /// It did worse: the last before it that stood its watch runs again.
    DidWorse,
}

/// A change, with what it left in force.
struct Record {
    told: Revision,
    /// What the steps are about.
    subjects: BTreeSet<String>,
    /// The edits that were in force by it.
    overlay: Overlay,
    /// The outcome that was told last.
    heard: Option<RevisionOutcome>,
}

/// An edit whose steps were tried.
pub(crate) struct Settled {
    pub(crate) revision: u64,
    pub(crate) subject: Subject,
    /// Why it could not be had.
    pub(crate) failed: Option<String>,
    /// It is watched from now on.
    pub(crate) watched: Option<(Terms, Tally)>,
}

impl Book {
    /// The revision of what is wanted now.
    pub(crate) const fn revision(&self) -> u64 {
        self.revision
    }

    /// The edits in force.
    pub(crate) const fn overlay(&self) -> &Overlay {
        &self.overlay
    }

    /// What may be older than what runs.
    pub(crate) fn older(&self) -> impl Iterator<Item = &Subject> {
        self.older.keys()
    }

    /// Whether an edit that was made for a revision still finds that.
    ///
    /// # Errors
    /// [`Code::Conflict`], with what changed since.
    pub(crate) fn check_made_for(&self, revision: Option<u64>) -> Result<(), CallError> {
        let Some(made_for) = revision.filter(|made_for| *made_for != self.revision) else {
            return Ok(());
        };
        let since = self.history.iter().filter(|record| record.told.revision > made_for);
        let since: Vec<_> = since.map(|record| record.told.to_string()).collect();
        let now = self.revision;
        let text = format!(
            "what is wanted is at revision {now}, and this was made for {made_for}; since then: {}",
            if since.is_empty() { "nothing is known".to_owned() } else { since.join("; ") }
        );
        Err(CallError::new(Code::Conflict, text))
    }

    /// The manifest wants something else, or ends edits. Gives the revision, if it changes
    /// anything.
    pub(crate) fn by_manifest(&mut self, change: &Change<'_>, ended: &[Subject]) -> Option<u64> {
        if change.steps.is_empty() && ended.is_empty() && self.revision > 0 {
            return None;
        }
        let mut record = self.record(change, None);
        for subject in ended {
            let Some(edit) = self.overlay.get(subject) else { continue };
            let what = format!("the edit of {subject} (revision {}) ended", edit.revision);
            tracing::warn!("{what}: the manifest says something else of it now");
            record.told.what.push(what);
            self.forget(subject);
        }
        let revision = self.keep(record);
        // What the manifest says is meant, and often older than what an edit brought.
        ended.iter().for_each(|subject| self.allow_older(subject));
        Some(revision)
    }

    /// An edit is in force from now on, or none any more. Gives the revision.
    pub(crate) fn put(
        &mut self,
        change: &Change<'_>,
        subject: &Subject,
        edit: Option<InForce>,
    ) -> u64 {
        let record = self.record(change, Some(subject));
        self.forget(subject);
        let revision = self.revision + 1;
        let edit = edit.map(|edit| InForce { revision, ..edit });
        self.overlay = std::mem::take(&mut self.overlay).with(subject.clone(), edit);
        self.keep(record)
    }

    /// True while an edit is under way or watched, and nobody knows yet whether it stays.
    pub(crate) fn is_open(&self, revision: u64) -> bool {
        let record = self.history.iter().find(|record| record.told.revision == revision);
        record.is_some_and(|record| !record.told.outcome.is_final())
    }

    /// The owner goes back to something older, until it runs.
    pub(crate) fn allow_older(&mut self, subject: &Subject) {
        self.older.insert(subject.clone(), self.revision);
    }

    /// What an edit of this gave way to, or what was in force by a revision.
    ///
    /// # Errors
    /// [`Code::NotFound`] when there is nothing to go back from, or that is not known any more.
    pub(crate) fn former(
        &self,
        subject: &Subject,
        to: Option<u64>,
    ) -> Result<Option<Arc<Version>>, CallError> {
        let of = |overlay: &Overlay| overlay.get(subject).map(|it| Arc::clone(&it.version));
        let mut records = self.history.iter().rev();
        let Some(to) = to else {
            let Some(now) = self.overlay.get(subject) else {
                let text = format!("{subject} runs as the manifest says: there is no edit of it");
                return Err(CallError::new(Code::NotFound, text));
            };
            // Not the edit before in time, which may be one that was rolled back itself.
            let is_older = |it: &Arc<Version>| it.origin < now.version.origin;
            let mut states = records.map(|record| of(&record.overlay));
            return Ok(match states.find(|left| left.as_ref().is_none_or(is_older)) {
                Some(left) => left,
                // So long ago that the history has forgotten it.
                None => now.before.clone().filter(is_older),
            });
        };
        let oldest = self.history.front().map_or(0, |record| record.told.revision);
        if to < oldest || to > self.revision {
            let text = format!(
                "revision {to} is not known: the history has {oldest} to {}",
                self.revision
            );
            return Err(CallError::new(Code::NotFound, text));
        }
        let record = records.find(|record| record.told.revision <= to);
        Ok(record.and_then(|record| of(&record.overlay)))
    }

    /// Everything that was wanted by a revision was tried, and this failed. Gives the edits that
    /// were under way.
    pub(crate) fn settle(&mut self, faults: &[ApplyError], by: u64) -> Vec<Settled> {
        let mut settled = Vec::new();
        let failing: BTreeMap<&str, &ApplyError> =
            faults.iter().map(|fault| (&*fault.what, fault)).collect();
        for record in self.history.iter_mut() {
            if record.told.outcome != RevisionOutcome::Applying || record.told.revision > by {
                continue;
            }
            let fault = record.subjects.iter().find_map(|what| failing.get(&**what));
            let failed = fault.map(ToString::to_string);
            let revision = record.told.revision;
            let edits = self.overlay.iter().find(|(_, edit)| edit.revision == revision);
            let watched = edits.and_then(|(_, edit)| edit.watched);
            let watched = watched.filter(|_| failed.is_none() && !record.subjects.is_empty());
            record.told.outcome = match &failed {
                Some(_) => RevisionOutcome::Failed,
                None if watched.is_some() => RevisionOutcome::Watched,
                None => RevisionOutcome::Applied,
            };
            record.told.why = failed.as_deref().map(for_everybody);
            // Where somebody went back to, there is nothing to go back from.
            if let Some((subject, _)) = edits.filter(|_| record.told.by == ChangedBy::Edit) {
                let subject = subject.clone();
                settled.push(Settled { revision, subject, failed, watched });
            }
        }
        let fails = |subject: &Subject| failing.contains_key(&*subject.to_string());
        self.older.retain(|subject, since| *since > by || fails(subject));
        settled
    }

    /// A watch found nothing wrong.
    pub(crate) fn stays(&mut self, revision: u64) {
        if let Some(record) = self.find(revision)
            && record.told.outcome == RevisionOutcome::Watched
        {
            record.told.outcome = RevisionOutcome::Applied;
        }
    }

    /// Takes an edit back, unless something else is in force by now. Gives what it was about.
    pub(crate) fn take_back(
        &mut self,
        revision: u64,
        (taken_back, why): (TakenBack, &str),
        at_unix_s: u64,
    ) -> Option<Subject> {
        let why = &*for_everybody(why);
        let (subject, edit) = self.overlay.iter().find(|(_, edit)| edit.revision == revision)?;
        let (subject, edit) = (subject.clone(), InForce::clone(edit));
        if let Some(record) = self.find(revision) {
            record.told.outcome = RevisionOutcome::TakenBack;
            record.told.why = Some(why.to_owned());
        }
        let change = Change { by: ChangedBy::Automatic, steps: &[], at_unix_s };
        let former = match taken_back {
            TakenBack::NotHad => edit.before.clone(),
            TakenBack::DidWorse => edit.sound.clone(),
        };
        let back = former.map(|version| InForce {
            version,
            before: None,
            sound: None,
            watched: None,
            ..edit
        });
        let new = self.put(&change, &subject, back);
        if let Some(record) = self.find(new) {
            record.told.what.push(format!("took revision {revision} of {subject} back"));
            record.told.why = Some(why.to_owned());
            record.subjects.insert(subject.to_string());
        }
        self.allow_older(&subject);
        let told = format!("revision {revision} of {subject} was taken back: {why}");
        tracing::error!("{told}");
        self.taken_back.insert(subject.clone(), told);
        Some(subject)
    }

    /// The edits in force, for everybody.
    pub(crate) fn entries(&self) -> Edits {
        let entry = |(subject, edit): (&Subject, &Arc<InForce>)| entry(subject, edit);
        Edits { revision: self.revision, edits: self.overlay.iter().map(entry).collect() }
    }

    /// The latest changes, the oldest first.
    pub(crate) fn history(&self) -> Vec<Revision> {
        self.history.iter().map(|record| record.told.clone()).collect()
    }

    /// The changes that are new since this was asked, or came to something else.
    pub(crate) fn news(&mut self) -> Vec<Revision> {
        let mut news = Vec::new();
        for Record { told, heard, .. } in &mut self.history {
            if heard.replace(told.outcome) != Some(told.outcome) {
                news.push(told.clone());
            }
        }
        news
    }

    /// What is worth to know of edits, as sentences.
    pub(crate) fn notes(&self) -> Vec<String> {
        let edited = self.overlay.iter().map(|(subject, edit)| {
            let (what, revision) = (&edit.version.what, edit.revision);
            let note = format!(
                "{subject} is {what} by an edit (revision {revision}); a restart of the host \
                 forgets it"
            );
            for_everybody(&note).to_string()
        });
        edited.chain(self.taken_back.values().cloned()).collect()
    }

    fn record(&self, change: &Change<'_>, subject: Option<&Subject>) -> Record {
        let steps = change.steps;
        let told = Revision {
            revision: self.revision + 1,
            at_unix_s: change.at_unix_s,
            by: change.by,
            subject: subject.map(ToString::to_string),
            what: steps.iter().take(STEPS_MAX).map(ToString::to_string).collect(),
            more: steps.len().saturating_sub(STEPS_MAX),
            outcome: RevisionOutcome::Applying,
            why: None,
        };
        let subjects = steps.iter().map(Step::subject).collect();
        Record { told, subjects, overlay: Overlay::default(), heard: None }
    }

    fn keep(&mut self, record: Record) -> u64 {
        let record = Record { overlay: self.overlay.clone(), ..record };
        self.revision = record.told.revision;
        self.history.push_back(record);
        let most = usize::try_from(HISTORY.default).unwrap_or(usize::MAX);
        while self.history.len() > most {
            self.history.pop_front();
        }
        self.revision
    }

    /// Nothing of an edit is in force any more.
    fn forget(&mut self, subject: &Subject) {
        // What is not in force any more is watched in vain.
        if let Some(revision) = self.overlay.get(subject).map(|edit| edit.revision) {
            self.stays(revision);
        }
        self.overlay = std::mem::take(&mut self.overlay).with(subject.clone(), None);
        self.older.remove(subject);
        self.taken_back.remove(subject);
    }

    fn find(&mut self, revision: u64) -> Option<&mut Record> {
        self.history.iter_mut().find(|record| record.told.revision == revision)
    }
}

fn entry(subject: &Subject, edit: &InForce) -> EditEntry {
    EditEntry {
        kind: subject.kind,
        name: subject.name.clone(),
        revision: edit.revision,
        what: edit.version.what.clone(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use trellis_manifest::{ActorSpec, Isolation, Span, Spanned};

    use super::super::version::{Entry, Replacement};
    use super::*;

    fn steps(actor: &str) -> Vec<Step> {
        vec![Step::StopActor { actor: actor.to_owned() }]
    }

    fn change(by: ChangedBy, steps: &[Step]) -> Change<'_> {
        Change { by, steps, at_unix_s: 7 }
    }

    /// An edit as it is drafted for a book.
    fn edit(book: &Book, what: &str) -> InForce {
        let replacement = Replacement::Actor { name: "a".to_owned(), image: what.to_owned() };
        let (what, keeps) = (what.to_owned(), String::new());
        let before = book.overlay().get(&a()).map(|it| Arc::clone(&it.version));
        let watched = Terms { calls: 1, time: Duration::from_secs(1), errors_percent: 50 };
        InForce {
            version: Arc::new(Version {
                replacement,
                file: None,
                what,
                keeps,
                origin: book.revision() + 1,
            }),
            base: Entry::Actor(ActorSpec {
                image: Spanned::new("a.wasm".to_owned(), Span::default()),
                name: None,
                isolation: Isolation::Reuse,
                limits: trellis_limits::ActorLimits::default(),
                written_limits: Vec::new(),
                values: Vec::new(),
            }),
            file: None,
            sound: before.clone(),
            before,
            revision: 0,
            watched: Some((watched, Tally::default())),
        }
    }

    fn a() -> Subject {
        Subject::actor("a")
    }

    fn started() -> Book {
        let mut book = Book::default();
        assert_eq!(book.by_manifest(&change(ChangedBy::Manifest, &steps("a")), &[]), Some(1));
        assert!(settle(&mut book, &[]).is_empty());
        book
    }

    fn edited(book: &mut Book, what: &str) -> u64 {
        let edit = edit(book, what);
        book.put(&change(ChangedBy::Edit, &steps("a")), &a(), Some(edit))
    }

    fn settle(book: &mut Book, faults: &[ApplyError]) -> Vec<Settled> {
        let by = book.revision();
        book.settle(faults, by)
    }

    fn in_force(book: &Book) -> Option<String> {
        book.overlay().get(&a()).map(|edit| edit.version.what.clone())
    }

    fn outcomes(book: &Book) -> Vec<RevisionOutcome> {
        book.history().iter().map(|it| it.outcome).collect()
    }

    #[test]
    fn the_loser_of_two_learns_what_changed() {
        let mut book = started();
        assert!(book.check_made_for(None).is_ok() && book.check_made_for(Some(1)).is_ok());
        edited(&mut book, "one");
        let lost = book.check_made_for(Some(1)).expect_err("somebody was first");
        assert_eq!(lost.code(), Code::Conflict);
        assert!(lost.message().contains("revision 2"), "{lost}");
        assert!(lost.message().contains("2 by edit: stop actor a"), "{lost}");
    }

    #[test]
    fn a_rollback_goes_on_backwards_and_a_revision_is_found() {
        let mut book = started();
        let (one, two) = (edited(&mut book, "one"), edited(&mut book, "two"));
        let what = |found: Option<Arc<Version>>| found.map(|it| it.what.clone());
        let back = book.former(&a(), None).expect("an edit");
        assert_eq!(what(back.clone()).as_deref(), Some("one"));
        let version = back.expect("it is one");
        let again = InForce { version, ..edit(&book, "") };
        book.put(&change(ChangedBy::Rollback, &steps("a")), &a(), Some(again));
        assert_eq!(book.former(&a(), None).map(what), Ok(None), "then what the manifest says");
        assert_eq!(book.former(&a(), Some(two)).map(what), Ok(Some("two".to_owned())));
        assert_eq!(book.former(&a(), Some(one)).map(what), Ok(Some("one".to_owned())));
        assert_eq!(book.former(&a(), Some(1)).map(what), Ok(None));
        for wrong in [0, 99] {
            let error = book.former(&a(), Some(wrong)).map(what).expect_err("not known");
            assert_eq!(error.code(), Code::NotFound);
        }
        book.put(&change(ChangedBy::Rollback, &[]), &a(), None);
        assert!(book.former(&a(), None).is_err(), "there is no edit");
    }

    #[test]
    fn an_edit_that_is_bad_gives_way_to_what_was_before() {
        let mut book = started();
        edited(&mut book, "one");
        assert_eq!(settle(&mut book, &[]).len(), 1);
        book.stays(2);
        let two = edited(&mut book, "two");
        let settled = settle(&mut book, &[]);
        assert_eq!(settled.iter().map(|it| it.revision).collect::<Vec<_>>(), [two]);
        assert_eq!(outcomes(&book)[1..], [RevisionOutcome::Applied, RevisionOutcome::Watched]);
        assert_eq!(book.take_back(two, (TakenBack::DidWorse, "9 of 10"), 8), Some(a()));
        assert_eq!(in_force(&book).as_deref(), Some("one"));
        assert!(book.older().any(|it| *it == a()), "what runs may be newer");
        assert_eq!(
            book.take_back(two, (TakenBack::NotHad, "again"), 9),
            None,
            "it is not in force any more"
        );
        assert!(book.notes().iter().any(|it| it.contains("was taken back: 9 of 10")));
        assert!(book.settle(&[], two).is_empty());
        assert!(book.older().any(|it| *it == a()), "what ended now was begun before");
        assert!(settle(&mut book, &[]).iter().all(|it| it.failed.is_none()));
        assert_eq!(book.older().count(), 0, "it runs");
        let three = edited(&mut book, "three");
        settle(&mut book, &[]);
        book.by_manifest(&change(ChangedBy::Manifest, &[]), &[a()]);
        assert_eq!(book.find(three).map(|it| it.told.outcome), Some(RevisionOutcome::Applied));
        let last = [RevisionOutcome::TakenBack, RevisionOutcome::Applied];
        assert_eq!(outcomes(&book)[2..4], last);
    }

    #[test]
    fn what_fails_is_told_of_the_edit_that_wanted_it() {
        let mut book = started();
        edited(&mut book, "one");
        let fault = |what: &str| ApplyError {
            what: what.to_owned(),
            code: Code::Trap,
            why: "it trapped".to_owned(),
        };
        let settled = settle(&mut book, &[fault("actor a"), fault("actor b")]);
        assert_eq!(settled[0].failed.as_deref(), Some("actor a: it trapped"));
        edited(&mut book, "two");
        let settled = settle(&mut book, &[fault("actor b")]);
        assert_eq!(settled[0].failed, None, "another one's");
    }

    #[test]
    fn a_manifest_that_ends_an_edit_is_a_change_and_one_that_is_the_same_is_none() {
        let mut book = started();
        edited(&mut book, "one");
        let same = change(ChangedBy::Manifest, &[]);
        assert_eq!(book.by_manifest(&same, &[]), None);
        assert_eq!(book.by_manifest(&same, &[a()]), Some(3));
        assert_eq!(in_force(&book), None);
        let told = book.history().pop().expect("the last one").what;
        assert_eq!(told, ["the edit of actor a (revision 2) ended"]);
    }

    #[test]
    fn the_history_is_bounded() {
        let mut book = started();
        for round in 0..2 * HISTORY.default {
            edited(&mut book, &round.to_string());
        }
        assert_eq!(book.history().len() as u64, HISTORY.default);
        assert_eq!(book.revision(), 2 * HISTORY.default + 1);
        assert!(book.former(&a(), Some(1)).is_err(), "it is forgotten");
    }
}
