//! The proof that one call was checked.

use std::borrow::Cow;

use trellis_core::{BindingId, Parties};

use crate::spec::TargetId;

/// One admitted call. Only the gate makes it, it cannot be copied, and the router takes it whole.
/// It lives no longer than the set it was made from.
#[must_use = "a permit that is not redeemed is a call that was checked for nothing"]
#[derive(Debug)]
pub struct Permit<'t>(Granted<'t>);

/// What a permit stands for, once redeemed.
#[derive(Debug)]
pub struct Granted<'t> {
    /// Who may be called.
    pub target: TargetId,
    /// The binding it goes over; `None` from actor to actor and from the host itself.
    pub binding: Option<BindingId>,
    /// Who asks whom.
    pub parties: Parties<'t>,
    /// The admitted operation.
    pub operation: Cow<'static, str>,
}

impl<'t> Permit<'t> {
    #[inline]
    pub(crate) const fn new(granted: Granted<'t>) -> Self {
        Self(granted)
    }

    /// Gives the permit up for what it stands for. For the router.
    #[must_use]
    #[inline]
    pub fn redeem(self) -> Granted<'t> {
        self.0
    }
}
