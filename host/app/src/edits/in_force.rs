//! An edit that is in force.

use std::sync::{Arc, OnceLock};

use trellis_artifacts::Imprint;
use trellis_control::EditEntry;
use trellis_dispatch::Tally;
use trellis_supervisor::Part;

use super::besides::Besides;
use super::size::Size;
use super::subject::Subject;
use super::version::{Entry, Version};
use super::watch::Terms;

/// An edit that is in force.
#[derive(Clone, Debug)]
pub(crate) struct InForce {
    pub(crate) version: Arc<Version>,
    /// What the manifest said when it was made, and the file that this named.
    pub(crate) base: Entry,
    pub(crate) file: Option<Imprint>,
    /// That as it was prepared.
    pub(crate) base_part: Option<Part>,
    /// What was in force before; `None` is what the manifest says.
    pub(crate) before: Option<Arc<Version>>,
    /// What it is taken back to: the last before it that stood its watch.
    pub(crate) sound: Option<Arc<Version>>,
    /// The revision of what is wanted that it began with.
    pub(crate) revision: u64,
    /// When it is taken back, and how that fared which it replaced; `None` when it is not watched.
    pub(crate) watched: Option<(Terms, Tally)>,
    /// It is stopped, and what it brought was not tried so far: its start does that.
    pub(crate) untried: bool,
}

impl InForce {
    /// True when the file that the manifest names holds something else since the edit was made:
    /// somebody released something there. Blocks.
    pub(crate) fn file_is_other(&self) -> bool {
        self.file.as_ref().is_some_and(Imprint::is_other)
    }

    /// True when the manifest has no such entry.
    pub(crate) const fn is_addition(&self) -> bool {
        matches!(self.base, Entry::Absent)
    }

    /// True for the same version as another one's, whatever else is other.
    pub(crate) fn brings_what(&self, other: &Self) -> bool {
        let parts = self.version.part.get().zip(other.version.part.get());
        // A tag may stand for something else by now.
        let is_same = parts.is_none_or(|(one, another)| one.is_same_release(another));
        is_same && self.version.replacement == other.version.replacement
    }

    /// What was sound before it, with all that was asked for besides since: a right that was taken
    /// away while it was watched stays away. What was stopped until this one came is stopped again.
    /// `None` is what the manifest says.
    pub(super) fn sound_again(&self, subject: &Subject) -> Option<Arc<Version>> {
        let stopped = self.sound.as_ref().is_some_and(|sound| sound.besides.stopped);
        let mut besides = self.version.besides.clone();
        besides.stopped |= stopped;
        match &self.sound {
            Some(sound) if sound.besides == besides => Some(Arc::clone(sound)),
            Some(sound) => Some(Arc::new(sound.with(besides, (subject, self.is_addition())))),
            None if besides.is_nothing() => None,
            None => {
                let own = Version {
                    replacement: self.base.as_replacement(&subject.name)?,
                    besides: Besides::default(),
                    file: None,
                    named: None,
                    what: String::new(),
                    keeps: String::new(),
                    origin: self.version.origin,
                    part: self.base_part.clone().map(OnceLock::from).unwrap_or_default(),
                };
                Some(Arc::new(own.with(besides, (subject, false))))
            }
        }
    }

    /// How much there is of it.
    pub(crate) fn size(&self) -> Size {
        let Version { replacement, besides, named, .. } = &*self.version;
        Size::of(named.as_ref().map(|_| replacement), besides)
    }

    /// It, for everybody.
    pub(super) fn entry(&self, subject: &Subject) -> EditEntry {
        EditEntry {
            kind: subject.kind,
            name: subject.name.clone(),
            revision: self.revision,
            what: self.version.what.clone(),
        }
    }
}
