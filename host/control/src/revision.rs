//! The changes of what a host is to run.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One change of what is wanted.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Revision {
    /// Its number: 1 is the manifest with which the host started.
    pub revision: u64,
    /// When, in seconds since 1970.
    pub at_unix_s: u64,
    /// How it came to be wanted.
    pub by: ChangedBy,
    /// Who asked for it: `socket`, or the key of a user.
    pub who: Option<String>,
    /// What an edit is about, such as `actor counter`.
    pub subject: Option<String>,
    /// What an edit has there from then on: the file or the image, and what is known of it.
    pub version: Option<String>,
    /// What was to change, as steps in words.
    pub what: Vec<String>,
    /// How many further steps are not listed.
    pub more: usize,
    /// What came of it.
    pub outcome: RevisionOutcome,
    /// The calls that were seen while it was watched; `None` when it was not.
    pub seen: Option<CallsSeen>,
    /// The reason of that, where there is one to tell.
    pub why: Option<String>,
}

/// How the calls of a version went while it was watched.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct CallsSeen {
    /// Those that ended.
    pub calls: u64,
    /// Those of them that failed by its fault.
    pub failed: u64,
}

/// How a change came to be wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangedBy {
    /// The manifest, at the start or since it is another one.
    Manifest,
    /// An owner of the host.
    Edit,
    /// An owner who took an edit back.
    Rollback,
    /// The host, which took an edit back.
    Automatic,
}

/// What came of a change.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RevisionOutcome {
    /// It is under way.
    Applying,
    /// It was done, and is watched: it may be taken back.
    Watched,
    /// It was done.
    Applied,
    /// Some of it could not be had so far, and is tried again.
    Failed,
    /// It was taken back by the host.
    TakenBack,
    /// It was to be taken back by the host, and what ran before cannot be had: it stays.
    NotTakenBack,
}

impl ChangedBy {
    /// The word that people and programs read.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Manifest => "manifest",
            Self::Edit => "edit",
            Self::Rollback => "rollback",
            Self::Automatic => "automatic",
        }
    }
}

impl RevisionOutcome {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Applying,
        Self::Watched,
        Self::Applied,
        Self::Failed,
        Self::TakenBack,
        Self::NotTakenBack,
    ];

    /// The word that people and programs read.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Applying => "applying",
            Self::Watched => "watched",
            Self::Applied => "applied",
            Self::Failed => "failed",
            Self::TakenBack => "taken_back",
            Self::NotTakenBack => "not_taken_back",
        }
    }

    /// True when nothing else comes of it by itself.
    #[must_use]
    pub const fn is_final(self) -> bool {
        !matches!(self, Self::Applying | Self::Watched)
    }
}

impl fmt::Display for ChangedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Display for RevisionOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Display for CallsSeen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.calls, self.failed) {
            (0, _) => f.write_str("no call came while it was watched"),
            (1, failed) => write!(f, "1 call was seen, of which {failed} failed"),
            (calls, failed) => write!(f, "{calls} calls were seen, of which {failed} failed"),
        }
    }
}

impl fmt::Display for Revision {
    /// What changed, by whom, and when by number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let more = if self.more > 0 { format!(" and {} more", self.more) } else { String::new() };
        write!(f, "{} by {}: {}{more}", self.revision, self.by, self.what.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_those_of_json() {
        for by in [ChangedBy::Manifest, ChangedBy::Edit, ChangedBy::Rollback, ChangedBy::Automatic]
        {
            assert_eq!(serde_json::to_value(by).expect("a word"), by.as_str());
        }
        for outcome in RevisionOutcome::ALL {
            assert_eq!(serde_json::to_value(outcome).expect("a word"), outcome.as_str());
        }
    }
}
