//! What a host that runs is loading, and for whom.

use std::collections::VecDeque;

use trellis_control::{Applied, Edited};

use crate::edits::{Order, TakenBack};
use crate::loading::Loading;

/// What is being loaded.
#[derive(Default)]
pub(super) enum Errand {
    /// The manifest as it is now.
    #[default]
    Manifest,
    /// What somebody asked for.
    Order(Box<Order>),
    /// What ran before an edit.
    TakeBack(TakeBack),
}

/// An edit, or a rollback that failed, that is to be taken back.
pub(super) struct TakeBack {
    pub(super) revision: u64,
    pub(super) what: TakenBack,
    pub(super) why: String,
}

/// What gave way to something else.
#[derive(Default)]
pub(super) struct Waiting {
    pub(super) order: Option<Box<Order>>,
    pub(super) reload: bool,
    /// What goes back, in this order.
    pub(super) back: VecDeque<Errand>,
}

impl Waiting {
    /// True when the host is to take something back itself.
    pub(super) fn takes_back(&self) -> bool {
        matches!(self.back.front(), Some(Errand::TakeBack(_)))
    }
}

/// What goes back is loaded beside everything else: all of it is in memory, so it waits for no
/// disk, no registry and nobody else's edit.
#[derive(Default)]
pub(super) struct GoingBack {
    pub(super) errand: Errand,
    pub(super) loading: Option<Loading>,
}

/// Who waits until an edit was tried.
pub(super) struct Answering {
    pub(super) order: Box<Order>,
    pub(super) revision: u64,
    pub(super) notes: Vec<String>,
}

impl Answering {
    /// Says what came of it.
    pub(super) fn answer(self, mut applied: Applied, watched: bool) {
        let Self { order, revision, mut notes } = self;
        notes.append(&mut applied.notes);
        notes.append(&mut applied.left_behind);
        let (unchanged, dry_run) = (false, false);
        order.answer(Ok(Edited { revision, unchanged, dry_run, watched, applied, notes }));
    }
}
