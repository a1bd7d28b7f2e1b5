//! The admin API: what a host tells its owner, and what it does for them.
//!
//! Over the admin socket, which is a file of the host's user, comes everything (`/v1/…`). Over the
//! admin address come `/livez`, `/readyz`, `/healthz` and `/metrics` for anybody, and `/v1/…` for
//! users that the manifest names, who show a token. It speaks plain HTTP, so bind it to loopback or
//! a private network.

mod access;
mod answers;
mod api;
mod bearer;
mod data;
mod edit;
mod follow;
mod in_turn;
mod invoke;
mod listener;
mod listing;
mod loads;
mod mistaken;
mod paced;
mod pass;
mod probes;
mod route;
mod router;
mod socket;
mod spy;
mod stream;
mod working;

pub(crate) use api::Admin;
pub(crate) use invoke::{MESSAGE_PACK, TIMEOUT_HEADER};
pub(crate) use socket::{AdminSocket, SocketFile};
