//! Bounds of what happens on a host and can be followed; no manifest changes them.

use trellis_core::Code;

use crate::limit::{Limit, row};

/// Streams of the admin API that are open at once.
pub const STREAMS: Limit =
    row(("streams_max", "-"), (16, "streams"), Some(Code::Busy), "the stream is refused");
/// Those of one user with tokens. The host's own user has no share: its socket is its own.
pub const STREAMS_OF_USER: Limit =
    row(("streams_of_user_max", "-"), (4, "streams"), Some(Code::Busy), "the stream is refused");
/// Streams that are kept for tokens for `admin`, and as many again for the host's user.
pub const STREAMS_KEPT: Limit = row(
    ("streams_kept", "-"),
    (4, "streams"),
    Some(Code::Busy),
    "the stream of who may do less is refused",
);
/// Events that are kept for who asks later, or reads slowly.
pub const EVENTS_KEPT: Limit = row(
    ("events_kept_max", "-"),
    (1_000, "events"),
    None,
    "the oldest is forgotten; a stream that has not sent it says so",
);
/// The same in bytes, about.
pub const EVENTS_KEPT_BYTES: Limit = row(
    ("events_kept_bytes_max", "-"),
    (1 << 20, "bytes"),
    None,
    "the oldest is forgotten; a stream that has not sent it says so",
);
/// Lines of the log that are kept for who asks later, or reads slowly.
pub const LOG_KEPT_BYTES: Limit = row(
    ("log_kept_bytes_max", "-"),
    (4 << 20, "bytes"),
    None,
    "the oldest is forgotten; a stream that has not sent it says so",
);
/// Calls that are kept for one spy until they are sent.
pub const SPY_KEPT_BYTES: Limit = row(
    ("spy_kept_bytes_max", "-"),
    (1 << 20, "bytes"),
    None,
    "the oldest is forgotten, and the spy is told how many",
);
/// What a spy is shown of one payload.
pub const SPY_PAYLOAD: Limit = row(
    ("spy_payload_bytes_max", "-"),
    (4 << 10, "bytes"),
    None,
    "the rest is left out; the size is that of the whole",
);
/// Denied calls that `trellis why` knows of, and as many that failed or were spied on.
pub const DECISIONS_KEPT: Limit = row(
    ("decisions_kept_max", "-"),
    (1_000, "calls of each kind"),
    None,
    "the oldest is forgotten",
);
