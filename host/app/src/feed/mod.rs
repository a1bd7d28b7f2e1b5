//! What a host keeps of what happens on it, for those who look or follow: bounded, and read by
//! each at its own pace. Whoever tells something waits for nobody.

mod calls;
mod decisions;
mod events;
mod feeds;
mod log_lines;
mod ring;
mod stamp;

pub(crate) use calls::Spy;
pub(crate) use decisions::{Decisions, KeptAudit};
pub(crate) use events::Events;
pub(crate) use feeds::Feeds;
pub(crate) use log_lines::{KeptLog, log_lines};
#[cfg(test)]
pub(crate) use ring::Bounds;
pub(crate) use ring::{Read, Reader, Ring};
pub(crate) use stamp::now_unix_ms;
