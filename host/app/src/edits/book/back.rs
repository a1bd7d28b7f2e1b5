//! What is taken back, by the host or because it could not be had.

use std::sync::Arc;

use trellis_control::{RevisionOutcome, for_everybody};

use super::super::history::Change;
use super::super::in_force::InForce;
use super::super::subject::Subject;
use super::super::taken_back::{TakenBack, TookBack, WayBack};
use super::super::version::Version;
use super::{Book, UnderWay};

impl Book {
    /// What something gives way to that is taken back; `None` when something else is wanted there
    /// by now.
    pub(crate) fn way_back(&self, revision: u64, taken_back: TakenBack) -> Option<WayBack> {
        let subject = self.subject_of(revision)?;
        let now = self.overlay.get(subject);
        let edit = match taken_back {
            TakenBack::NotHad => {
                let gave_way = self.under_way.get(subject)?.gave_way.as_deref();
                // What was not tried so far has all of it to show still.
                let watched = |edit: &InForce| edit.watched.filter(|_| edit.untried);
                gave_way.map(|edit| InForce { watched: watched(edit), ..edit.clone() })
            }
            TakenBack::DidWorse => {
                let now = now?;
                now.sound_again(subject).map(|version| InForce {
                    version,
                    before: None,
                    sound: None,
                    watched: None,
                    untried: false,
                    ..InForce::clone(now)
                })
            }
        };
        let part = match &edit {
            Some(edit) => edit.version.part.get().cloned(),
            None => now?.base_part.clone(),
        };
        Some(WayBack { subject: subject.clone(), edit, part })
    }

    /// Takes an edit back, or what somebody went back to and cannot have, unless something else is
    /// wanted by now.
    pub(crate) fn take_back(
        &mut self,
        revision: u64,
        (taken_back, why): (TakenBack, &str),
        change: Change<'_>,
    ) -> Option<Subject> {
        let why = &*for_everybody(why);
        let WayBack { subject, edit, .. } = self.way_back(revision, taken_back)?;
        let brought = self.brought(&subject);
        if let Some(record) = self.history.find(revision) {
            record.ends(RevisionOutcome::TakenBack, Some(why));
        }
        let new = self.put(change, &subject, edit);
        if let Some(record) = self.history.find(new) {
            record.told.what.push(format!("took revision {revision} of {subject} back"));
            record.told.why = Some(why.to_owned());
            record.is_about(subject.to_string());
        }
        self.goes_back(&subject);
        tracing::error!("revision {revision} of {subject} was taken back: {why}");
        let took = TookBack { revision, brought, why: why.to_owned(), stays: None };
        self.taken_back.insert(subject.clone(), took);
        Some(subject)
    }

    /// What was to be gone back to cannot be had: what is to be taken back stays, and everybody is
    /// told.
    pub(crate) fn cannot_take_back(&mut self, revision: u64, (why, stays): (&str, &str)) {
        let (why, stays) = (for_everybody(why), for_everybody(stays));
        let Some(subject) = self.subject_of(revision).cloned() else { return };
        let brought = self.brought(&subject);
        let took = TookBack { revision, brought, why, stays: Some(stays) };
        let told = took.told(&subject, false);
        tracing::error!("{told}");
        if let Some(record) = self.history.find(revision) {
            record.ends(RevisionOutcome::NotTakenBack, Some(&told));
        }
        self.under_way.remove(&subject);
        self.taken_back.insert(subject, took);
    }

    /// What a revision put in force, or is about to, unless something else is wanted there by now.
    fn subject_of(&self, revision: u64) -> Option<&Subject> {
        let edit = self.overlay.iter().find(|(_, edit)| edit.revision == revision);
        let under_way = || self.under_way.iter().find(|(_, it)| it.revision == revision);
        edit.map(|(subject, _)| subject).or_else(|| under_way().map(|(subject, _)| subject))
    }

    /// What an edit has there now; `None` is what the manifest says.
    fn brought(&self, subject: &Subject) -> Option<Arc<Version>> {
        self.overlay.get(subject).map(|edit| Arc::clone(&edit.version))
    }

    /// What became of the same when it was made before, if it was the last there.
    pub(crate) fn known_to_fail(
        &self,
        subject: &Subject,
        edit: Option<&InForce>,
    ) -> Option<String> {
        let took = self.taken_back.get(subject)?;
        let is_same = match (&took.brought, edit) {
            (Some(brought), Some(edit)) => brought.is_same(&edit.version),
            (brought, edit) => brought.is_none() && edit.is_none(),
        };
        is_same.then(|| format!("the same failed before: {}", took.told(subject, false)))
    }

    /// Something else is wanted where this was under way, so there is nothing to go back to.
    pub(crate) fn is_not_taken_back(&mut self, subject: &Subject) {
        let Some(UnderWay { revision, .. }) = self.under_way.remove(subject) else { return };
        if let Some(record) = self.history.find(revision).filter(|it| it.is_given_up)
            && !record.told.outcome.is_final()
        {
            record.told.outcome = RevisionOutcome::Failed;
        }
    }
}
