//! What is revoked in a text that may be neither YAML nor JSON.
//!
//! Whatever has the form of a key behind `revoked` is taken for revoked, in any layout, until a
//! name that surely is not a part of it: another key of `trust`, or of the manifest. Brackets,
//! quotes and indentation may be what is wrong with the text, so they only ever tell whether such a
//! name may be a part of the list; none of them ends it.

mod found;
mod items;
mod names;

pub(crate) use found::Scanned;
use items::Items;
use names::{Kind, Name, is_end, names};

use crate::expand::Env;
use crate::source::{Format, SourceText};

/// Looks for everything named `revoked`. In a text that could be parsed (`is_whole`) its brackets
/// and its indentation can be relied on.
pub(crate) fn scan(source: &SourceText, env: Env<'_>, is_whole: bool) -> Scanned {
    let text = match source.format {
        Format::Yaml => without_comments(&source.text),
        Format::Json => source.text.clone(),
    };
    let mut found = Scanned::default();
    let mut names = names(&text).peekable();
    while let Some(name) = names.next() {
        if !name.means_revoked() {
            continue;
        }
        let mut list = List::of(&name, source.format, &text, is_whole);
        let mut items = Items::new(&text, env, name.value);
        let end = loop {
            let until = names.peek().map_or(text.len(), |next| next.start);
            if list.read(&text, until, &mut items) {
                break list.at;
            }
            match names.peek() {
                Some(next) if list.goes_on_with(next) => names.next(),
                _ => break until,
            };
        };
        items.end(end, list.closed, &mut found);
    }
    found
}

/// Where a list of revocations has been read to.
struct List {
    at: usize,
    /// How far the line is indented in which it began.
    indent: usize,
    /// Whether it stands in braces itself.
    in_braces: bool,
    /// Whether the whole text stands in braces.
    all_in_braces: bool,
    /// Whether it began with a bracket.
    bracketed: bool,
    /// The brackets that are open.
    open: Vec<char>,
    /// Whether its last bracket was closed, or one around it.
    closed: bool,
    is_whole: bool,
}

impl List {
    fn of(name: &Name<'_>, format: Format, text: &str, is_whole: bool) -> Self {
        // Anchors and tags may stand before the value.
        let value =
            text[name.value..].split_whitespace().find(|word| !word.starts_with(['&', '!']));
        Self {
            at: name.value,
            indent: name.indent,
            in_braces: format == Format::Json || name.is_inside_braces(),
            all_in_braces: text.trim_start_matches('\u{feff}').trim_start().starts_with('{'),
            bracketed: value.is_some_and(|value| value.starts_with(['[', '{'])),
            open: Vec::new(),
            closed: false,
            is_whole,
        }
    }

    /// Reads on to the next name; true when the list surely ended before.
    fn read(&mut self, text: &str, until: usize, items: &mut Items<'_>) -> bool {
        while self.at < until {
            let Some(c) = text[self.at..].chars().next() else { break };
            let next = self.at + c.len_utf8();
            match c {
                '$' if text[next..].starts_with('{') => {
                    // A reference is no bracket, closed or not.
                    let line = text[next..].split(is_end).next().unwrap_or_default();
                    self.at = next + line.find('}').map_or(1, |end| end + 1);
                    continue;
                }
                '[' | '{' => self.open.push(c),
                ']' | '}' => {
                    let was_closed = self.closed;
                    self.close(c);
                    if self.closed && !was_closed {
                        items.part(self.at, false);
                    }
                }
                ',' if self.open.len() <= 1 => items.part(self.at, self.closed),
                _ if is_end(c) && self.open.len() <= 1 => items.part(self.at, self.closed),
                _ => {}
            }
            if self.is_whole && self.closed {
                return true;
            }
            self.at = next;
        }
        false
    }

    fn close(&mut self, bracket: char) {
        let opens = if bracket == ']' { '[' } else { '{' };
        match self.open.iter().rposition(|open| *open == opens) {
            Some(place) => {
                self.open.truncate(place);
                self.closed |= place == 0 && self.bracketed;
            }
            // It closes something around the list, unless it was meant for one that is open.
            None => self.closed |= self.open.is_empty(),
        }
    }

    /// Whether a name may be a part of the list.
    fn goes_on_with(&self, name: &Name<'_>) -> bool {
        let kind = name.kind();
        let (known, exact) = match kind {
            // Issuers are never revoked by being listed, however wrong the text is.
            Kind::Issuers => return false,
            Kind::Beside { exact } | Kind::Outside { exact } => (true, exact),
            Kind::Unknown => (false, false),
        };
        let beside = name.column.is_some_and(|column| match kind {
            _ if name.begins_item() => false,
            Kind::Outside { .. } => column < self.indent || column == 0,
            Kind::Issuers | Kind::Beside { .. } | Kind::Unknown => column <= self.indent,
        });
        let outermost = name.column == Some(0) && !name.begins_item();
        let in_line = name.column.is_none() && name.is_inside_braces() && self.in_braces;
        let ends = match self.open.last() {
            Some('{') => exact && outermost && !self.all_in_braces,
            // A list has no names of its own, so it was not closed. Items may have these.
            Some(_) => known && beside || exact && !matches!(name.word, "name" | "host" | "labels"),
            None if self.is_whole => beside || in_line,
            None if self.closed => known,
            None => known && beside || outermost && self.indent > 0 || exact && in_line,
        };
        !ends
    }
}

/// The same text with spaces for comments. What may as well stand in quotes is no comment.
fn without_comments(text: &str) -> String {
    let mut without = String::with_capacity(text.len());
    for line in text.split_inclusive(is_end) {
        let code = comment(line).map_or(line, |at| &line[..at]);
        without.push_str(code);
        let rest = line[code.len()..].bytes();
        without.extend(rest.map(|byte| if is_end(byte.into()) { char::from(byte) } else { ' ' }));
    }
    without
}

fn comment(line: &str) -> Option<usize> {
    let mut quote = None;
    let mut before = ' ';
    for (at, c) in line.char_indices() {
        let begins = before.is_whitespace() || "[{,:-!&".contains(before);
        match quote {
            None if matches!(c, '"' | '\'') && begins => {
                quote = Some(c).filter(|_| line[at + 1..].contains(c));
            }
            None if c == '#' && before.is_whitespace() => return Some(at),
            Some(open) if c == open => quote = None,
            _ => {}
        }
        before = c;
    }
    None
}
