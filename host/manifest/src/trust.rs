//! Whom a manifest trusts and revokes, as far as that can be read.
//!
//! A manifest with a mistake changes nothing, but a revocation in it has to act all the same: a
//! typo elsewhere must not keep a revoked actor running. So this reader takes what it can get, and
//! it guesses in one direction only: towards revoking.

use std::collections::HashSet;
use std::sync::Arc;

use trellis_core::nearest;

use crate::nkey::{is_key, keys_at};
use crate::parse::parse;
use crate::report::Problems;
use crate::scan::{Scanned, says_revoked, scan, untaken};
use crate::source::{SourceText, Span, Spanned};
use crate::tree::{Node, Value};
use crate::understand::understood;

/// Most places that are kept of what revokes nothing: a file of nonsense has millions.
const UNREAD_MAX: usize = 1000;

/// The keys under `trust` that could be read. Every one has the form of a public key; whether it is
/// one is for the caller to find out.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct ReadableTrust {
    /// Account keys under `trust: {issuers}`, exactly where they belong.
    pub issuers: Vec<Spanned<String>>,
    /// Account, actor, provider and user keys under `trust: {revoked}`, each once, and under what
    /// was probably meant to be that.
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
        let is_parsed = problems.is_empty();
        understood(root, &mut problems);
        if is_parsed && !problems.is_empty() {
            misplaced(root, &mut found);
        }
    }
    if !problems.is_empty() {
        // The tree is missing, or something is missing in it or stands where it does not belong.
        let Scanned { revoked, unread } = scan(source, env, root.is_some());
        found.revoked.extend(revoked);
        if root.is_none() {
            found.unread = unread;
        }
    }
    found.revoked.sort();
    found.revoked.dedup();
    found.unread.sort_by_key(|place| place.start);
    found.unread.dedup();
    found.unread.truncate(UNREAD_MAX);
    found
}

/// Where keys stand in a wrong text of which `readable` is what could be read: keys that are
/// neither issuers nor revoked nor the actor of a binding, in a text that speaks of revoking.
/// Whoever wrote one there may believe that it is revoked.
#[must_use]
pub fn unrevoked(source: &SourceText, readable: &ReadableTrust) -> Vec<Span> {
    let known = readable.revoked.iter().chain(&readable.issuers).map(|key| key.as_str());
    let mut found = untaken(source, &known.collect::<HashSet<_>>());
    found.truncate(UNREAD_MAX);
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

/// Lists of revocations wherever they stand, in a manifest whose form is wrong.
fn misplaced(node: &Node, found: &mut ReadableTrust) {
    if let Value::Sequence(items) = &node.value {
        items.iter().for_each(|item| misplaced(item, found));
    }
    for (key, value) in entries(node) {
        match &value.value {
            _ if !says_revoked(key) => misplaced(value, found),
            Value::Sequence(_) => revocations(value, found),
            _ => keys_of(value, &mut found.revoked),
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
        found.extend(keys_at(text).map(|(_, key)| Spanned::new(key.to_owned(), span)));
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
