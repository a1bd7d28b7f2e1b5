//! What a stream says beside what it is about.

use serde::{Deserialize, Serialize};

/// Data of the event `lost` in a stream: its reader was too slow, or was away for too long.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Lost {
    /// How many it should have got and does not.
    pub lost: u64,
}
