//! Keys in a wrong text that nothing revokes, though the text speaks of revoking.

use std::collections::HashSet;
use std::ops::Range;

use super::code::Code;
use super::names::{Kind, Name, names, says_revoked};
use crate::nkey::keys_at;
use crate::source::{SourceText, Span};

/// What a key stands behind.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Behind {
    /// The issuers.
    Issuers,
    /// The actor of a binding, which may be named by its key, or the key of a user.
    Named,
    /// Anything else.
    Other,
}

/// The first place of each key that is neither `revoked` nor an issuer nor the actor of a binding
/// nor a user's, when the text speaks of revoking: whoever wrote it there may believe that it is
/// revoked.
pub(crate) fn untaken(source: &SourceText, revoked: &HashSet<&str>) -> Vec<Span> {
    if !says_revoked(&source.text) {
        return Vec::new();
    }
    let code = Code::of(source);
    let mut known = revoked.clone();
    let mut found = Vec::new();
    let mut behind = Behind::Other;
    let mut start = 0;
    for name in names(&code.text).map(Some).chain([None]) {
        let end = name.as_ref().map_or(code.text.len(), |name| name.start);
        let part = start..end.max(start);
        match behind {
            Behind::Issuers => known.extend(keys_at(&code.text[part]).map(|(_, key)| key)),
            Behind::Named => {}
            Behind::Other => found.extend(keys_in(&code.text, part)),
        }
        start = end.max(start);
        behind = name.map_or(behind, |name| next(behind, &name));
    }
    found.extend(code.doubtful().flat_map(|part| keys_in(&source.text, part)));
    // A key that was found is known from then on.
    found.retain(|(_, key)| known.insert(key));
    found.sort_unstable();
    found.into_iter().map(|(start, key)| Span { start, len: key.len() }).collect()
}

fn keys_in(text: &str, part: Range<usize>) -> impl Iterator<Item = (usize, &str)> {
    let start = part.start;
    keys_at(&text[part]).map(move |(at, key)| (start + at, key))
}

fn next(before: Behind, name: &Name<'_>) -> Behind {
    match name.exactly() {
        Some(Kind::Issuers) => Behind::Issuers,
        None if matches!(name.word, "actor" | "key") => Behind::Named,
        None if before == Behind::Issuers && !name.means_revoked() => before,
        _ => Behind::Other,
    }
}
