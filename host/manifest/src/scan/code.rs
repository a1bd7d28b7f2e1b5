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
    /// The comments that may be none: in lines with a quote too many, or with the end of a bracket
    /// in them.
    doubtful: Vec<Doubtful>,
}

/// What is a comment, or is not.
struct Doubtful {
    place: Range<usize>,
    /// Whether quotes begin before its `#` and end behind it.
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
        if comment.is_empty() {
            return;
        }
        let is_odd = |quote: char| line.matches(quote).count() % 2 == 1;
        let is_between = ['"', '\''].into_iter().any(|quote| is_quoted(line, written.len(), quote));
        // A bracket that is open before it and closed in it was hardly closed in a comment.
        let open = written.matches(['[', '{']).count() > written.matches([']', '}']).count();
        let closes = open && comment.contains([']', '}']);
        if is_between || closes || is_odd('"') || is_odd('\'') {
            self.doubtful.push(Doubtful { place, is_between });
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

/// Whether this place of a line stands in quotes, whatever stands in these.
fn is_quoted(line: &str, place: usize, quote: char) -> bool {
    let ends = |c: char| c.is_whitespace() || ",]}:".contains(c);
    let begins = |c: char| c.is_whitespace() || "[{,:-".contains(c);
    // An apostrophe in a word neither begins nor ends anything.
    let counts = |at: &usize| {
        let (before, behind) = (&line[..*at], &line[at + quote.len_utf8()..]);
        before.chars().next_back().is_none_or(begins) || behind.chars().next().is_none_or(ends)
    };
    let all = line.match_indices(quote).map(|(at, _)| at).filter(counts);
    let (before, behind): (Vec<_>, Vec<_>) = all.partition(|at| *at < place);
    before.len() % 2 == 1 && !behind.is_empty()
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
