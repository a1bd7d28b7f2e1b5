//! The protocol's number, names and limits.

/// The protocol that this crate speaks; a `hello` names it.
pub const PROTOCOL: u32 = 1;
/// The environment variable with the path of the host's socket.
pub const SOCKET_VARIABLE: &str = "TRELLIS_PROVIDER_SOCKET";
/// The environment variable with the one-time token that a `hello` repeats.
pub const TOKEN_VARIABLE: &str = "TRELLIS_PROVIDER_TOKEN";

/// Longest frame, in bytes: the largest message of an actor with default limits, and what stands
/// around it.
pub const FRAME_BYTES_MAX: usize = (17 << 20) + (64 << 10);
/// Most values in a frame, each item of each list and map counted: what is made of one takes far
/// more memory than the byte that it may stand in. A payload is one value.
pub const FRAME_VALUES_MAX: usize = 500_000;
/// Longest first frame of a provider, in bytes: nothing is known of who sends it.
pub const HELLO_BYTES_MAX: usize = 1 << 20;
/// Most bytes that wait to be read by the other side.
pub const UNREAD_BYTES_MAX: usize = 64 << 20;
