//! What is meant of what is wanted, until it runs.

use trellis_control::DataTerms;
use trellis_supervisor::Prepared;

use super::super::subject::Subject;
use super::Book;

impl Book {
    /// Says of what is prepared what its owner means, for as long as it does not run.
    pub(crate) fn demands(&self, prepared: &mut Prepared) {
        self.meant.demands(prepared);
    }

    /// The data of this go along when it is replaced.
    pub(crate) fn moves(&mut self, subject: &Subject, terms: DataTerms) {
        self.meant.moves(subject, (self.revision, terms));
    }

    /// The owner goes back to something older, until it runs. What was never tried is no way back:
    /// it shows first what it has to show.
    pub(crate) fn goes_back(&mut self, subject: &Subject) {
        match self.overlay.get(subject).is_some_and(|edit| edit.untried) {
            true => self.meant.allow_older(subject, self.revision),
            false => self.meant.goes_back(subject, self.revision),
        }
    }

    /// An actor answers so many of the calls that were kept before it serves.
    pub(crate) fn replays(&mut self, subject: &Subject, calls: u32) {
        self.meant.replays(subject, (self.revision, calls));
    }

    /// How many it is to answer, where somebody said so.
    pub(crate) fn replayed(&self, subject: &Subject) -> Option<u32> {
        self.meant.replayed(subject)
    }

    /// The owner forces something, until it runs.
    pub(crate) fn forces(&mut self, subject: &Subject) {
        self.meant.forces(subject, self.revision);
    }
}
