//! What a token is good for.

use std::fmt;

/// What a user of a host may do. Each may do what the one before may.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Scope {
    /// Look at the host.
    Read,
    /// Also call what it runs.
    Operate,
    /// Also change what it runs.
    Admin,
}

impl Scope {
    /// Every scope, the least first.
    pub const ALL: [Self; 3] = [Self::Read, Self::Operate, Self::Admin];

    /// The word in tokens, manifests and command lines.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Operate => "operate",
            Self::Admin => "admin",
        }
    }

    /// The scope of that word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == word)
    }

    /// The most that a token's `scope` says: words with a space between them (RFC 8693, 4.2).
    /// `None` when one of them is not known, or there is none.
    pub(super) fn parse_all(words: &str) -> Option<Self> {
        words
            .split(' ')
            .map(Self::parse)
            .try_fold(None, |most, scope| Some(most.max(Some(scope?))))?
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_the_most_of_its_words_and_none_is_guessed() {
        assert!(Scope::Read < Scope::Operate && Scope::Operate < Scope::Admin);
        for (words, scope) in [
            ("read", Some(Scope::Read)),
            ("operate read", Some(Scope::Operate)),
            ("read admin", Some(Scope::Admin)),
            ("read write", None),
            ("Read", None),
            ("read  admin", None),
            ("", None),
        ] {
            assert_eq!(Scope::parse_all(words), scope, "{words}");
        }
    }
}
