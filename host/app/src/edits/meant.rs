//! What the owner of a host means beyond what is always right, until it runs.

use std::collections::{BTreeMap, BTreeSet};

use trellis_control::{ComponentKind, DataTerms};
use trellis_supervisor::Prepared;

use super::subject::Subject;

/// What is meant although it would be refused, or done otherwise; each with the revision by which
/// it was.
#[derive(Default)]
pub(super) struct Meant {
    /// It may be older than what runs, because its owner went back to it.
    older: BTreeMap<Subject, u64>,
    /// Of these what is gone back to, or forced: it shows nothing first.
    back: BTreeSet<Subject>,
    /// Of these what is forced: it need not be well.
    forced: BTreeSet<Subject>,
    /// Its data go along when it is replaced.
    moving: BTreeMap<Subject, (u64, DataTerms)>,
}

impl Meant {
    /// Says so of what is prepared.
    pub(super) fn demands(&self, prepared: &mut Prepared) {
        self.older.keys().for_each(|it| prepared.may_be_older(it.kind, &it.name));
        let back = self.back.iter().filter(|it| it.kind == ComponentKind::Actor);
        back.for_each(|it| prepared.replays(&it.name, 0));
        self.forced.iter().for_each(|it| prepared.forces(&it.name));
        self.moving.iter().for_each(|(it, (_, terms))| prepared.moves_data(&it.name, *terms));
    }

    /// This may be older.
    pub(super) fn allow_older(&mut self, subject: &Subject, by: u64) {
        self.older.insert(subject.clone(), by);
    }

    /// This is gone back to, or forced.
    pub(super) fn goes_back(&mut self, subject: &Subject, by: u64) {
        self.allow_older(subject, by);
        self.back.insert(subject.clone());
    }

    /// This is forced.
    pub(super) fn forces(&mut self, subject: &Subject, by: u64) {
        self.goes_back(subject, by);
        if subject.kind == ComponentKind::Provider {
            self.forced.insert(subject.clone());
        }
    }

    /// The data of this go along.
    pub(super) fn moves(&mut self, subject: &Subject, (by, terms): (u64, DataTerms)) {
        self.moving.insert(subject.clone(), (by, terms));
    }

    #[cfg(test)]
    pub(super) fn is_moving(&self, subject: &Subject) -> bool {
        self.moving.contains_key(subject)
    }

    /// What was wanted by a revision was tried; what `fails` is still meant.
    pub(super) fn tried(&mut self, by: u64, fails: impl Fn(&Subject) -> bool) {
        self.older.retain(|subject, since| *since > by || fails(subject));
        self.back.retain(|subject| self.older.contains_key(subject));
        self.forced.retain(|subject| self.older.contains_key(subject));
        self.moving.retain(|subject, (since, _)| *since > by || fails(subject));
    }

    /// Something else is wanted there.
    pub(super) fn forget(&mut self, subject: &Subject) {
        self.older.remove(subject);
        self.back.remove(subject);
        self.forced.remove(subject);
        self.moving.remove(subject);
    }

    #[cfg(test)]
    pub(super) fn may_be_older(&self, subject: &Subject) -> bool {
        self.older.contains_key(subject)
    }
}
