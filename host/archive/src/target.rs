//! The platforms that programs are built for, and how entries are named.

use std::env::consts::{ARCH, OS};
use std::fmt;

use trellis_core::{CallError, Code};

/// Longest name of an architecture or a system, in bytes.
const WORD_BYTES_MAX: usize = 32;
/// The name of the entry that holds the token.
pub(crate) const TOKEN_ENTRY: &str = "claims.jwt";
/// How the names of programs end.
const EXTENSION: &str = ".bin";

/// A platform, as claims and entries name it: `x86_64-linux`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Target(String);

impl Target {
    /// This machine.
    #[must_use]
    pub fn here() -> Self {
        Self(format!("{ARCH}-{OS}"))
    }

    /// An architecture and a system, as Rust names them: `x86_64` and `linux`.
    ///
    /// # Errors
    /// [`Code::Config`] for what cannot be a name of one.
    pub fn new(arch: &str, os: &str) -> Result<Self, CallError> {
        let wrong = [arch, os].into_iter().find(|word| !is_word(word));
        match wrong {
            None => Ok(Self(format!("{arch}-{os}"))),
            Some(word) => {
                let text = format!(
                    "{word:?} names no architecture or system: small letters, digits and `_`, \
                     such as x86_64 and linux"
                );
                Err(CallError::new(Code::Config, text))
            }
        }
    }

    /// The platform of that text; `None` for what is no name of one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (arch, os) = text.split_once('-')?;
        Self::new(arch, os).ok()
    }

    /// The platform of the program in an entry of that name.
    pub(crate) fn of_entry(name: &str) -> Option<Self> {
        Self::parse(name.strip_suffix(EXTENSION)?)
    }

    /// The name of the entry that holds its program.
    pub(crate) fn entry(&self) -> String {
        format!("{self}{EXTENSION}")
    }

    /// The text, such as `x86_64-linux`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_word(text: &str) -> bool {
    let plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_');
    (1..=WORD_BYTES_MAX).contains(&text.len()) && text.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_two_plain_words_are_a_platform() {
        for text in ["x86_64-linux", "aarch64-macos", "mips-linux"] {
            assert_eq!(Target::parse(text).expect(text).as_str(), text);
        }
        let long = format!("{}-linux", "a".repeat(WORD_BYTES_MAX + 1));
        for text in ["", "-", "x86_64", "x86_64-", "a-b-c", "../a-b", "A-b", "a-b\0", "ä-b", &long]
        {
            assert_eq!(Target::parse(text), None, "{text}");
        }
        assert_eq!(Target::of_entry("x86_64-linux.bin"), Target::parse("x86_64-linux"));
        assert_eq!(Target::of_entry("x86_64-linux"), None);
        assert_eq!(Target::parse(Target::here().as_str()), Some(Target::here()));
    }
}
