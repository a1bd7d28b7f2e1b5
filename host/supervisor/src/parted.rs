//! Bindings that are not in force any more, with the keys that they had: when one comes back, it
//! may mean other keys, however long it was away and whatever happened meanwhile.

use std::collections::HashMap;

use parking_lot::Mutex;
use trellis_core::{BindingId, CallError};
use trellis_entitlements::TargetId;

use crate::key::BindingKey;
use crate::moving::keyspaces::Names;
use crate::prepare::PreparedProvider;

/// Most bindings that are remembered; a host that parts with more tells nothing of the others.
const PARTED_MAX: usize = 1_000;

/// A binding whose keys may be other ones after a change. It keeps no instance: one that is to end
/// may hold what its successor needs.
pub(crate) struct Place {
    pub(crate) key: BindingKey,
    /// The binding, and the life of the instance that served it.
    pub(crate) was: (BindingId, u64),
    pub(crate) target: TargetId,
    pub(crate) provider: PreparedProvider,
    /// Which keys it had, of which there were some; an error when that is not known.
    pub(crate) names: Result<Names, CallError>,
}

/// Where bindings had their keys that are not in force.
#[derive(Default)]
pub(crate) struct Parted(Mutex<HashMap<BindingKey, Place>>);

impl Parted {
    /// A binding is not in force any more.
    pub(crate) fn keep(&self, place: Place) {
        let mut places = self.0.lock();
        if places.len() < PARTED_MAX || places.contains_key(&place.key) {
            places.insert(place.key.clone(), place);
        }
    }

    /// It is in force again, somewhere.
    pub(crate) fn take(&self, key: &BindingKey) -> Option<Place> {
        self.0.lock().remove(key)
    }

    /// What these providers kept went along with them, also for bindings that are not in force.
    pub(crate) fn went_along(&self, is_one: impl Fn(&str) -> bool) {
        self.0.lock().retain(|_, place| !is_one(&place.provider.name));
    }
}
