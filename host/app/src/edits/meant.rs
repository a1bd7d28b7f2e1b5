//! What the owner of a host means beyond what is always right, until it runs.

use std::collections::BTreeMap;

use trellis_control::{ComponentKind, DataTerms};
use trellis_supervisor::Prepared;

use super::subject::Subject;

/// What is meant although it would be refused, or done otherwise; each with the revision by which
/// it was.
#[derive(Default)]
pub(super) struct Meant {
    /// It may be older than what runs, because its owner went back to it.
    older: BTreeMap<Subject, u64>,
    /// So many calls it answers before it serves; none when it is gone back to, or forced.
    replays: BTreeMap<Subject, (u64, u32)>,
    /// It need not be well, because it is forced.
    forced: BTreeMap<Subject, u64>,
    /// Its data go along when it is replaced.
    moving: BTreeMap<Subject, (u64, DataTerms)>,
}

impl Meant {
    /// Says so of what is prepared.
    pub(super) fn demands(&self, prepared: &mut Prepared) {
        self.older.keys().for_each(|it| prepared.may_be_older(it.kind, &it.name));
        self.replays.iter().for_each(|(it, (_, calls))| prepared.replays(&it.name, *calls));
        self.forced.keys().for_each(|it| prepared.forces(&it.name));
        self.moving.iter().for_each(|(it, (_, terms))| prepared.moves_data(&it.name, *terms));
    }

    /// This may be older.
    pub(super) fn allow_older(&mut self, subject: &Subject, by: u64) {
        self.older.insert(subject.clone(), by);
    }

    /// This is gone back to, or forced.
    pub(super) fn goes_back(&mut self, subject: &Subject, by: u64) {
        self.allow_older(subject, by);
        self.replays(subject, (by, 0));
    }

    /// This answers so many calls before it serves.
    pub(super) fn replays(&mut self, subject: &Subject, (by, calls): (u64, u32)) {
        if subject.kind == ComponentKind::Actor {
            self.replays.insert(subject.clone(), (by, calls));
        }
    }

    /// How many that is, where somebody said so.
    pub(super) fn replayed(&self, subject: &Subject) -> Option<u32> {
        self.replays.get(subject).map(|(_, calls)| *calls)
    }

    /// This is forced.
    pub(super) fn forces(&mut self, subject: &Subject, by: u64) {
        self.goes_back(subject, by);
        if subject.kind == ComponentKind::Provider {
            self.forced.insert(subject.clone(), by);
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

    /// What was wanted by a revision was tried; what is `open` was not, or failed, and is still
    /// meant.
    pub(super) fn tried(&mut self, by: u64, open: impl Fn(&Subject) -> bool) {
        let stays = |subject: &Subject, since: u64| since > by || open(subject);
        self.older.retain(|subject, since| stays(subject, *since));
        self.replays.retain(|subject, (since, _)| stays(subject, *since));
        self.forced.retain(|subject, since| stays(subject, *since));
        self.moving.retain(|subject, (since, _)| stays(subject, *since));
    }

    /// Something else is wanted there.
    pub(super) fn forget(&mut self, subject: &Subject) {
        self.older.remove(subject);
        self.replays.remove(subject);
        self.forced.remove(subject);
        self.moves_nothing(subject);
    }

    /// Something else is wanted besides the version that is there: its data stay.
    pub(super) fn moves_nothing(&mut self, subject: &Subject) {
        self.moving.remove(subject);
    }

    #[cfg(test)]
    pub(super) fn may_be_older(&self, subject: &Subject) -> bool {
        self.older.contains_key(subject)
    }
}
