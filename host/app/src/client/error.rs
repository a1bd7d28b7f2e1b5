//! Why a host does not do what it was asked for.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use trellis_control::Fault;

/// Why a host does not do what it was asked for.
#[derive(Debug)]
pub enum ClientError {
    /// Nobody answers as a host does.
    Unreachable {
        /// Where.
        socket: PathBuf,
        /// What was found there.
        why: String,
    },
    /// Nobody listens at the socket: its host is gone.
    Gone {
        /// Which.
        socket: PathBuf,
    },
    /// The socket may not be used by this user.
    Forbidden {
        /// Which.
        socket: PathBuf,
    },
    /// Another user serves the socket, who is told nothing.
    Foreign {
        /// Which.
        socket: PathBuf,
        /// The user's id.
        user: u32,
    },
    /// The host says no.
    Refused(Box<Fault>),
}

impl ClientError {
    pub(super) fn of_connecting(socket: &Path, error: &io::Error) -> Self {
        let socket = socket.to_owned();
        let why = match error.kind() {
            io::ErrorKind::PermissionDenied => return Self::Forbidden { socket },
            io::ErrorKind::NotFound => "there is no socket".to_owned(),
            io::ErrorKind::ConnectionRefused => return Self::Gone { socket },
            _ => error.to_string(),
        };
        Self::Unreachable { socket, why }
    }
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable { socket, why } => {
                write!(f, "no host answers at {}: {why}", socket.display())
            }
            Self::Gone { socket } => {
                write!(f, "no host answers at {}: it is gone", socket.display())
            }
            Self::Forbidden { socket } => write!(f, "{} is another user's", socket.display()),
            Self::Foreign { socket, user } => {
                write!(f, "{} is served by user {user}, not by yours", socket.display())
            }
            Self::Refused(fault) => f.write_str(&fault.message),
        }
    }
}

impl std::error::Error for ClientError {}
