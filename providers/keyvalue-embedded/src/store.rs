//! The store behind a provider: in memory or in a file.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::MissedTickBehavior;
use trellis_providers_sdk::{Call, Reply, data};

use crate::file::FileStore;
use crate::memory::Memory;
use crate::namespace::Namespace;

/// How often expired keys are removed, and an `eventual` file is taken to the disk.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// Where the keys of a provider are.
#[derive(Clone)]
pub(crate) enum Store {
    Memory(Arc<Memory>),
    File(Arc<FileStore>),
}

/// The same, for whoever must not keep it open.
pub(crate) enum WeakStore {
    Memory(Weak<Memory>),
    File(Weak<FileStore>),
}

impl Store {
    pub(crate) fn downgrade(&self) -> WeakStore {
        match self {
            Self::Memory(memory) => WeakStore::Memory(Arc::downgrade(memory)),
            Self::File(file) => WeakStore::File(Arc::downgrade(file)),
        }
    }

    /// Carries out what the host asks of all that a namespace holds.
    ///
    /// # Errors
    /// Those of the operation.
    pub(crate) async fn serve_data(&self, space: Arc<Namespace>, call: Call) -> Reply {
        match self {
            Self::Memory(it) => data::serve(&**it, &space, &call.operation, &call.payload).await,
            Self::File(it) => data::serve(&**it, &space, &call.operation, &call.payload).await,
        }
    }

    /// Sweeps for as long as the store lives.
    pub(crate) fn keep_swept(&self) {
        let weak = self.downgrade();
        tokio::spawn(async move {
            let mut ticks = tokio::time::interval(SWEEP_EVERY);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                let Some(store) = weak.upgrade() else { return };
                store.sweep();
            }
        });
    }

    fn sweep(&self) {
        match self {
            Self::Memory(memory) => memory.sweep(),
            Self::File(file) => file.sweep(),
        }
    }
}

impl WeakStore {
    /// The store, as long as anybody else keeps it.
    pub(crate) fn upgrade(&self) -> Option<Store> {
        match self {
            Self::Memory(memory) => memory.upgrade().map(Store::Memory),
            Self::File(file) => file.upgrade().map(Store::File),
        }
    }
}
