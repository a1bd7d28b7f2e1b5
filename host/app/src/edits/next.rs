//! What an edit would put in the place of what there is.

use std::sync::Arc;

use trellis_core::{CallError, Code};
use trellis_manifest::wrong_name;

use super::base::Base;
use super::besides::Besides;
use super::overlay::Overlay;
use super::size::Size;
use super::subject::Subject;
use super::version::{Entry, Replacement, Version};
use super::words::{Named, keeps, what};

/// What an edit would put in place.
pub(crate) struct Drafted {
    pub(crate) subject: Subject,
    pub(crate) base: Entry,
    pub(crate) next: Next,
}

/// Where it comes from.
pub(crate) enum Next {
    /// It is new.
    New(Box<New>),
    /// It is what the manifest says: nothing is other than that any more.
    Plain,
    /// It was in force before, by this revision or the one before the edit in force.
    Former(Option<u64>),
}

/// What is new.
pub(crate) struct New {
    pub(crate) replacement: Replacement,
    pub(crate) besides: Besides,
    /// What the replacement is, unless it is what the manifest says.
    pub(crate) named: Option<Named>,
    pub(crate) what: String,
    /// What the manifest would have to say to keep it.
    pub(crate) keeps: String,
    /// The replacement is another one than now: its files are read.
    pub(crate) reads: bool,
    /// It is to be there for the first time, or as it is.
    pub(crate) adds: bool,
}

/// Something that can be edited, as it is now.
pub(super) struct Now<'a> {
    pub(super) subject: Subject,
    pub(super) entry: Entry,
    version: Option<&'a Arc<Version>>,
}

impl Drafted {
    /// Whether there is room for it beside the other edits.
    ///
    /// # Errors
    /// [`Code::Busy`] when they have too many entries already, or too many bytes.
    pub(super) fn check_room(&self, overlay: &Overlay) -> Result<(), CallError> {
        let Next::New(new) = &self.next else { return Ok(()) };
        let own = Size::of(new.named.as_ref().map(|_| &new.replacement), &new.besides);
        let before = overlay.get(&self.subject).map(|edit| edit.size()).unwrap_or_default();
        // What is to end is never in need of room, and a right is taken away whatever there is.
        let takes_away = || {
            let now = overlay.get(&self.subject).map(|edit| &edit.version.besides);
            !new.reads && new.besides.only_unbinds(now)
        };
        if before.has_room_for(own) || takes_away() {
            return Ok(());
        }
        let others = overlay.iter().filter(|(subject, _)| **subject != self.subject);
        others.map(|(_, edit)| edit.size()).fold(own, Size::with).check()
    }
}

/// A name is as a manifest may have it.
pub(super) fn check_name(what: &str, name: &str) -> Result<(), CallError> {
    let wrong = wrong_name(name).map(|wrong| format!("{what} {wrong}"));
    wrong.map_or(Ok(()), |text| Err(CallError::new(Code::Message, text)))
}

impl<'a> Now<'a> {
    /// What a manifest with these edits has of it.
    ///
    /// # Errors
    /// [`Code::NotFound`] when it has none of that name.
    pub(super) fn of(
        subject: Subject,
        base: &Base,
        overlay: &'a Overlay,
    ) -> Result<Self, CallError> {
        let edit = overlay.get(&subject);
        let entry = match edit {
            Some(edit) if edit.is_addition() => Entry::Absent,
            _ => base.entry(&subject)?,
        };
        Ok(Self { subject, entry, version: edit.map(|edit| &edit.version) })
    }

    /// Something that there is not yet, or that an edit added.
    pub(super) fn of_addition(subject: Subject, overlay: &'a Overlay) -> Self {
        let version = overlay.get(&subject).map(|edit| &edit.version);
        Self { subject, entry: Entry::Absent, version }
    }

    /// What it is.
    pub(super) fn replacement(&self) -> Option<Replacement> {
        let now = self.version.map(|version| version.replacement.clone());
        now.or_else(|| self.entry.as_replacement(&self.subject.name))
    }

    /// What an edit has made a provider of, as that was asked for.
    pub(super) fn made_of(&self) -> Option<String> {
        self.version?.named.as_ref()?.to.clone()
    }

    /// What else is other than the manifest says.
    pub(super) fn besides(&self) -> Besides {
        self.version.map(|version| version.besides.clone()).unwrap_or_default()
    }

    /// The same as something else.
    pub(super) fn replaced(self, replacement: Replacement, named: Named) -> Drafted {
        let besides = self.besides();
        self.drafted((replacement, Some(named)), besides, (true, false))
    }

    /// The same for the first time.
    pub(super) fn added(self, replacement: Replacement, named: Named) -> Drafted {
        let besides = Besides { stopped: false, ..self.besides() };
        self.drafted((replacement, Some(named)), besides, (true, true))
    }

    /// The same with something else besides; what is all as the manifest says is no edit.
    pub(super) fn with(self, besides: Besides) -> Drafted {
        let own = self.entry.as_replacement(&self.subject.name);
        let Some(replacement) =
            self.replacement().filter(|it| !besides.is_nothing() || own.as_ref() != Some(it))
        else {
            return Drafted { subject: self.subject, base: self.entry, next: Next::Plain };
        };
        let named = self.version.and_then(|version| version.named.clone());
        self.drafted((replacement, named), besides, (false, false))
    }

    fn drafted(
        self,
        (replacement, named): (Replacement, Option<Named>),
        besides: Besides,
        (reads, adds): (bool, bool),
    ) -> Drafted {
        let Self { subject, entry, .. } = self;
        let is_new = matches!(entry, Entry::Absent);
        let what = what(named.as_ref(), &besides);
        let keeps = keeps((&subject, is_new), named.as_ref(), &besides);
        let new = New { replacement, besides, named, what, keeps, reads, adds };
        Drafted { subject, base: entry, next: Next::New(Box::new(new)) }
    }
}
