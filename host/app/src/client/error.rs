//! Why a host does not do what it was asked for.

use std::fmt;

use trellis_control::Fault;

/// Why a host does not do what it was asked for. Each says where it was asked.
#[derive(Debug)]
pub enum ClientError {
    /// Nobody answers as a host does.
    Unreachable {
        /// Where.
        place: String,
        /// What was found there.
        why: String,
    },
    /// Somebody is there, and did not answer in time.
    Late {
        /// Where.
        place: String,
        /// How long it was waited for, in milliseconds.
        waited_ms: u128,
    },
    /// Nobody listens at the socket: its host is gone.
    Gone {
        /// Which.
        place: String,
    },
    /// The socket may not be used by this user.
    Forbidden {
        /// Which.
        place: String,
    },
    /// Another user serves the socket, who is told nothing.
    Foreign {
        /// Which.
        place: String,
        /// The user's id.
        user: u32,
    },
    /// The host says no.
    Refused(Box<Fault>),
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable { place, why } => write!(f, "no host answers at {place}: {why}"),
            Self::Late { place, waited_ms } => {
                write!(f, "the host at {place} did not answer within {waited_ms} ms")
            }
            Self::Gone { place } => write!(f, "no host answers at {place}: it is gone"),
            Self::Forbidden { place } => write!(f, "{place} is another user's"),
            Self::Foreign { place, user } => {
                write!(f, "{place} is served by user {user}, not by yours")
            }
            Self::Refused(fault) => f.write_str(&fault.message),
        }
    }
}

impl std::error::Error for ClientError {}
