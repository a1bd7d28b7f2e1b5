//! What is known of a manifest once everything it names was checked.

use std::sync::Arc;

use trellis_control::Step;
use trellis_manifest::Report;
use trellis_supervisor::{Parts, Prepared};

use crate::edits::{Base, Ended, InForce, Subject};
use crate::readiness::Lasting;

/// A manifest that can run here, with what the rim needs to know of it.
pub(crate) struct Loaded {
    /// As its text says it, without the edits that are laid over it.
    pub(crate) base: Base,
    pub(crate) prepared: Prepared,
    /// The same, to be taken again as it is.
    pub(crate) parts: Arc<Parts>,
    /// What its owner may not have meant.
    pub(crate) warnings: Report,
    /// What each image stands for, and what a check saw that its reader may want to know.
    pub(crate) notes: Report,
    /// The part of that which lasts as long as the manifest runs.
    pub(crate) lasting: Vec<Lasting>,
    /// What ends of edits with it.
    pub(crate) ended: Vec<Ended>,
    /// The steps to it from what was wanted when it was loaded.
    pub(crate) changes: Vec<Step>,
    /// The edit that it was loaded for.
    pub(crate) edit: Option<Made>,
}

/// An edit that was prepared.
pub(crate) struct Made {
    pub(crate) subject: Subject,
    /// `None` is what the manifest says.
    pub(crate) edit: Option<InForce>,
    /// It has another version than there was.
    pub(crate) brings: bool,
    /// What its maker should know.
    pub(crate) remarks: Vec<String>,
}

impl Made {
    /// What it is about, and what is in force of it from then on.
    pub(crate) const fn of(&self) -> (&Subject, Option<&InForce>) {
        (&self.subject, self.edit.as_ref())
    }
}
