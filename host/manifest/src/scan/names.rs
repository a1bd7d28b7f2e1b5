//! The names in a text that may be neither YAML nor JSON: words with a colon behind them.

use trellis_core::nearest;

use crate::nkey::is_key;

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
    /// Whether it is the first in its line.
    pub(super) is_first: bool,
    /// How far in its line it stands; `None` when it is not the first in it, or when nobody can say
    /// how far because a tab stands before it.
    pub(super) column: Option<usize>,
    /// What stands before it in its line, except quotes.
    before: Option<char>,
}

/// What a name is the name of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The issuers.
    Issuers,
    /// Another key of `trust`.
    Beside,
    /// Another key of the manifest.
    Outside,
}

impl Name<'_> {
    /// What it certainly is the name of.
    pub(super) fn exactly(&self) -> Option<Kind> {
        if self.word.eq_ignore_ascii_case("issuers") {
            Some(Kind::Issuers)
        } else if BESIDE.contains(&self.word) {
            Some(Kind::Beside)
        } else {
            OUTSIDE.contains(&self.word).then_some(Kind::Outside)
        }
    }

    /// Whether it is a name that is known, or was meant to be one.
    pub(super) fn is_known(&self) -> bool {
        self.exactly().is_some() || self.near(BESIDE.iter().chain(OUTSIDE).copied()).is_some()
    }

    /// Whether this was probably meant to be `revoked`.
    pub(super) fn means_revoked(&self) -> bool {
        // Most names are far from it, which is cheaper to find out.
        says_revoked(self.word)
            || self.near(["revoked"].into_iter()).is_some()
                && self.near(BESIDE.iter().chain(OUTSIDE).copied()) == Some("revoked")
    }

    fn near(&self, known: impl Iterator<Item = &'static str>) -> Option<&'static str> {
        if self.word.len() > NAME_BYTES_MAX {
            return None;
        }
        // Words of very different length are different words, which is cheaper to find out.
        let length = self.word.chars().count();
        let fits = |known: &&str| length <= 2 * known.len() && known.len() <= 2 * length;
        nearest(self.word, known.filter(fits))
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

/// Whether a text speaks of what is revoked.
pub(crate) fn says_revoked(text: &str) -> bool {
    // Revoke, revoked, revoking; revocation.
    const STEMS: [&[u8; 5]; 2] = [b"revok", b"revoc"];
    let is_stem = |letters: &[u8]| STEMS.iter().any(|stem| letters.eq_ignore_ascii_case(*stem));
    text.as_bytes().windows(STEMS[0].len()).any(is_stem)
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
    let behind = &text[end..];
    let spaced = behind.trim_start_matches(is_quote).trim_start();
    let colon = spaced.strip_prefix([':', '\u{ff1a}']);
    let start = colon.map_or(start, |_| hyphenated(text, start, end));
    let word = &text[start..end];
    let may_lack = || says_revoked(word).then(|| spaced.strip_prefix(';').unwrap_or(spaced));
    let value = text.len() - colon.or_else(may_lack)?.len();
    let before = &text[line.start..start];
    let front = before.trim_end_matches(is_space_or_quote);
    let items = front.trim_end_matches(|c| c == '-' || is_space_or_quote(c));
    let is_first = items.is_empty();
    let column =
        (is_first && !before.contains('\t')).then(|| before.trim_end_matches(is_quote).len());
    let before = front.chars().next_back();
    let name = Name { word, start, value, indent: line.indent, is_first, column, before };
    (colon.is_some() || lacks_colon(&name, behind)).then_some(name)
}

/// Where a word begins that is a part of one with hyphens, if that speaks of what is revoked.
fn hyphenated(text: &str, start: usize, end: usize) -> usize {
    let mut whole = start;
    while end - whole <= NAME_BYTES_MAX {
        let Some(before) = text[..whole].strip_suffix('-') else { break };
        let part = before.len() - before.trim_end_matches(is_part).len();
        if part == 0 || part > NAME_BYTES_MAX {
            break;
        }
        whole = before.len() - part;
    }
    if says_revoked(&text[whole..end]) { whole } else { start }
}

/// Whether this is `revoked` with a list behind it and the colon forgotten.
fn lacks_colon(name: &Name<'_>, behind: &str) -> bool {
    let behind = behind.trim_start_matches(is_quote);
    let value = behind.trim_start();
    let on_a_new_line = behind[..behind.len() - value.len()].contains(is_end);
    let begins = value.starts_with(['[', '{', '=', ';'])
        || (on_a_new_line && value.starts_with("- "))
        || (!on_a_new_line && begins_with_key(value));
    let is_name = (name.is_first && !name.begins_item()) || name.is_inside_braces();
    begins && is_name
}

fn begins_with_key(value: &str) -> bool {
    let value = value.trim_start_matches(is_quote);
    let word = value.split(|c: char| !c.is_ascii_alphanumeric()).next();
    value.starts_with("${") || word.is_some_and(is_key)
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
