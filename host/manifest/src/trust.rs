//! Whom a manifest trusts and revokes, as far as that can be read.
//!
//! A manifest with a mistake changes nothing, but a revocation in it has to act all the same: a
//! typo elsewhere must not keep a revoked actor running. So this reader takes what it can get, and
//! it guesses in one direction only: towards revoking.

use std::sync::Arc;

use trellis_core::nearest;

use crate::parse::parse;
use crate::report::Problems;
use crate::source::{Format, SourceText, Span, Spanned};
use crate::tree::{Node, Value};

/// Length of a public key's text (an nkey).
const KEY_CHARS: usize = 56;

/// The keys under `trust` that could be read. Every one has the form of a public key; whether it is
/// one is for the caller to find out.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct ReadableTrust {
    /// Account keys under `trust: {issuers}`, exactly where they belong.
    pub issuers: Vec<Spanned<String>>,
    /// Account and actor keys under `trust: {revoked}`, each once, and under what was probably
    /// meant to be that.
    pub revoked: Vec<Spanned<String>>,
    /// Where something else stands there: it revokes nothing.
    pub unread: Vec<Span>,
}

/// Reads the keys of `trust`, whatever else is wrong with the manifest; `env` answers what `${VAR}`
/// stands for.
///
/// When [`read`](crate::read) succeeds this finds the same keys and has no use. The text of a file
/// that is not UTF-8 is in the report of [`SourceText::from_bytes`].
#[must_use]
pub fn readable_trust(source: &SourceText, env: &dyn Fn(&str) -> Option<String>) -> ReadableTrust {
    let mut problems = Problems::default();
    let mut found = ReadableTrust::default();
    let root = parse(source, env, &mut problems);
    if let Some(root) = &root {
        parsed(root, &mut found);
    }
    if !problems.is_empty() {
        // The tree is missing, or something is missing in it.
        let scanned = scan(source);
        found.revoked.extend(scanned.revoked);
        if root.is_none() {
            found.unread = scanned.unread;
        }
    }
    found.revoked.sort();
    found.revoked.dedup();
    found
}

fn parsed(root: &Node, found: &mut ReadableTrust) {
    for (key, node) in entries(root) {
        if key.as_str() == "trust" {
            issuers(node, &mut found.issuers);
        }
        match nearest(key, ["trust", "revoked"]) {
            Some("trust") => {
                let revoked = entries(node).iter().filter(|(key, _)| means_revoked(key));
                revoked.for_each(|(_, node)| revocations(node, found));
            }
            Some(_) => revocations(node, found),
            None => {}
        }
    }
}

fn entries(node: &Node) -> &[(Spanned<String>, Arc<Node>)] {
    match &node.value {
        Value::Mapping(entries) => entries,
        _ => &[],
    }
}

fn means_revoked(key: &str) -> bool {
    nearest(key, ["issuers", "revoked", "unsigned"]) == Some("revoked")
}

/// The issuers of a `trust` that is written as it should be.
fn issuers(trust: &Node, found: &mut Vec<Spanned<String>>) {
    let lists = entries(trust).iter().filter(|(key, _)| key.as_str() == "issuers");
    for (_, list) in lists {
        let Value::Sequence(items) = &list.value else { continue };
        for item in items {
            if let Value::Scalar { text, .. } = &item.value
                && is_key(text)
            {
                found.push(Spanned::new(text.clone(), item.span));
            }
        }
    }
}

/// Every key in a list of revocations, and the items without any.
fn revocations(node: &Node, found: &mut ReadableTrust) {
    match &node.value {
        Value::Sequence(items) => items.iter().for_each(|item| revocations(item, found)),
        Value::Null => {}
        _ => {
            let known = found.revoked.len();
            keys_of(node, &mut found.revoked);
            if found.revoked.len() == known {
                found.unread.push(node.span);
            }
        }
    }
}

/// Every key in a value, whatever its form.
fn keys_of(node: &Node, found: &mut Vec<Spanned<String>>) {
    let mut take = |text: &str, span: Span| {
        found.extend(words(text).map(|(_, key)| Spanned::new(key.to_owned(), span)));
    };
    match &node.value {
        Value::Scalar { text, .. } => take(text, node.span),
        Value::Sequence(items) => items.iter().for_each(|item| keys_of(item, found)),
        Value::Mapping(entries) => {
            entries.iter().for_each(|(key, _)| take(key, key.span));
            entries.iter().for_each(|(_, value)| keys_of(value, found));
        }
        Value::Null | Value::Unknown => {}
    }
}

/// What stands in a list named `revoked`, in a text that may be neither YAML nor JSON.
fn scan(source: &SourceText) -> ReadableTrust {
    let mut found = ReadableTrust::default();
    let mut inside = Inside::Nothing;
    let mut start = 0;
    for line in source.text.split_inclusive('\n') {
        let line_start = start;
        start += line.len();
        let line = match source.format {
            Format::Yaml => without_comment(line),
            Format::Json => line,
        };
        if !inside.goes_on_in(line) {
            inside = Inside::Nothing;
        }
        let from = match inside {
            Inside::Nothing => after_revoked(line),
            _ => Some(0),
        };
        let Some(from) = from else { continue };
        let list = &line[from..];
        // A colon means that another key begins: the bracket was not closed.
        let end = list.find([']', ':']).unwrap_or(list.len());
        let at = |(at, text): (usize, &str)| {
            let span = Span { start: line_start + from + at, len: text.len() };
            Spanned::new(text.to_owned(), span)
        };
        found.revoked.extend(words(&list[..end]).map(at));
        let items =
            if list[end..].starts_with(':') { without_last(&list[..end]) } else { &list[..end] };
        found.unread.extend(unread_items(items).map(|item| at(item).span));
        inside = match (end < list.len(), list.contains('[') || inside == Inside::Brackets) {
            (true, _) => Inside::Nothing,
            (false, true) => Inside::Brackets,
            (false, false) => Inside::Items,
        };
    }
    found
}

/// Where a line of the text stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Inside {
    /// In no list that matters.
    Nothing,
    /// In a list that began with `[`.
    Brackets,
    /// Among items that begin with `-`.
    Items,
}

impl Inside {
    fn goes_on_in(self, line: &str) -> bool {
        let line = line.trim();
        match self {
            Self::Nothing => false,
            Self::Brackets => !line.split(']').next().is_some_and(|list| list.contains(':')),
            Self::Items => line.is_empty() || line.starts_with('-'),
        }
    }
}

/// The offset behind `revoked:`, in quotes or not.
fn after_revoked(line: &str) -> Option<usize> {
    const WORD: &str = "revoked";
    line.match_indices(WORD).find_map(|(at, _)| {
        let rest = line[at + WORD.len()..].trim_start_matches(['"', '\'']);
        let value = rest.trim_start().strip_prefix(':')?;
        Some(line.len() - value.len())
    })
}

fn without_comment(line: &str) -> &str {
    let starts = |at: usize| at == 0 || line[..at].ends_with([' ', '\t']);
    let comment = line.match_indices('#').find(|(at, _)| starts(*at));
    comment.map_or(line, |(at, _)| &line[..at])
}

/// The items of a list before the last one, which is a key that is not part of it.
fn without_last(list: &str) -> &str {
    list.rfind(',').map_or("", |at| &list[..at])
}

/// The items of a list that hold no text of the form of a key.
fn unread_items(list: &str) -> impl Iterator<Item = (usize, &str)> {
    let around = |c: char| c.is_whitespace() || "[]{}-\"'".contains(c);
    let items = list.split(',').filter(|item| words(item).next().is_none());
    let items = items.map(move |item| item.trim_matches(around)).filter(|item| !item.is_empty());
    items.map(|item| (item.as_ptr().addr() - list.as_ptr().addr(), item))
}

/// The public keys of accounts and actors in a text that should be one of them, by their form.
pub fn keys_in(text: &str) -> impl Iterator<Item = &str> {
    words(text).map(|(_, key)| key)
}

/// The words of a text that have the form of an account's or an actor's public key.
fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| is_key(word));
    words.map(|word| (word.as_ptr().addr() - text.as_ptr().addr(), word))
}

fn is_key(word: &str) -> bool {
    let base32 = |byte: u8| matches!(byte, b'A'..=b'Z' | b'2'..=b'7');
    word.len() == KEY_CHARS && word.starts_with(['A', 'M']) && word.bytes().all(base32)
}
