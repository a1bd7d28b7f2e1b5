//! Where a host is in its life.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where a host is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// What the manifest wants is being started.
    #[default]
    Starting,
    /// The manifest, or something it names, is missing or wrong; it starts when that is mended.
    Waiting,
    /// It takes requests.
    Ready,
    /// It would take requests, but none of the bindings over which they come in is served.
    Unserved,
    /// It takes no more requests.
    Stopping,
}

impl Phase {
    /// The word that people and programs read.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Waiting => "waiting",
            Self::Ready => "ready",
            Self::Unserved => "unserved",
            Self::Stopping => "stopping",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
