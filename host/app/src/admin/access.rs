//! Who may ask for what.

use std::net::SocketAddr;

/// What whoever came in may ask for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Access {
    /// Everything: the user of the host, or root, over its socket.
    Owner,
    /// Probes and metrics, over the admin address from there; for all else who asks has to show
    /// who that is.
    Anybody(SocketAddr),
    /// Nothing: another user, over the socket.
    Stranger,
}

impl Access {
    /// The access of a user who came in over the socket of a host of `own`.
    pub(super) const fn of_peer(user: u32, own: u32) -> Self {
        if user == own || user == 0 { Self::Owner } else { Self::Stranger }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_is_for_its_user_and_root() {
        for (user, own, access) in [
            (1_000, 1_000, Access::Owner),
            (0, 1_000, Access::Owner),
            (0, 0, Access::Owner),
            (1_001, 1_000, Access::Stranger),
            (1_000, 0, Access::Stranger),
        ] {
            assert_eq!(Access::of_peer(user, own), access, "{user} at {own}");
        }
    }
}
