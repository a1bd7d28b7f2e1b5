//! The items of a list that may be neither YAML nor JSON: which hold a key, and which do not.

use std::collections::HashMap;

use super::found::Scanned;
use crate::expand::Env;
use crate::nkey::{damaged_at, keys_at};
use crate::source::{Span, Spanned};

/// Lists of revocations, taken apart at their commas and line ends.
pub(super) struct Items<'t> {
    text: &'t str,
    env: Env<'t>,
    /// Variables that were looked at, with whether there is a key in what they hold.
    variables: HashMap<&'t str, bool>,
    /// Where the part begins that is being read.
    start: usize,
    found: Scanned,
    item: Item,
}

/// One item, of one or more parts.
#[derive(Default)]
struct Item {
    /// Where its text begins.
    first: Option<Span>,
    /// Whether there is a key in it.
    is_read: bool,
    /// Whether it may go on in lines with a colon.
    is_mapping: bool,
}

impl<'t> Items<'t> {
    pub(super) fn new(text: &'t str, env: Env<'t>) -> Self {
        let variables = HashMap::new();
        Self { text, env, variables, start: 0, found: Scanned::default(), item: Item::default() }
    }

    /// A list begins here.
    pub(super) const fn begin(&mut self, start: usize) {
        self.start = start;
    }

    /// A part ends here. Behind the end of the list (`is_over`) only keys matter.
    pub(super) fn part(&mut self, end: usize, is_over: bool) {
        let start = std::mem::replace(&mut self.start, end);
        let text = self.text;
        let part = text[start..end].trim_start_matches(',');
        let start = end - part.len();
        let at = |(at, text): (usize, &str)| Span { start: start + at, len: text.len() };
        let known = self.found.revoked.len();
        let keys = keys_at(part).map(|key| Spanned::new(key.1.to_owned(), at(key)));
        self.found.revoked.extend(keys);
        let mut is_read = self.found.revoked.len() > known;
        for (place, name) in variables(part) {
            let span = at((place, &part[place..place + name.len() + "${".len()]));
            is_read |= self.variable(name, span);
        }
        let written = part.trim_start();
        let begins = written.strip_prefix('-').filter(|rest| !rest.starts_with('-'));
        let text = bare(part);
        if text.is_none() && begins.is_none() {
            return;
        }
        let has_colon = text.is_some_and(|(_, text)| text.contains(':'));
        if !(has_colon && begins.is_none() && self.item.is_mapping) {
            self.end_item();
            self.item.is_mapping = begins.is_some() && (has_colon || text.is_none());
        }
        self.item.is_read |= is_read;
        if is_read {
            self.found.unread.extend(damaged_at(part).map(at));
        }
        if let Some(text) = text.filter(|_| !is_over)
            && self.item.first.is_none()
        {
            self.item.first = Some(at(text));
        }
    }

    /// Takes the keys that a variable holds; true when there are any.
    fn variable(&mut self, name: &'t str, span: Span) -> bool {
        if let Some(holds_keys) = self.variables.get(name) {
            return *holds_keys;
        }
        let value = (self.env)(name).unwrap_or_default();
        let known = self.found.revoked.len();
        let keys = keys_at(&value).map(|(_, key)| Spanned::new(key.to_owned(), span));
        self.found.revoked.extend(keys);
        let holds_keys = self.found.revoked.len() > known;
        self.variables.insert(name, holds_keys);
        holds_keys
    }

    fn end_item(&mut self) {
        let item = std::mem::take(&mut self.item);
        if !item.is_read {
            self.found.unread.extend(item.first);
        }
    }

    /// What was taken for the list ends here.
    pub(super) fn end(&mut self, end: usize, is_over: bool, found: &mut Scanned) {
        self.part(end.max(self.start), is_over);
        self.end_item();
        found.revoked.append(&mut self.found.revoked);
        found.unread.append(&mut self.found.unread);
    }
}

/// The names of the variables in a text, with the places of their references.
pub(super) fn variables(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.match_indices("${").map(|(at, mark)| {
        let inside = &text[at + mark.len()..];
        let end = inside.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        (at, &inside[..end.unwrap_or(inside.len())])
    })
}

/// A part without what stands around it; `None` when nothing is left.
fn bare(part: &str) -> Option<(usize, &str)> {
    let around = |c: char| c.is_whitespace() || "[]{}-\"'|>?\\,=".contains(c);
    let mut text = part.trim_matches(around);
    // Anchors and tags are not what is listed.
    while text.starts_with(['&', '!']) {
        text =
            text.find(char::is_whitespace).map_or("", |end| text[end..].trim_start_matches(around));
    }
    let is_remark = text.starts_with("//") || text.starts_with("/*");
    let is_item = text.contains(char::is_alphanumeric) && !is_remark;
    is_item.then(|| (text.as_ptr().addr() - part.as_ptr().addr(), text))
}
