//! The proof that one call was checked.

use std::sync::Arc;

use trellis_core::Parties;

use crate::roster::{LinkId, TargetId};

/// One admitted call. Only the gate makes it, it cannot be copied, and the router takes it whole.
#[must_use = "a permit that is not redeemed is a call that was checked for nothing"]
#[derive(Debug)]
pub struct Permit(Granted);

/// What a permit stands for, once redeemed.
#[derive(Debug)]
pub struct Granted {
    /// Who may be called.
    pub target: TargetId,
    /// The binding it goes over; `None` from actor to actor and from the host itself.
    pub link: Option<LinkId>,
    /// Who asks whom.
    pub parties: Arc<Parties>,
    /// The admitted operation.
    pub operation: Arc<str>,
}

impl Permit {
    #[inline]
    pub(crate) const fn new(granted: Granted) -> Self {
        Self(granted)
    }

    /// Gives the permit up for what it stands for. For the router.
    #[must_use]
    #[inline]
    pub fn redeem(self) -> Granted {
        self.0
    }
}
