//! Actors that ran here and do not any more, by the names they had.

use std::sync::Arc;

use trellis_claims::ActorClaims;

use crate::cow::CowMap;

/// Most names that are remembered. Beyond it all are forgotten: a call to one of them is then
/// denied, as to an actor that never ran.
const NAMES_MAX: usize = 10_000;

/// Names that nobody has any more, with the claims of who had them last: whether a caller was
/// allowed to call an actor by its key or its issuer shows only in those.
#[derive(Clone, Default, Debug)]
pub(crate) struct Departed {
    by_name: CowMap<Arc<str>, Arc<ActorClaims>>,
    count: usize,
}

impl Departed {
    pub(crate) fn get(&self, name: &str) -> Option<&Arc<ActorClaims>> {
        self.by_name.get(name)
    }

    /// Nobody has the name any more.
    pub(crate) fn add(&mut self, name: &str, claims: &Arc<ActorClaims>) {
        if self.count >= NAMES_MAX {
            *self = Self::default();
        }
        if self.by_name.insert(Arc::from(name), Arc::clone(claims)).is_none() {
            self.count += 1;
        }
    }

    /// Somebody has the name again.
    pub(crate) fn forget(&mut self, name: &str) {
        if self.by_name.remove(name).is_some() {
            self.count -= 1;
        }
    }
}
