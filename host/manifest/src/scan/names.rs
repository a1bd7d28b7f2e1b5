//! The names in a text that may be neither YAML nor JSON: words with a colon behind them.

use trellis_core::nearest;

/// A name is not longer; a longer word is compared with nothing.
const NAME_BYTES_MAX: usize = 24;

/// What may stand beside `revoked`.
const BESIDE: &[&str] = &["issuers", "revoked", "unsigned"];

/// What may stand beside `trust`, by all its names.
const OUTSIDE: &[&str] = &[
    "name",
    "labels",
    "trust",
    "actors",
    "providers",
    "capabilities",
    "bindings",
    "links",
    "host",
];

/// A word that names what follows it.
pub(super) struct Name<'t> {
    pub(super) word: &'t str,
    /// Where the word begins, and where what it names does.
    pub(super) start: usize,
    pub(super) value: usize,
    /// How far the line is indented in which it stands.
    pub(super) indent: usize,
    /// How far in its line it stands; `None` when it is not the first in it.
    pub(super) column: Option<usize>,
    /// What stands before it in its line, except quotes.
    before: Option<char>,
}

/// What a name is the name of, as far as its word tells.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Certainly the issuers.
    Issuers,
    /// Another key of `trust`.
    Beside { exact: bool },
    /// Another key of the manifest.
    Outside { exact: bool },
    /// Nothing that is known.
    Unknown,
}

impl Name<'_> {
    pub(super) fn kind(&self) -> Kind {
        let word = self.word;
        if word.eq_ignore_ascii_case("issuers") {
            return Kind::Issuers;
        }
        if word.len() > NAME_BYTES_MAX {
            return Kind::Unknown;
        }
        match self.nearest() {
            Some(near) if BESIDE.contains(&near) => Kind::Beside { exact: near == word },
            Some(near) => Kind::Outside { exact: near == word },
            None => Kind::Unknown,
        }
    }

    fn nearest(&self) -> Option<&'static str> {
        nearest(self.word, BESIDE.iter().chain(OUTSIDE).copied())
    }

    /// Whether this was probably meant to be `revoked`.
    pub(super) fn means_revoked(&self) -> bool {
        // Most names are far from it, which is cheaper to find out.
        let near =
            || nearest(self.word, ["revoked"]).is_some() && self.nearest() == Some("revoked");
        self.word.ends_with("revoked") || (self.word.len() <= NAME_BYTES_MAX && near())
    }

    /// Whether it stands behind a comma or a brace.
    pub(super) const fn is_inside_braces(&self) -> bool {
        matches!(self.before, Some(',' | '{'))
    }

    /// Whether it is the first in an item that begins with `-`.
    pub(super) const fn begins_item(&self) -> bool {
        matches!(self.before, Some('-'))
    }
}

/// The names of a text, in its order. Comments are not looked into: they must be gone.
pub(super) fn names(text: &str) -> impl Iterator<Item = Name<'_>> {
    let mut line = Line::at(text, 0);
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            let start = at + text[at..].find(is_part)?;
            // What lies between two words is looked through once.
            if let Some(end) = text[at..start].rfind(is_end) {
                line = Line::at(text, at + end + 1);
            }
            let rest = &text[start..];
            at = start + rest.find(|c| !is_part(c)).unwrap_or(rest.len());
            if let Some(name) = name(text, line, start, at) {
                return Some(name);
            }
        }
    })
}

/// The line in which a word stands.
#[derive(Clone, Copy)]
struct Line {
    start: usize,
    indent: usize,
}

impl Line {
    fn at(text: &str, start: usize) -> Self {
        let line = &text[start..];
        Self { start, indent: line.len() - line.trim_start_matches([' ', '\t']).len() }
    }
}

fn name(text: &str, line: Line, start: usize, end: usize) -> Option<Name<'_>> {
    let word = &text[start..end];
    let spaced = text[end..].trim_start_matches(is_quote).trim_start();
    let colon = spaced.strip_prefix(':');
    let value = colon.or_else(|| word.ends_with("revoked").then_some(spaced))?;
    let value = text.len() - value.len();
    let before = &text[line.start..start];
    let front = before.trim_end_matches(is_space_or_quote);
    let items = front.trim_end_matches(|c| c == '-' || is_space_or_quote(c));
    let column = items.is_empty().then(|| before.trim_end_matches(is_quote).len());
    let before = front.chars().next_back();
    let name = Name { word, start, value, indent: line.indent, column, before };
    (colon.is_some() || lacks_colon(&name, &text[end..])).then_some(name)
}

/// Whether this is `revoked` with a list behind it and the colon forgotten.
fn lacks_colon(name: &Name<'_>, behind: &str) -> bool {
    let behind = behind.trim_start_matches(is_quote);
    let value = behind.trim_start();
    let on_a_new_line = behind[..behind.len() - value.len()].contains(is_end);
    let begins = value.starts_with(['[', '{', '=']) || (on_a_new_line && value.starts_with("- "));
    let is_name = (name.column.is_some() && !name.begins_item()) || name.is_inside_braces();
    begins && is_name
}

fn is_part(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '.')
}

fn is_quote(c: char) -> bool {
    matches!(c, '"' | '\'' | '\\')
}

fn is_space_or_quote(c: char) -> bool {
    matches!(c, ' ' | '\t' | '?') || is_quote(c)
}

/// Whether a line ends here.
pub(super) fn is_end(c: char) -> bool {
    matches!(c, '\n' | '\r')
}
