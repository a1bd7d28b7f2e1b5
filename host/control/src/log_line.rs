//! Lines of a host's log.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// How much a line matters, the most first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    /// Something failed.
    Error,
    /// Something is not as it should be.
    Warn,
    /// Something happened.
    Info,
    /// What helps to find a mistake.
    Debug,
    /// Each step.
    Trace,
}

/// One line of a host's log: of the host itself, of an actor or of a provider.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LogLine {
    /// When, as RFC 3339 has it.
    pub time: String,
    /// How much it matters.
    pub level: LogLevel,
    /// Where it is from: `actor` and `provider` are what these print, `call` are calls that failed,
    /// `audit` is what was refused; else a part of the host.
    pub target: String,
    /// The sentence.
    pub message: String,
    /// What is said besides, such as `actor` and `code`.
    pub fields: BTreeMap<String, String>,
}

/// The targets of what others print.
const PRINTED: [&str; 2] = ["actor", "provider"];
/// The fields that name an actor or a provider.
const NAMES: [&str; 5] = ["actor", "provider", "callee", "origin", "key"];

impl LogLevel {
    /// All of them, the most important first.
    pub const ALL: [Self; 5] = [Self::Error, Self::Warn, Self::Info, Self::Debug, Self::Trace];

    /// The word that people and programs read.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }

    /// The level of that name.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.as_str() == word)
    }
}

impl LogLine {
    /// True when it says something of the actor or the provider of that name or key: a field names
    /// it, or a sentence of the host does. What others print may have any word in it.
    #[must_use]
    pub fn concerns(&self, name: &str) -> bool {
        let is_others = PRINTED.contains(&&*self.target);
        NAMES.iter().any(|field| self.fields.get(*field).is_some_and(|it| it == name))
            || (!is_others && has_word(&self.message, name))
    }
}

/// Whether a text has this name in it, and not as a part of another.
fn has_word(text: &str, name: &str) -> bool {
    let goes_on =
        |next: Option<char>| next.is_some_and(|it| it.is_alphanumeric() || "-_".contains(it));
    !name.is_empty()
        && text.match_indices(name).any(|(at, _)| {
            let (before, after) = (&text[..at], &text[at + name.len()..]);
            !goes_on(before.chars().next_back()) && !goes_on(after.chars().next())
        })
}

impl fmt::Display for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// `2026-12-01T09:30:00.000Z  warn counter: it is late code=E_TIMEOUT`
impl fmt::Display for LogLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = NAMES.iter().find_map(|field| self.fields.get(*field));
        let from = name.unwrap_or(&self.target);
        write!(f, "{} {:>5} {from}: {}", self.time, self.level, self.message)?;
        let others = self.fields.iter().filter(|(key, _)| !NAMES.contains(&&***key));
        others.into_iter().try_for_each(|(key, value)| write!(f, " {key}={value}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_of_whom_it_names_and_reads_back() {
        let field = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let line = LogLine {
            time: "2026-12-01T09:30:00.000Z".to_owned(),
            level: LogLevel::Warn,
            target: "call".to_owned(),
            message: "it is late".to_owned(),
            fields: [field("callee", "counter"), field("code", "E_TIMEOUT")].into(),
        };
        let text = "2026-12-01T09:30:00.000Z  warn counter: it is late code=E_TIMEOUT";
        assert_eq!(line.to_string(), text);
        assert!(line.concerns("counter") && !line.concerns("E_TIMEOUT") && !line.concerns("call"));
        let of = |target: &str, message: &str| LogLine {
            target: target.to_owned(),
            message: message.to_owned(),
            fields: BTreeMap::new(),
            ..line.clone()
        };
        for message in
            ["replaced actor shop", "`shop` is late", "shop", "of shop: it is late", "shops shop"]
        {
            assert!(of("trellis_supervisor::owner", message).concerns("shop"), "{message}");
            assert!(!of("actor", message).concerns("shop"), "an actor prints it: {message}");
        }
        for message in ["", "shops", "my-shop", "shop-2", "workshop", "shop_a"] {
            assert!(!of("trellis_supervisor::owner", message).concerns("shop"), "{message}");
        }
        assert!(!of("call", "a b").concerns(""));
        let json = serde_json::to_string(&line).expect("it is data");
        assert_eq!(serde_json::from_str::<LogLine>(&json).expect("it reads back"), line);
        for level in LogLevel::ALL {
            assert_eq!(LogLevel::parse(level.as_str()), Some(level));
            assert_eq!(serde_json::to_value(level).expect("a word"), level.as_str());
        }
        assert!(LogLevel::Error < LogLevel::Trace && LogLevel::parse("loud").is_none());
    }
}
