//! Rules for Rust files, on the syntax tree: function length and crate pages.

use proc_macro2::Span;
use syn::spanned::Spanned;
use syn::visit::Visit;
use syn::{Block, ImplItemFn, ItemFn, TraitItemFn};

use crate::report::Problem;

/// A function fits a screen.
const FUNCTION_LINES_MAX: usize = 70;

/// What a crate page must say besides what the crate is for.
const ABSENT: &str = "Deliberately absent";

/// Every rule that this file breaks.
pub(super) fn check(path: &str, text: &str) -> Vec<Problem> {
    let file = match syn::parse_file(text) {
        Ok(file) => file,
        Err(error) => {
            let line = error.span().start().line;
            return vec![Problem::new(path, line, format!("not valid Rust: {error}"))];
        }
    };
    let mut functions = Functions { path, problems: Vec::new() };
    functions.visit_file(&file);
    let mut problems = functions.problems;
    if is_crate_page(path) {
        problems.extend(crate_page(path, text));
    }
    problems
}

fn lines(span: Span) -> usize {
    span.end().line - span.start().line + 1
}

/// Collects functions that do not fit a screen.
struct Functions<'a> {
    path: &'a str,
    problems: Vec<Problem>,
}

impl Functions<'_> {
    fn measure(&mut self, name: &syn::Ident, block: &Block) {
        let count = lines(block.span());
        if count > FUNCTION_LINES_MAX {
            let message = format!("`{name}` has {count} lines; at most {FUNCTION_LINES_MAX}");
            self.problems.push(Problem::new(self.path, name.span().start().line, message));
        }
    }
}

impl<'ast> Visit<'ast> for Functions<'_> {
    fn visit_item_fn(&mut self, function: &'ast ItemFn) {
        self.measure(&function.sig.ident, &function.block);
        syn::visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast ImplItemFn) {
        self.measure(&function.sig.ident, &function.block);
        syn::visit::visit_impl_item_fn(self, function);
    }

    fn visit_trait_item_fn(&mut self, function: &'ast TraitItemFn) {
        if let Some(block) = &function.default {
            self.measure(&function.sig.ident, block);
        }
        syn::visit::visit_trait_item_fn(self, function);
    }
}

fn is_crate_page(path: &str) -> bool {
    path.ends_with("src/lib.rs") || path == "tools/xtask/src/main.rs"
}

fn crate_page(path: &str, text: &str) -> Vec<Problem> {
    let page: Vec<&str> = text.lines().take_while(|line| line.starts_with("//!")).collect();
    if page.is_empty() {
        let message = "no crate page: start with `//!` and say what the crate is for";
        return vec![Problem::new(path, 1, message)];
    }
    if page.iter().any(|line| line.contains(ABSENT)) {
        return Vec::new();
    }
    let message = format!("the crate page does not say what is `**{ABSENT}:**`");
    vec![Problem::new(path, 1, message)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(lines: usize) -> String {
        format!("fn long() {{\n{}}}\n", "    step();\n".repeat(lines - 2))
    }

    #[test]
    fn a_function_fits_a_screen() {
        assert!(check("a.rs", &function(FUNCTION_LINES_MAX)).is_empty());
        let problems = check("a.rs", &function(FUNCTION_LINES_MAX + 1));
        assert_eq!(problems[0].to_string(), "a.rs:1: `long` has 71 lines; at most 70");
        let method = format!("struct S;\nimpl S {{\n{}}}\n", function(80));
        assert_eq!(check("a.rs", &method)[0].line, 3);
    }

    #[test]
    fn a_crate_says_what_is_absent() {
        let page = "//! For something.\n//!\n//! **Deliberately absent:** more.\n";
        assert!(check("host/engine/src/lib.rs", page).is_empty());
        assert_eq!(check("host/engine/src/lib.rs", "//! For something.\n").len(), 1);
        assert_eq!(check("host/engine/src/lib.rs", "mod a;\n").len(), 1);
        assert!(check("host/engine/src/pool.rs", "mod a;\n").is_empty());
    }

    #[test]
    fn a_broken_file_is_a_problem_not_a_panic() {
        assert_eq!(check("a.rs", "fn (\n")[0].line, 1);
    }
}
