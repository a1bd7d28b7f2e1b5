//! The other end of the admin API: asks a host over its socket, or over its admin address.

mod ask;
mod error;
mod follow;
mod found;
mod place;

pub use ask::AdminClient;
pub use error::ClientError;
pub use follow::{Followed, Following};
pub use found::{SilentHost, hosts};
