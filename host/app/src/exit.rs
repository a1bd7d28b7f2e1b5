//! Exit codes, decided in one place for `host` and `trellis`.

use std::process::ExitCode;

use trellis_core::{Code, ErrorKind};

/// How a command ended, as its exit code tells scripts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exit {
    /// It did what was asked.
    Ok,
    /// It failed.
    Failed,
    /// The command line is wrong.
    Usage,
    /// Something named does not exist.
    NotFound,
    /// A signature, the trust list or a policy refuses.
    Denied,
    /// Time ran out, or nobody answered.
    Timeout,
    /// A module or manifest is invalid.
    Invalid,
    /// Interrupted by the user.
    Interrupted,
}

impl Exit {
    /// The number.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::NotFound => 3,
            Self::Denied => 4,
            Self::Timeout => 5,
            Self::Invalid => 6,
            Self::Interrupted => 130,
        }
    }

    /// The exit that fits an error code.
    #[must_use]
    pub const fn of(code: Code) -> Self {
        match code.kind() {
            // Nobody answered.
            _ if matches!(code, Code::Registry) => Self::Timeout,
            ErrorKind::Denied => Self::Denied,
            ErrorKind::NotFound => Self::NotFound,
            ErrorKind::Deadline | ErrorKind::Lattice => Self::Timeout,
            ErrorKind::Invalid => Self::Invalid,
            ErrorKind::Busy | ErrorKind::Guest | ErrorKind::Provider => Self::Failed,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
