//! How far a list of revocations goes.

use super::code::Code;
use super::items::Items;
use super::names::{Kind, Name, is_end};

/// Longest anchor or tag before a value.
const ANCHOR_BYTES_MAX: usize = 64;

/// A list of revocations has been read to somewhere.
pub(super) struct List<'t> {
    text: &'t str,
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
    open: Brackets,
    /// Whether its last bracket was closed, or one around it.
    closed: bool,
    is_whole: bool,
    /// How far the line is indented that is being read, while nothing but spaces was in it.
    blank: Option<usize>,
    /// Where the last item stands that began with `-`.
    item: Option<usize>,
}

/// Brackets that are open, of both kinds.
#[derive(Default)]
struct Brackets {
    all: Vec<char>,
    squares: usize,
}

/// Where the references to variables end, looked for once per line however many begin in it.
#[derive(Default)]
pub(super) struct References {
    /// From here on, the next brace or line end is at `to`.
    from: usize,
    to: usize,
}

impl<'t> List<'t> {
    pub(super) fn of(name: &Name<'_>, code: &'t Code, is_whole: bool) -> Self {
        let text = &*code.text;
        Self {
            text,
            at: name.value,
            indent: name.indent,
            in_braces: code.is_json || name.is_inside_braces(),
            all_in_braces: code.in_braces,
            bracketed: begins_with_bracket(&text[name.value..]),
            open: Brackets::default(),
            closed: false,
            is_whole,
            blank: None,
            item: None,
        }
    }

    pub(super) const fn at(&self) -> usize {
        self.at
    }

    pub(super) const fn is_closed(&self) -> bool {
        self.closed
    }

    /// Reads on to the next name; true when the list surely ended before.
    pub(super) fn read(
        &mut self,
        until: usize,
        references: &mut References,
        items: &mut Items<'_>,
    ) -> bool {
        while self.at < until {
            let Some(c) = self.text[self.at..].chars().next() else { break };
            let next = self.at + c.len_utf8();
            self.indentation(c);
            match c {
                '$' if self.text[next..].starts_with('{') => {
                    // A reference is no bracket, closed or not.
                    self.at = references.end(self.text, next);
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
                ',' if self.open.all.len() <= 1 => items.part(self.at, self.closed),
                _ if is_end(c) && self.open.all.len() <= 1 => items.part(self.at, self.closed),
                _ => {}
            }
            if self.is_whole && self.closed {
                return true;
            }
            self.at = next;
        }
        false
    }

    /// Notes where items begin. What is indented with a tab stands nowhere.
    fn indentation(&mut self, c: char) {
        self.blank = match (c, self.blank) {
            _ if is_end(c) => Some(0),
            (' ', Some(indent)) => Some(indent + 1),
            ('-', Some(indent)) => {
                self.item = Some(indent);
                None
            }
            _ => None,
        };
    }

    fn close(&mut self, bracket: char) {
        let opens = if bracket == ']' { '[' } else { '{' };
        if self.open.close(opens) {
            self.closed |= self.open.all.is_empty() && self.bracketed;
        } else {
            // It closes something around the list, unless it was meant for one that is open.
            self.closed |= self.open.all.is_empty();
        }
    }

    /// Whether a name may be a part of the list.
    pub(super) fn goes_on_with(&self, name: &Name<'_>) -> bool {
        let exact = match name.exactly() {
            // Issuers are never revoked by being listed, however wrong the text is.
            Some(Kind::Issuers) => return false,
            exact => exact,
        };
        let is_exact = exact.is_some();
        let beside = self.stands_beside(name, exact);
        let outermost = name.column == Some(0) && !name.begins_item();
        let in_line = !name.is_first && name.is_inside_braces() && self.in_braces;
        let ends = match self.open.all.last() {
            Some('{') => is_exact && outermost && !self.all_in_braces,
            // A list has no names of its own, so it was not closed. Items may have these.
            Some(_) => is_exact && (beside || !matches!(name.word, "name" | "host" | "labels")),
            None if self.is_whole => beside || in_line,
            // Who mistyped the next name has closed the list all the same.
            None if self.closed => name.is_known(),
            None => is_exact && (beside || in_line) || outermost && self.indent > 0,
        };
        !ends
    }

    /// Whether a name stands where the next key behind the list would.
    fn stands_beside(&self, name: &Name<'_>, exact: Option<Kind>) -> bool {
        let Some(column) = name.column.filter(|_| !name.begins_item()) else { return false };
        // Pasted with its own indentation, an item may stand before the list's name.
        let in_item = self.item.is_some_and(|item| column > item);
        let outside = exact == Some(Kind::Outside);
        let beside =
            if outside { column < self.indent || column == 0 } else { column <= self.indent };
        beside && !in_item
    }
}

impl Brackets {
    fn push(&mut self, bracket: char) {
        self.squares += usize::from(bracket == '[');
        self.all.push(bracket);
    }

    /// Closes the last one of this kind, with all that are open in it; false when none is open.
    fn close(&mut self, kind: char) -> bool {
        let count = if kind == '[' { self.squares } else { self.all.len() - self.squares };
        if count == 0 {
            return false;
        }
        while let Some(last) = self.all.pop() {
            self.squares -= usize::from(last == '[');
            if last == kind {
                break;
            }
        }
        true
    }
}

impl References {
    /// Where the reference ends whose brace is at `at`; right behind that when nothing closes it
    /// in its line.
    fn end(&mut self, text: &str, at: usize) -> usize {
        if !(self.from..=self.to).contains(&at) {
            let line = &text[at..];
            let length = line.find(|c| c == '}' || is_end(c)).unwrap_or(line.len());
            (self.from, self.to) = (at, at + length);
        }
        if text[self.to..].starts_with('}') { self.to + 1 } else { at + 1 }
    }
}

/// Whether a value is a list or a mapping in brackets. An anchor and a tag may stand before it.
fn begins_with_bracket(value: &str) -> bool {
    let mut value = value.trim_start();
    for _ in 0..2 {
        if !value.starts_with(['&', '!']) {
            break;
        }
        let end = value.char_indices().take(ANCHOR_BYTES_MAX).find(|(_, c)| c.is_whitespace());
        value = end.map_or("", |(end, _)| value[end..].trim_start());
    }
    value.starts_with(['[', '{'])
}
