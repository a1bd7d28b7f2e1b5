//! A text without its comments, as far as one can tell what a comment is.

use std::ops::Range;

use super::names::is_end;
use crate::source::{Format, SourceText};

/// A text in which the comments are spaces.
pub(super) struct Code {
    pub(super) text: String,
    /// Whether the whole of it stands in braces.
    pub(super) in_braces: bool,
    /// Whether it is JSON.
    pub(super) is_json: bool,
    /// The comments in lines with a quote too many: they may be none.
    doubtful: Vec<Doubtful>,
}

/// What is a comment, or stands in quotes.
struct Doubtful {
    place: Range<usize>,
    /// Whether there are quotes on both sides of its `#`.
    is_between: bool,
}

impl Code {
    pub(super) fn of(source: &SourceText) -> Self {
        let is_json = source.format == Format::Json;
        let written = source.text.trim_start_matches('\u{feff}').trim_start();
        let in_braces = written.starts_with('{');
        let mut code = Self { text: String::new(), in_braces, is_json, doubtful: Vec::new() };
        if is_json {
            code.text.clone_from(&source.text);
            return code;
        }
        code.text.reserve(source.text.len());
        for line in source.text.split_inclusive(is_end) {
            code.line(line);
        }
        code
    }

    fn line(&mut self, line: &str) {
        let written = comment(line).map_or(line, |at| &line[..at]);
        let comment = &line[written.len()..];
        self.text.push_str(written);
        let start = self.text.len();
        let blank = |byte: u8| if is_end(byte.into()) { char::from(byte) } else { ' ' };
        self.text.extend(comment.bytes().map(blank));
        let place = start..self.text.len();
        for quote in ['"', '\''] {
            let [before, behind] = [written, comment].map(|part| part.matches(quote).count());
            if (before + behind) % 2 == 1 && !comment.is_empty() {
                let is_between = before > 0 && behind > 0;
                self.doubtful.push(Doubtful { place: place.clone(), is_between });
            }
        }
    }

    /// The comments that begin in a list and probably stand in quotes there.
    pub(super) fn quoted_in(&self, list: Range<usize>) -> impl Iterator<Item = Range<usize>> {
        let first = self.doubtful.partition_point(|it| it.place.start < list.start);
        let here = self.doubtful[first..].iter().take_while(move |it| it.place.start < list.end);
        here.filter(|it| it.is_between).map(|it| it.place.clone())
    }

    /// All comments that may be none.
    pub(super) fn doubtful(&self) -> impl Iterator<Item = Range<usize>> {
        self.doubtful.iter().map(|it| it.place.clone())
    }
}

/// Where the comment of a line begins. What may as well stand in quotes is no comment.
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
