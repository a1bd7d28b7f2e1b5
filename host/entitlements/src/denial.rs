//! Why a call was refused: it was denied, or one of its two ends is not here.

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
        }
    }
}

/// One denied call, for the caller, the audit log and the metrics.
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

/// A call whose caller or callee does not run here (any more). Nobody is suspected of anything: it
/// happens whenever an actor or a provider is stopped while others use it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Absence {
    /// Which end is not here.
    pub end: AbsentEnd,
    /// Who asked; `None` when it is the one who is not here.
    pub origin: Option<Entity>,
    /// The actor or the contract it asked for.
    pub namespace: String,
    /// The operation it asked for.
    pub operation: String,
    /// The sentence for the caller.
    pub message: String,
}

/// Which end of a call is not here.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum AbsentEnd {
    /// The actor that asks is being stopped.
    Caller,
    /// The actor that was asked for does not run.
    Callee,
    /// Nothing serves the binding now, though the manifest has it.
    Provider,
}

impl AbsentEnd {
    /// The end's name in logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Callee => "callee",
            Self::Provider => "provider",
        }
    }

    const fn code(self) -> Code {
        match self {
            Self::Caller => Code::Stopping,
            Self::Callee => Code::NotFound,
            Self::Provider => Code::Provider,
        }
    }
}

/// Why a call does not pass the gate.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// It may not be made.
    Denied(Denial),
    /// It cannot be made, whether or not it may.
    Absent(Absence),
}

impl From<Refusal> for CallError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Denied(denial) => Self::new(Code::Denied, denial.message),
            Refusal::Absent(absence) => Self::new(absence.end.code(), absence.message),
        }
    }
}
