//! What is in force other than the manifest says, and how it came to that.

mod back;
mod meaning;

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use trellis_control::{
    ApplyError, CallsSeen, ChangedBy, Edits, Revision, RevisionOutcome, Step, for_everybody,
};
use trellis_core::{CallError, Code};
use trellis_dispatch::Tally;

use super::ended::Ended;
use super::history::{Change, History, Record};
use super::in_force::InForce;
use super::meant::Meant;
use super::overlay::Overlay;
use super::size::Size;
use super::subject::Subject;
use super::taken_back::TookBack;
use super::version::Version;
use super::watch::Terms;

/// The edits in force, and the latest changes of what is wanted.
pub(crate) struct Book {
    /// What sets this start of the host apart from others: revisions begin anew with each.
    start: String,
    /// Of what is wanted: it grows with every change of that.
    revision: u64,
    overlay: Overlay,
    /// What is allowed, or to be done with it, until it runs.
    meant: Meant,
    /// What somebody asked for and nobody knows yet whether it can be had.
    under_way: BTreeMap<Subject, UnderWay>,
    /// Edits that were taken back, or were to be, by the last of each, until something else is
    /// wanted there.
    taken_back: BTreeMap<Subject, TookBack>,
    history: History,
}

/// An edit, or a way back that somebody asked for, whose steps were not all tried.
struct UnderWay {
    revision: u64,
    /// What was in force before, and is again if this cannot be had; `None` is what the manifest
    /// says.
    gave_way: Option<Arc<InForce>>,
}

/// An edit, or a way back that somebody asked for, whose steps were tried.
pub(crate) struct Settled {
    pub(crate) revision: u64,
    pub(crate) subject: Subject,
    /// Why it could not be had.
    pub(crate) failed: Option<String>,
    /// It is watched from now on.
    pub(crate) watched: Option<(Terms, Tally)>,
}

impl Default for Book {
    fn default() -> Self {
        let seed = RandomState::new().hash_one(std::process::id());
        Self {
            start: format!("{seed:016x}"),
            revision: 0,
            overlay: Overlay::default(),
            meant: Meant::default(),
            under_way: BTreeMap::new(),
            taken_back: BTreeMap::new(),
            history: History::default(),
        }
    }
}

impl Book {
    /// The revision of what is wanted now.
    pub(crate) const fn revision(&self) -> u64 {
        self.revision
    }

    /// The same, unlike that of any other start of the host.
    pub(crate) fn etag(&self) -> String {
        Edits::etag_of(&self.start, self.revision)
    }

    /// The edits in force.
    pub(crate) const fn overlay(&self) -> &Overlay {
        &self.overlay
    }

    /// Whether an edit that was made for what an ETag says still finds that.
    ///
    /// # Errors
    /// [`Code::Conflict`], with what changed since.
    pub(crate) fn check_made_for(&self, etag: Option<&str>) -> Result<(), CallError> {
        let Some(etag) = etag.filter(|etag| *etag != self.etag()) else { return Ok(()) };
        let now = self.revision;
        let read = Edits::read_etag(etag).filter(|(start, _)| *start == self.start);
        let Some((_, made_for)) = read else {
            let text = format!(
                "the host has started anew since: what is wanted is at revision {now} of this \
                 start, and this was made for an earlier one"
            );
            return Err(CallError::new(Code::Conflict, text));
        };
        if made_for > now {
            let text =
                format!("this host is at revision {now} of what is wanted; {made_for} is not yet");
            return Err(CallError::new(Code::Conflict, text));
        }
        let since = self.history.iter().filter(|record| record.told.revision > made_for);
        let since: Vec<_> = since.map(|record| record.told.to_string()).collect();
        let text = format!(
            "what is wanted is at revision {now}, and this was made for {made_for}; since then: {}",
            if since.is_empty() { "nothing is known".to_owned() } else { since.join("; ") }
        );
        Err(CallError::new(Code::Conflict, text))
    }

    /// The manifest wants something else, or ends edits. Gives the revision, if it changes
    /// anything.
    pub(crate) fn by_manifest(&mut self, change: Change<'_>, ended: Vec<Ended>) -> Option<u64> {
        if change.steps.is_empty() && ended.is_empty() && self.revision > 0 {
            return None;
        }
        self.is_said_anew(change.steps);
        let mut record = Record::of(self.revision + 1, change, None);
        let mut said_anew = Vec::new();
        for Ended { subject, what, entry, left } in ended {
            let Some(edit) = self.overlay.get(&subject) else { continue };
            let revision = edit.revision;
            let told = match &left {
                None => format!("the edit of {subject} (revision {revision}) ended"),
                Some(left) => format!(
                    "the edit of {subject} (revision {revision}) ended in part ({what}); it is {} \
                     still",
                    left.version.what
                ),
            };
            tracing::warn!("{told}: the manifest says something else of it now");
            record.told.what.push(told);
            // What is left of its version is judged as before.
            if entry || left.is_none() {
                self.forget(&subject);
            }
            self.overlay = std::mem::take(&mut self.overlay).with(subject.clone(), left);
            said_anew.extend(entry.then_some(subject));
        }
        let revision = self.keep(record);
        // What the manifest says is meant, and often older than what an edit brought.
        said_anew.iter().for_each(|subject| self.meant.allow_older(subject, revision));
        Some(revision)
    }

    /// An edit is in force from now on, or none any more. Gives the revision.
    pub(crate) fn put(
        &mut self,
        change: Change<'_>,
        subject: &Subject,
        edit: Option<InForce>,
    ) -> u64 {
        // What the host takes back itself is told as that, and goes on being tried.
        let is_asked_for = change.by != ChangedBy::Automatic;
        let mut record = Record::of(self.revision + 1, change, Some(subject));
        record.is_to_be(subject, edit.as_ref());
        let gave_way = self.overlay.get(subject).cloned();
        let goes_on = gave_way.as_deref().zip(edit.as_ref());
        let goes_on = goes_on.is_some_and(|(before, edit)| before.brings_what(edit));
        self.end(subject);
        if goes_on {
            self.meant.moves_nothing(subject);
        } else {
            self.meant.forget(subject);
        }
        let revision = self.revision + 1;
        if is_asked_for && (gave_way.is_some() || edit.is_some()) {
            self.under_way.insert(subject.clone(), UnderWay { revision, gave_way });
        }
        let edit = edit.map(|edit| InForce { revision, ..edit });
        self.overlay = std::mem::take(&mut self.overlay).with(subject.clone(), edit);
        self.keep(record)
    }

    /// True while an edit is under way or watched, and nobody knows yet whether it stays.
    pub(crate) fn is_open(&self, revision: u64) -> bool {
        let mut records = self.history.iter();
        let record = records.find(|record| record.told.revision == revision);
        record.is_some_and(|record| !record.told.outcome.is_final())
    }

    /// What is in force by edits of which nobody knows yet whether they stay.
    pub(crate) fn open(&self) -> impl Iterator<Item = &Subject> {
        let open = self.overlay.iter().filter(|(_, edit)| self.is_open(edit.revision));
        open.map(|(subject, _)| subject)
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
        let records = self.history.iter().rev();
        let mut records = records.filter_map(|it| Some((it.told.revision, it.overlay.as_ref()?)));
        let Some(to) = to else {
            let Some(now) = self.overlay.get(subject) else {
                let text = format!("{subject} runs as the manifest says: there is no edit of it");
                return Err(CallError::new(Code::NotFound, text));
            };
            // Not the edit before in time, which may be one that was rolled back itself.
            let is_older = |it: &Arc<Version>| it.origin < now.version.origin;
            let mut states = records.map(|(_, overlay)| of(overlay));
            return Ok(match states.find(|left| left.as_ref().is_none_or(is_older)) {
                Some(left) => left,
                // So long ago that the history has forgotten it.
                None => now.before.clone().filter(is_older),
            });
        };
        let oldest = self.history.oldest();
        if to < oldest || to > self.revision {
            let text = format!(
                "revision {to} is not known: the history has {oldest} to {}",
                self.revision
            );
            return Err(CallError::new(Code::NotFound, text));
        }
        Ok(records.find(|(revision, _)| *revision <= to).and_then(|(_, overlay)| of(overlay)))
    }

    /// Everything that was wanted by a revision was tried, and this failed. Gives what somebody had
    /// asked for: what of it cannot be had is to be [taken back](Self::take_back).
    pub(crate) fn settle(&mut self, faults: &[ApplyError], by: u64) -> Vec<Settled> {
        let mut settled = Vec::new();
        let failing: BTreeMap<&str, &ApplyError> =
            faults.iter().map(|fault| (&*fault.what, fault)).collect();
        for record in self.history.iter_mut() {
            let is_under_way =
                record.told.outcome == RevisionOutcome::Applying && !record.is_given_up;
            if !is_under_way || record.told.revision > by {
                continue;
            }
            let failed = record.fault(&failing);
            let revision = record.told.revision;
            let mut under_way = self.under_way.iter();
            let asked_for = under_way.find(|(_, it)| it.revision == revision);
            let subject = asked_for.map(|(subject, _)| subject.clone());
            let edit = subject.as_ref().and_then(|subject| self.overlay.get(subject));
            let watched = edit.and_then(|edit| edit.watched);
            let is_stopped = edit.is_some_and(|edit| edit.version.besides.stopped);
            // What is stopped is watched once it runs.
            let is_seen = failed.is_none() && !is_stopped && record.has_steps();
            let watched = watched.filter(|_| is_seen);
            let outcome = match &failed {
                // What it was to replace is gone back to first.
                Some(_) if subject.is_some() => RevisionOutcome::Applying,
                Some(_) => RevisionOutcome::Failed,
                None if watched.is_some() => RevisionOutcome::Watched,
                None => RevisionOutcome::Applied,
            };
            record.is_given_up = failed.is_some() && subject.is_some();
            record.ends(outcome, failed.as_deref());
            let Some(subject) = subject else { continue };
            if failed.is_none() {
                self.under_way.remove(&subject);
            }
            settled.push(Settled { revision, subject, failed, watched });
        }
        let overlay = &self.overlay;
        // What is stopped was not tried.
        let is_stopped =
            |subject: &Subject| overlay.get(subject).is_some_and(|it| it.version.besides.stopped);
        let fails = |subject: &Subject| failing.contains_key(&*subject.to_string());
        self.meant.tried(by, |subject| fails(subject) || is_stopped(subject));
        settled
    }

    /// What there is to know of a change that came to what was wanted.
    pub(crate) fn remarks(&mut self, revision: u64, remarks: &[String]) {
        let [first, more @ ..] = remarks else { return };
        let more = if more.is_empty() { "" } else { " (the log has more of them)" };
        if let Some(record) = self.history.find(revision) {
            record.told.why.get_or_insert_with(|| for_everybody(&format!("{first}{more}")));
        }
    }

    /// What was tried again and worked is told as that; `fails` says what does not so far.
    pub(crate) fn recovers(&mut self, fails: impl Fn(&str) -> bool) {
        self.history.recovers(fails);
    }

    /// What was seen of an edit while it was watched.
    pub(crate) fn saw(&mut self, revision: u64, seen: Tally) {
        if let Some(record) = self.history.find(revision) {
            record.told.seen = Some(CallsSeen { calls: seen.calls, failed: seen.faults });
        }
    }

    /// A watch found nothing wrong.
    pub(crate) fn stays(&mut self, revision: u64) {
        if let Some(record) = self.history.find(revision)
            && record.told.outcome == RevisionOutcome::Watched
        {
            record.told.outcome = RevisionOutcome::Applied;
        }
    }

    /// How much there is of the edits in force.
    pub(crate) fn size(&self) -> Size {
        self.overlay.iter().map(|(_, edit)| edit.size()).fold(Size::default(), Size::with)
    }

    /// The edits in force, for everybody.
    pub(crate) fn entries(&self) -> Edits {
        let entry = |(subject, edit): (&Subject, &Arc<InForce>)| edit.entry(subject);
        let edits = self.overlay.iter().map(entry).collect();
        Edits { revision: self.revision, etag: self.etag(), edits }
    }

    /// The latest changes, the oldest first.
    pub(crate) fn history(&self) -> Vec<Revision> {
        self.history.iter().map(|record| record.told.clone()).collect()
    }

    /// The changes that are new since this was asked, or came to something else.
    pub(crate) fn news(&mut self) -> Vec<Revision> {
        self.history.news()
    }

    /// What is worth to know of edits, as sentences; `fails` says of what is wanted whether it is
    /// not so.
    pub(crate) fn notes(&self, fails: impl Fn(&str) -> bool) -> Vec<String> {
        let edited = self.overlay.iter().map(|(subject, edit)| {
            let (what, revision) = (&edit.version.what, edit.revision);
            let note = format!(
                "{subject} is {what} by an edit (revision {revision}); a restart of the host \
                 forgets it"
            );
            for_everybody(&note)
        });
        let told = |(subject, took): (&Subject, &TookBack)| {
            took.told(subject, fails(&subject.to_string()))
        };
        edited.chain(self.taken_back.iter().map(told)).collect()
    }

    fn keep(&mut self, mut record: Record) -> u64 {
        self.revision = record.told.revision;
        record.overlay = Some(self.overlay.clone());
        let in_force = self.overlay.iter().map(|(_, edit)| edit.revision);
        let asked_for = self.under_way.values().map(|it| it.revision);
        // One for each subject at most: what is superseded is nobody's any more.
        let open: BTreeSet<_> = in_force.chain(asked_for).collect();
        self.history.push(record, |record| {
            !record.told.outcome.is_final() && open.contains(&record.told.revision)
        });
        self.revision
    }

    /// Nothing of an edit is in force any more, nor meant.
    fn forget(&mut self, subject: &Subject) {
        self.end(subject);
        self.meant.forget(subject);
    }

    /// Nothing of an edit is in force any more.
    fn end(&mut self, subject: &Subject) {
        if let Some(revision) = self.overlay.get(subject).map(|edit| edit.revision) {
            // What is not in force any more is watched in vain, and not taken back.
            self.stays(revision);
        }
        self.is_not_taken_back(subject);
        self.overlay = std::mem::take(&mut self.overlay).with(subject.clone(), None);
        self.taken_back.remove(subject);
    }

    /// The manifest says something else of what was to be as it said before.
    fn is_said_anew(&mut self, steps: &[Step]) {
        let about: BTreeSet<_> = steps.iter().map(Step::subject).collect();
        let is_so =
            |it: &&Subject| self.overlay.get(it).is_none() && about.contains(&it.to_string());
        let anew: Vec<_> = self.under_way.keys().filter(is_so).cloned().collect();
        anew.iter().for_each(|subject| self.is_not_taken_back(subject));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::OnceLock;
    use std::time::Duration;

    use trellis_control::{DataTerms, Step};
    use trellis_limits::fixed::HISTORY;
    use trellis_manifest::{ActorSpec, Isolation, Span, Spanned};

    use super::super::besides::Besides;
    use super::super::taken_back::TakenBack;
    use super::super::version::{Entry, Replacement};
    use super::*;

    fn steps(actor: &str) -> Vec<Step> {
        vec![Step::StopActor { actor: actor.to_owned() }]
    }

    fn change(by: ChangedBy, steps: &[Step]) -> Change<'_> {
        Change { by, who: Some("socket".to_owned()), steps, at_unix_s: 7 }
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
                besides: Besides::default(),
                file: None,
                named: None,
                what,
                keeps,
                origin: book.revision() + 1,
                part: OnceLock::new(),
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
            base_part: None,
            sound: before.clone(),
            before,
            revision: 0,
            watched: Some((watched, Tally::default())),
            untried: false,
        }
    }

    fn automatic() -> Change<'static> {
        Change { by: ChangedBy::Automatic, who: None, steps: &[], at_unix_s: 8 }
    }

    /// The edit of `a` ends as a whole.
    fn all_ended() -> Vec<Ended> {
        vec![Ended { subject: a(), what: String::new(), entry: true, left: None }]
    }

    fn a() -> Subject {
        Subject::actor("a")
    }

    fn started() -> Book {
        let mut book = Book::default();
        assert_eq!(book.by_manifest(change(ChangedBy::Manifest, &steps("a")), Vec::new()), Some(1));
        assert!(settle(&mut book, &[]).is_empty());
        book
    }

    fn edited(book: &mut Book, what: &str) -> u64 {
        let edit = edit(book, what);
        book.put(change(ChangedBy::Edit, &steps("a")), &a(), Some(edit))
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
        let etag = book.etag();
        assert!(book.check_made_for(None).is_ok() && book.check_made_for(Some(&etag)).is_ok());
        edited(&mut book, "one");
        let lost = book.check_made_for(Some(&etag)).expect_err("somebody was first");
        assert_eq!(lost.code(), Code::Conflict);
        assert!(lost.message().contains("revision 2"), "{lost}");
        assert!(lost.message().contains("2 by edit: stop actor a"), "{lost}");
        let future = Edits::etag_of(&book.start, 9);
        let lost = book.check_made_for(Some(&future)).expect_err("nobody can know it");
        assert_eq!(lost.code(), Code::Conflict);
        assert!(lost.message().contains("at revision 2 of what is wanted; 9 is not yet"), "{lost}");
    }

    #[test]
    fn what_was_made_for_an_earlier_start_is_made_for_nothing_here() {
        let (book, again) = (started(), started());
        assert_eq!(book.revision(), again.revision());
        assert_ne!(book.etag(), again.etag());
        let lost = again.check_made_for(Some(&book.etag())).expect_err("it started anew");
        assert_eq!(lost.code(), Code::Conflict);
        assert!(lost.message().contains("started anew"), "{lost}");
    }

    #[test]
    fn what_cannot_be_taken_back_stays_and_is_told() {
        let mut book = started();
        let one = edited(&mut book, "one");
        settle(&mut book, &[]);
        book.cannot_take_back(one, ("9 of 10 failed", "the actor is revoked"));
        assert_eq!(in_force(&book).as_deref(), Some("one"));
        assert_eq!(outcomes(&book)[1], RevisionOutcome::NotTakenBack);
        let notes = book.notes(|_| false).join("\n");
        for told in ["9 of 10 failed", "stays", "the actor is revoked", "trellis rollback a --to"] {
            assert!(notes.contains(told), "{told}: {notes}");
        }
        book.put(change(ChangedBy::Rollback, &[]), &a(), None);
        assert!(book.notes(|_| false).is_empty(), "something else is wanted there");
    }

    #[test]
    fn what_does_not_run_again_yet_is_not_told_as_if_it_did() {
        let mut book = started();
        let one = edited(&mut book, "one");
        settle(&mut book, &[]);
        book.take_back(one, (TakenBack::DidWorse, "9 of 10"), automatic());
        let told = |fails: bool| book.notes(|what| fails && what == "actor a").join("\n");
        assert!(told(true).contains("cannot be had so far") && !told(true).contains("was taken"));
        assert!(told(false).contains("was taken back"));
    }

    #[test]
    fn what_could_not_be_had_is_under_way_until_it_was_taken_back() {
        let mut book = started();
        let one = edited(&mut book, "one");
        let why = "it trapped".to_owned();
        let fault = ApplyError { what: "actor a".to_owned(), code: Code::Trap, why };
        assert_eq!(settle(&mut book, std::slice::from_ref(&fault)).len(), 1);
        assert!(book.is_open(one), "who waits for it waits on");
        assert!(settle(&mut book, std::slice::from_ref(&fault)).is_empty(), "once");
        let mut other = started();
        let two = edited(&mut other, "two");
        settle(&mut other, std::slice::from_ref(&fault));
        other.by_manifest(change(ChangedBy::Manifest, &[]), all_ended());
        assert!(!other.is_open(two), "there is nothing to take back any more");
        book.take_back(one, (TakenBack::NotHad, "it trapped"), automatic());
        assert_eq!(outcomes(&book)[1], RevisionOutcome::TakenBack);
    }

    fn fault(code: Code, why: &str) -> ApplyError {
        ApplyError { what: "actor a".to_owned(), code, why: why.to_owned() }
    }

    /// A book in which an edit stood its watch, and was gone back from.
    fn gone_back() -> (Book, u64) {
        let mut book = started();
        let one = edited(&mut book, "one");
        settle(&mut book, &[]);
        book.stays(one);
        let back = book.put(change(ChangedBy::Rollback, &steps("a")), &a(), None);
        book.goes_back(&a());
        (book, back)
    }

    /// The same edit, stopped or not.
    fn that_is(edit: &InForce, stopped: bool) -> InForce {
        let Version { replacement, what, .. } = &*edit.version;
        let version = Version {
            replacement: replacement.clone(),
            besides: Besides { stopped, ..Besides::default() },
            file: None,
            named: None,
            what: what.clone(),
            keeps: String::new(),
            origin: edit.version.origin,
            part: OnceLock::new(),
        };
        InForce { version: Arc::new(version), untried: stopped, ..edit.clone() }
    }

    #[test]
    fn what_is_meant_of_a_version_is_meant_until_it_ran() {
        let mut book = started();
        let two = that_is(&edit(&book, "two"), true);
        book.put(change(ChangedBy::Edit, &[]), &a(), Some(two));
        book.replays(&a(), 5);
        assert_eq!(settle(&mut book, &[])[0].watched, None, "it is stopped");
        assert_eq!(book.replayed(&a()), Some(5), "nothing of it was tried");
        let told = book.history().pop().expect("the edit").what;
        assert_eq!(told, ["actor a is to be two"], "no step says so");
        // A start that fails is undone, and the next one has to show the same.
        for _ in 0..2 {
            let start = that_is(book.overlay().get(&a()).expect("it is there"), false);
            let by = book.put(change(ChangedBy::Edit, &steps("a")), &a(), Some(start));
            assert_eq!(book.replayed(&a()), Some(5));
            settle(&mut book, &[fault(Code::Replay, "it fails on 5 of 5 calls")]);
            book.take_back(by, (TakenBack::NotHad, "it fails"), automatic());
            settle(&mut book, &[]);
            assert_eq!(book.replayed(&a()), Some(5), "that is no way around it");
        }
        let start = that_is(book.overlay().get(&a()).expect("it is there"), false);
        book.put(change(ChangedBy::Edit, &steps("a")), &a(), Some(start));
        assert!(settle(&mut book, &[])[0].watched.is_some(), "it runs");
        assert_eq!(book.replayed(&a()), None, "and was tried");
    }

    #[test]
    fn what_is_left_of_an_edit_is_in_force() {
        let mut book = started();
        let one = edited(&mut book, "one");
        settle(&mut book, &[]);
        let left = |book: &Book| {
            let edit = book.overlay().get(&a()).expect("it is in force");
            vec![Ended {
                subject: a(),
                what: "bound to c".to_owned(),
                entry: false,
                left: Some(InForce::clone(edit)),
            }]
        };
        let ended = left(&book);
        book.by_manifest(change(ChangedBy::Manifest, &[]), ended);
        assert_eq!(in_force(&book).as_deref(), Some("one"));
        assert!(book.is_open(one), "its version is watched as before");
        let told = book.history().pop().expect("the last one").what;
        let says = "the edit of actor a (revision 2) ended in part (bound to c); it is one still";
        assert_eq!(told, [says]);
        let ended = left(&book).into_iter().map(|it| Ended { entry: true, ..it }).collect();
        book.by_manifest(change(ChangedBy::Manifest, &[]), ended);
        assert!(!book.is_open(one), "it is another version's by now");
        assert!(in_force(&book).is_some() && book.meant.may_be_older(&a()));
    }

    #[test]
    fn a_rollback_that_cannot_be_had_is_undone() {
        let (mut book, back) = gone_back();
        book.moves(&a(), DataTerms::Replace);
        let settled = settle(&mut book, &[fault(Code::Provider, "it is down")]);
        assert_eq!(settled[0].failed.as_deref(), Some("actor a: it is down"));
        assert!(book.is_open(back), "who asked waits until it is known what is wanted");
        let why = (TakenBack::NotHad, "it is down");
        assert_eq!(book.take_back(back, why, automatic()), Some(a()));
        assert_eq!(in_force(&book).as_deref(), Some("one"), "what ran is what is wanted");
        assert!(!book.meant.is_moving(&a()), "nothing of it is meant any more");
        assert_eq!(outcomes(&book)[2], RevisionOutcome::TakenBack);
        assert!(settle(&mut book, &[]).is_empty());
        let told = format!("revision {back} of actor a was taken back: it is down");
        assert!(book.notes(|_| false).contains(&told), "{:?}", book.notes(|_| false));
        let known = book.known_to_fail(&a(), None);
        assert!(known.is_some_and(|it| it.contains("the same failed before")));
        let what = |found: Option<Arc<Version>>| found.map(|it| it.what.clone());
        assert_eq!(book.former(&a(), None).map(what), Ok(None), "it may be asked for again");
    }

    #[test]
    fn a_rollback_to_an_edit_that_cannot_be_had_is_undone_too() {
        let mut book = started();
        edited(&mut book, "one");
        let two = edited(&mut book, "two");
        settle(&mut book, &[]);
        book.stays(two);
        let version = book.former(&a(), None).expect("an edit").expect("the first");
        let one = InForce { version, watched: None, ..edit(&book, "") };
        let back = book.put(change(ChangedBy::Rollback, &steps("a")), &a(), Some(one));
        settle(&mut book, &[fault(Code::Trap, "it trapped")]);
        book.take_back(back, (TakenBack::NotHad, "it trapped"), automatic());
        assert_eq!(in_force(&book).as_deref(), Some("two"));
        let former = book.former(&a(), None).expect("an edit").map(|it| it.what.clone());
        assert_eq!(former.as_deref(), Some("one"), "as before");
    }

    #[test]
    fn what_the_host_goes_back_to_itself_goes_on_being_tried() {
        let mut book = started();
        let one = edited(&mut book, "one");
        settle(&mut book, &[]);
        book.take_back(one, (TakenBack::DidWorse, "9 of 10"), automatic());
        assert!(settle(&mut book, &[fault(Code::Trap, "it trapped")]).is_empty());
        assert_eq!(outcomes(&book)[2], RevisionOutcome::Failed);
        assert_eq!(in_force(&book), None);
        book.recovers(|what| what == "actor a");
        assert_eq!(outcomes(&book)[2], RevisionOutcome::Failed);
        book.recovers(|what| what == "actor b");
        assert_eq!(outcomes(&book)[2], RevisionOutcome::Applied, "it worked at last");
    }

    #[test]
    fn nobody_knows_whether_what_nobody_wants_any_more_would_work() {
        let mut book = started();
        let one = edited(&mut book, "one");
        settle(&mut book, &[fault(Code::Trap, "it trapped")]);
        edited(&mut book, "two");
        assert_eq!(outcomes(&book)[1], RevisionOutcome::Failed);
        settle(&mut book, &[]);
        book.recovers(|_| false);
        assert_eq!(outcomes(&book)[1], RevisionOutcome::Failed, "{one}");
    }

    #[test]
    fn a_manifest_that_says_something_else_meanwhile_has_its_say() {
        let (mut book, back) = gone_back();
        settle(&mut book, &[fault(Code::Trap, "it trapped")]);
        book.by_manifest(change(ChangedBy::Manifest, &steps("b")), Vec::new());
        assert!(book.way_back(back, TakenBack::NotHad).is_some(), "that is about another one");
        book.by_manifest(change(ChangedBy::Manifest, &steps("a")), Vec::new());
        assert!(book.way_back(back, TakenBack::NotHad).is_none());
        assert_eq!(outcomes(&book)[2], RevisionOutcome::Failed, "nobody waits for it");
    }

    #[test]
    fn the_history_says_who_and_what_and_how_its_calls_went() {
        let mut book = started();
        let one = edited(&mut book, "one");
        book.saw(one, Tally { calls: 9, faults: 2 });
        let told = book.history().pop().expect("the edit");
        assert_eq!((told.who.as_deref(), told.version.as_deref()), (Some("socket"), Some("one")));
        assert_eq!(told.seen, Some(CallsSeen { calls: 9, failed: 2 }));
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
        book.put(change(ChangedBy::Rollback, &steps("a")), &a(), Some(again));
        assert_eq!(book.former(&a(), None).map(what), Ok(None), "then what the manifest says");
        assert_eq!(book.former(&a(), Some(two)).map(what), Ok(Some("two".to_owned())));
        assert_eq!(book.former(&a(), Some(one)).map(what), Ok(Some("one".to_owned())));
        assert_eq!(book.former(&a(), Some(1)).map(what), Ok(None));
        for wrong in [0, 99] {
            let error = book.former(&a(), Some(wrong)).map(what).expect_err("not known");
            assert_eq!(error.code(), Code::NotFound);
        }
        book.put(change(ChangedBy::Rollback, &[]), &a(), None);
        assert!(book.former(&a(), None).is_err(), "there is no edit");
    }

    #[test]
    fn data_go_along_until_they_went_whatever_is_wanted_meanwhile() {
        let mut book = started();
        edited(&mut book, "one");
        book.moves(&a(), DataTerms::Copy);
        book.by_manifest(change(ChangedBy::Manifest, &steps("b")), Vec::new());
        assert!(book.meant.is_moving(&a()), "something else was wanted before it was done");
        let (what, why) = ("actor a".to_owned(), "it is full".to_owned());
        settle(&mut book, &[ApplyError { what, code: Code::Data, why }]);
        assert!(book.meant.is_moving(&a()), "it is tried again");
        settle(&mut book, &[]);
        assert!(!book.meant.is_moving(&a()), "they went");
        book.moves(&a(), DataTerms::Copy);
        edited(&mut book, "two");
        assert!(!book.meant.is_moving(&a()), "something else is wanted there");
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
        assert_eq!(book.take_back(two, (TakenBack::DidWorse, "9 of 10"), automatic()), Some(a()));
        assert_eq!(in_force(&book).as_deref(), Some("one"));
        assert!(book.meant.may_be_older(&a()), "what runs may be newer");
        assert_eq!(
            book.take_back(two, (TakenBack::NotHad, "again"), automatic()),
            None,
            "it is not in force any more"
        );
        assert!(book.notes(|_| false).iter().any(|it| it.contains("was taken back: 9 of 10")));
        assert!(book.settle(&[], two).is_empty());
        assert!(book.meant.may_be_older(&a()), "what ended now was begun before");
        assert!(settle(&mut book, &[]).iter().all(|it| it.failed.is_none()));
        assert!(!book.meant.may_be_older(&a()), "it runs");
        let three = edited(&mut book, "three");
        settle(&mut book, &[]);
        book.by_manifest(change(ChangedBy::Manifest, &[]), all_ended());
        assert_eq!(
            book.history.find(three).map(|it| it.told.outcome),
            Some(RevisionOutcome::Applied)
        );
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
        let same = || change(ChangedBy::Manifest, &[]);
        assert_eq!(book.by_manifest(same(), Vec::new()), None);
        assert_eq!(book.by_manifest(same(), all_ended()), Some(3));
        assert_eq!(in_force(&book), None);
        let told = book.history().pop().expect("the last one").what;
        assert_eq!(told, ["the edit of actor a (revision 2) ended"]);
    }

    #[test]
    fn what_is_under_way_is_pushed_out_by_nothing() {
        let mut book = started();
        let watched = edited(&mut book, "one");
        settle(&mut book, &[]);
        assert!(book.is_open(watched));
        let others = |book: &mut Book, count: u64| {
            for round in 0..count {
                let other = InForce { watched: None, ..edit(book, &round.to_string()) };
                let subject = Subject::provider("other");
                book.put(change(ChangedBy::Edit, &steps("b")), &subject, Some(other));
                settle(book, &[]);
            }
        };
        others(&mut book, HISTORY.default + 5);
        assert!(book.is_open(watched), "it is watched still");
        assert!(book.history().iter().any(|it| it.revision == watched), "whoever waits finds it");
        assert!(book.former(&a(), Some(watched)).is_err(), "what it was besides is forgotten");
        assert_eq!(book.history().len() as u64, HISTORY.default + 1);
        let back = book.take_back(watched, (TakenBack::DidWorse, "9 of 10"), automatic());
        assert_eq!(back, Some(a()), "and taken back");
        others(&mut book, 5);
        let own = |book: &Book| book.history().into_iter().find(|it| it.revision == watched);
        let outcome = own(&book).map(|it| it.outcome);
        assert_eq!(outcome, Some(RevisionOutcome::TakenBack), "whoever waits hears of it");
        others(&mut book, HISTORY.default);
        assert_eq!(own(&book), None, "for so long");
        assert_eq!(book.history().len() as u64, HISTORY.default);
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
