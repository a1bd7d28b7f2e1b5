//! The proof that one call was checked.

use std::borrow::Cow;

use trellis_core::{BindingId, Parties};

use crate::spec::TargetId;

/// One admitted call. Only the gate makes it, it cannot be copied, and the router takes it whole.
/// It lives no longer than the set it was made from.
#[must_use = "a permit that is not redeemed is a call that was checked for nothing"]
#[derive(Debug)]
pub struct Permit<'t>(Granted<'t>);

/// What a permit stands for, once redeemed. It only borrows, so that the compiler can keep it in
/// registers all the way from the gate to the route: moving it through memory took a fifth of the
/// time of a check.
#[derive(Debug)]
pub struct Granted<'t> {
    /// Who may be called.
    pub target: TargetId,
    /// The binding it goes over; `None` from actor to actor and from the host itself.
    pub binding: Option<BindingId>,
    /// Who asks whom.
    pub parties: Parties<'t>,
    /// The admitted operation.
    pub operation: Admitted<'t>,
}

/// The name of an admitted operation.
#[derive(Clone, Copy, Debug)]
pub enum Admitted<'t> {
    /// One of a contract, or one the host itself asked for.
    Known(&'t Cow<'static, str>),
    /// One of an actor's own, in its caller's words.
    Named(&'t str),
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

impl<'t> Admitted<'t> {
    /// The name.
    #[must_use]
    #[inline]
    pub fn as_str(self) -> &'t str {
        match self {
            Self::Known(name) => name,
            Self::Named(name) => name,
        }
    }

    /// The name, for longer; that of most contracts costs nothing.
    #[must_use]
    #[inline]
    pub fn to_cow(self) -> Cow<'static, str> {
        match self {
            Self::Known(Cow::Borrowed(name)) => Cow::Borrowed(name),
            Self::Known(name) => name.clone(),
            Self::Named(name) => Cow::Owned(name.to_owned()),
        }
    }
}
