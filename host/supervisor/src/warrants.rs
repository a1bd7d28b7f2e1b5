//! The warrants of a host. A name is not enough to find an instance by: it has none while it is
//! made, nor while it drains.

use std::sync::Arc;

use tokio::sync::watch;
use trellis_claims::ClaimsError;
use trellis_entitlements::{ActorId, TargetId};

use crate::border::{Instance, WeakInstance};
use crate::prepare::PreparedProvider;
use crate::warrant::Warrant;

/// The warrants of all instances that there are, from before they are made until they are gone.
#[derive(Default)]
pub(crate) struct Warrants {
    last_id: u64,
    all: Vec<Record>,
}

/// What is known of one.
pub(crate) struct Record {
    id: u64,
    pub(crate) prepared: PreparedProvider,
    /// What it serves, or is to serve.
    pub(crate) target: TargetId,
    /// As whom it asks for something itself, if it does.
    pub(crate) caller: Option<ActorId>,
    /// The instance, once it was made.
    pub(crate) instance: WeakInstance,
    /// Dropped, it takes the warrant back.
    holder: watch::Sender<()>,
}

impl Warrants {
    /// An instance of this is about to be made.
    pub(crate) fn issue(
        &mut self,
        prepared: &PreparedProvider,
        (target, caller): (TargetId, Option<ActorId>),
    ) -> Warrant {
        self.all.retain(|known| known.holder.receiver_count() > 0);
        if !prepared.has_claims() {
            return Warrant::default();
        }
        self.last_id += 1;
        let (id, prepared) = (self.last_id, prepared.clone());
        let ((warrant, holder), instance) = (Warrant::issue(id), WeakInstance::default());
        self.all.push(Record { id, prepared, target, caller, instance, holder });
        warrant
    }

    /// It was made; false when its warrant was taken back meanwhile.
    pub(crate) fn was_made(&mut self, instance: &Instance) -> bool {
        let Some(id) = instance.warrant().id() else { return true };
        let known = self.all.iter_mut().find(|known| known.id == id);
        known.map(|known| known.instance = instance.downgrade()).is_some()
    }

    /// What instances there are of.
    pub(crate) fn prepared(&self) -> impl Iterator<Item = &PreparedProvider> {
        self.all.iter().map(|known| &known.prepared)
    }

    /// Takes back those of which this check fails; gives why for each.
    pub(crate) fn take_back(
        &mut self,
        check: impl Fn(&PreparedProvider) -> Result<(), ClaimsError>,
    ) -> Vec<(Record, ClaimsError)> {
        let refused = self.all.extract_if(.., |known| check(&known.prepared).is_err());
        refused.filter_map(|known| check(&known.prepared).err().map(|why| (known, why))).collect()
    }
}

impl Record {
    /// What it is spoken of by.
    pub(crate) fn name(&self) -> Arc<str> {
        let name = || Arc::clone(&self.prepared.name);
        self.instance.upgrade().map_or_else(name, |instance| instance.name())
    }
}
