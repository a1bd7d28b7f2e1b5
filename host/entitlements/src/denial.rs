//! Why a call was refused.

use std::fmt;

use trellis_core::{CallError, Code, Entity};

/// The reason of a denial: a metric label, an audit field and the choice of words.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Reason {
    /// The claims do not list the capability.
    NotClaimed,
    /// The claims list the contract, but their `grants` leave this operation out.
    NotGranted,
    /// No binding by that name.
    NotBound,
    /// The contract has no such operation.
    UnknownOperation,
    /// The operation exists but goes the other way.
    WrongDirection,
    /// The claims do not let the caller call that actor.
    NotCallable,
    /// The policy said no.
    Policy,
    /// The caller itself is no longer here.
    UnknownCaller,
    /// The actor that was asked for does not run here, or not any more.
    UnknownActor,
}

impl Reason {
    /// The reason's name in logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotClaimed => "not_claimed",
            Self::NotGranted => "not_granted",
            Self::NotBound => "not_bound",
            Self::UnknownOperation => "unknown_operation",
            Self::WrongDirection => "wrong_direction",
            Self::NotCallable => "not_callable",
            Self::Policy => "policy",
            Self::UnknownCaller => "unknown_caller",
            Self::UnknownActor => "unknown_actor",
        }
    }

    const fn code(self) -> Code {
        match self {
            Self::UnknownActor => Code::NotFound,
            Self::UnknownCaller => Code::Stopping,
            _ => Code::Denied,
        }
    }
}

/// One refused call, for the caller, the audit log and the metrics.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Denial {
    /// Why.
    pub reason: Reason,
    /// Who asked; `None` when the asker is unknown.
    pub origin: Option<Entity>,
    /// The namespace it asked for: a contract id, an actor's name, or nothing real.
    pub namespace: String,
    /// The binding name it used.
    pub binding: String,
    /// The operation it asked for.
    pub operation: String,
    /// The sentence for the caller.
    pub message: String,
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Denial {}

impl From<Denial> for CallError {
    fn from(denial: Denial) -> Self {
        Self::new(denial.reason.code(), denial.message)
    }
}
