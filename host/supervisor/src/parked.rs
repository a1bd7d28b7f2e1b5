//! The latest calls of actors that are stopped: what is put in the place of one meanwhile has to
//! answer them before it serves, as it would have had to while the other one ran.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use trellis_targets::replay::Kept;

use crate::actual::RunningActor;

/// What is kept of stopped actors, by their names: as much of each as while it ran.
#[derive(Default)]
pub(crate) struct Parked(Mutex<BTreeMap<Arc<str>, Last>>);

/// What an actor that ran has last, and of which code that is.
#[derive(Clone)]
pub(crate) struct Last {
    pub(crate) digest: [u8; 32],
    pub(crate) kept: Option<Arc<Kept>>,
}

impl Last {
    pub(crate) fn of(running: &RunningActor) -> Self {
        let digest = *running.prepared.verified.digest();
        Self { digest, kept: running.kept.clone() }
    }
}

impl Parked {
    pub(crate) fn get(&self, name: &str) -> Option<Last> {
        self.0.lock().get(name).cloned()
    }

    pub(crate) fn names(&self) -> Vec<Arc<str>> {
        self.0.lock().keys().cloned().collect()
    }

    /// Keeps what these have, and forgets those that are `gone`.
    pub(crate) fn change(&self, stopped: Vec<(Arc<str>, Last)>, gone: &[Arc<str>]) {
        let mut parked = self.0.lock();
        gone.iter().for_each(|name| drop(parked.remove(name)));
        parked.extend(stopped);
    }
}
