//! What is revoked in a text that may be neither YAML nor JSON.
//!
//! Whatever has the form of a key behind `revoked` is taken for revoked, in any layout, until a
//! name that surely is not a part of it: another key of `trust`, or of the manifest. Brackets,
//! quotes and indentation may be what is wrong with the text, so they only ever tell whether such a
//! name may be a part of the list; none of them ends it.
//!
//! A reload waits for this, so each part of a text is looked at a bounded number of times.

mod code;
mod found;
mod items;
mod list;
mod names;
mod untaken;
mod users;

use code::Code;
pub(crate) use found::Scanned;
use items::Items;
use list::{List, References};
use names::names;
pub(crate) use names::says_revoked;
pub(crate) use untaken::untaken;
pub(crate) use users::users_in;

use crate::expand::Env;
use crate::nkey::keys_at;
use crate::source::{SourceText, Span, Spanned};

/// Looks for everything named `revoked`. In a text that could be parsed (`is_whole`) its brackets
/// and its indentation can be relied on.
pub(crate) fn scan(source: &SourceText, env: Env<'_>, is_whole: bool) -> Scanned {
    let code = Code::of(source);
    let text = &*code.text;
    let mut found = Scanned::default();
    let mut references = References::default();
    let mut items = Items::new(text, env);
    let mut names = names(text).peekable();
    while let Some(name) = names.next() {
        if !name.means_revoked() {
            continue;
        }
        let mut list = List::of(&name, &code, is_whole);
        items.begin(name.value);
        let end = loop {
            let until = names.peek().map_or(text.len(), |next| next.start);
            if list.read(until, &mut references, &mut items) {
                break list.at();
            }
            match names.peek() {
                Some(next) if list.goes_on_with(next) => names.next(),
                _ => break until,
            };
        };
        items.end(end, list.is_closed(), &mut found);
        // What a comment is in a text that could be parsed is known.
        if !is_whole {
            let quoted = code.quoted_in(name.value..end);
            found.revoked.extend(quoted.flat_map(|place| keys_of(source, place)));
        }
    }
    found
}

/// The keys in a stretch of a text.
fn keys_of(
    source: &SourceText,
    place: std::ops::Range<usize>,
) -> impl Iterator<Item = Spanned<String>> + '_ {
    let start = place.start;
    keys_at(&source.text[place]).map(move |(at, key)| {
        Spanned::new(key.to_owned(), Span { start: start + at, len: key.len() })
    })
}
