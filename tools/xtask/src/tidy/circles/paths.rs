//! The paths in a file's syntax: those that `use` brings in, and those in tokens nobody parses.

use proc_macro2::{Ident, TokenStream, TokenTree};
use syn::spanned::Spanned;
use syn::{ItemUse, UseTree};

/// A path and where it stands.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Named {
    /// Its segments.
    pub(super) path: Vec<String>,
    /// The line, counted from 1.
    pub(super) line: usize,
    /// What a `use` calls it from there on; `None` for a glob and outside of `use`.
    pub(super) alias: Option<String>,
}

/// Every name that a `use` brings in; none for one that begins with `::`.
pub(super) fn of_use(item: &ItemUse) -> Vec<Named> {
    let mut found = Vec::new();
    if item.leading_colon.is_none() {
        walk(&item.tree, &mut Vec::new(), &mut found);
    }
    found
}

fn walk(tree: &UseTree, prefix: &mut Vec<String>, found: &mut Vec<Named>) {
    let line = tree.span().start().line;
    let mut add = |last: Option<&Ident>, alias: Option<String>| {
        let path = prefix.iter().cloned().chain(last.map(Ident::to_string)).collect();
        found.push(Named { path, line, alias });
    };
    match tree {
        UseTree::Path(path) => {
            prefix.push(path.ident.to_string());
            walk(&path.tree, prefix, found);
            prefix.pop();
        }
        UseTree::Name(name) if name.ident == "self" => add(None, prefix.last().cloned()),
        UseTree::Name(name) => add(Some(&name.ident), Some(name.ident.to_string())),
        UseTree::Rename(name) if name.ident == "self" => add(None, Some(name.rename.to_string())),
        UseTree::Rename(name) => add(Some(&name.ident), Some(name.rename.to_string())),
        UseTree::Glob(_) => add(None, None),
        UseTree::Group(group) => group.items.iter().for_each(|tree| walk(tree, prefix, found)),
    }
}

/// Every path of two names and more in the tokens of a macro or an attribute; none that begins
/// with `::`, and none with `$crate`, which leads to the crate's root whoever uses the macro.
pub(super) fn of_tokens(tokens: TokenStream) -> Vec<Named> {
    let mut found = Vec::new();
    let mut path: Option<Named> = None;
    // The punctuation since the last other token.
    let mut before = String::new();
    for token in tokens {
        match token {
            TokenTree::Punct(punct) => {
                before.push(punct.as_char());
                continue;
            }
            TokenTree::Ident(name) if before == "::" => {
                // Without a path this follows a leading `::` or a generic argument.
                path.iter_mut().for_each(|path| path.path.push(name.to_string()));
            }
            TokenTree::Ident(_) if before.ends_with('$') => found.extend(path.take()),
            TokenTree::Ident(name) => {
                let line = name.span().start().line;
                let begun = Named { path: vec![name.to_string()], line, alias: None };
                found.extend(path.replace(begun));
            }
            TokenTree::Group(group) => {
                found.extend(path.take());
                found.extend(of_tokens(group.stream()));
            }
            TokenTree::Literal(_) => found.extend(path.take()),
        }
        before.clear();
    }
    found.extend(path);
    found.retain(|named| named.path.len() > 1);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(found: &[Named]) -> Vec<String> {
        found.iter().map(|named| named.path.join("::")).collect()
    }

    #[test]
    fn a_use_brings_in_names_modules_and_globs() {
        let item = "use crate::a::{self, b::*, c as d, E};";
        let found = of_use(&syn::parse_str(item).expect("a use"));
        assert_eq!(written(&found), ["crate::a", "crate::a::b", "crate::a::c", "crate::a::E"]);
        let aliases: Vec<_> = found.iter().map(|named| named.alias.as_deref()).collect();
        assert_eq!(aliases, [Some("a"), None, Some("d"), Some("E")]);
        assert!(of_use(&syn::parse_str("use ::a::b;").expect("a use")).is_empty());
    }

    #[test]
    fn paths_are_found_in_tokens() {
        let tokens = "f(a::b(), c: d::E, [::x::Y, v::<g::H>::new, one]) ; $crate::i!(), j < K::L";
        let found = of_tokens(tokens.parse().expect("tokens"));
        assert_eq!(written(&found), ["a::b", "d::E", "g::H", "K::L"]);
    }
}
