//! Providers as processes of their own: the protocol between a host and a provider's process, and
//! [`main()`], which makes any [`ProviderFactory`](crate::ProviderFactory) such a process.
//!
//! The host makes a Unix socket and starts the process with [`SOCKET_VARIABLE`] and
//! [`TOKEN_VARIABLE`] in its environment. The process connects and says hello; from then on both
//! sides send frames, as many at once as they like, within the limits below:
//!
//! | the host sends | the provider answers |
//! |---|---|
//! | `create` with the provider's values | `ready`, or `result` with an error |
//! | `check` with all that a manifest wants | `result` with what is wrong |
//! | `bind`, `unbind` | `result` |
//! | `call` | `result`; none after a `cancel` |
//! | `health` | `healthy`, with addresses and samples |
//! | `shutdown` | ends |
//!
//! and the provider sends `invoke`, which the host answers with `invoked`, and `log`.
//!
//! A frame is a length (four bytes, the highest first) and a MessagePack map with that many bytes:
//! [`FromHost`] or [`FromProvider`]. Whatever else comes ends the connection.

mod frame;
mod outbox;
mod protocol;
mod requests;
mod runner;
mod transport;

pub use frame::{Failure, FromHost, FromProvider, LogLevel, Offer};
pub use outbox::Outbox;
pub use protocol::{
    FRAME_BYTES_MAX, FRAME_VALUES_MAX, HELLO_BYTES_MAX, PROTOCOL, SOCKET_VARIABLE, TOKEN_VARIABLE,
    UNREAD_BYTES_MAX,
};
pub use requests::{Pending, Requests};
pub use runner::main;
pub use transport::{Frames, encode};
