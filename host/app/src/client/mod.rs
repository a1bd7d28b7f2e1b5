//! The other end of the admin API: asks a host over its socket.

mod ask;
mod error;
mod found;

pub use ask::AdminClient;
pub use error::ClientError;
pub use found::hosts;
