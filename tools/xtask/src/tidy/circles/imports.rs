//! Which file of a crate names items of which other file.

use std::collections::BTreeMap;

use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Attribute, Item, ItemMod, ItemUse, Macro, Meta, Path, Visibility};

use super::paths::{self, Named};
use super::tree::{File, Module, Tree};
use crate::tidy::test_code::is_for_tests;

/// One file names an item of another.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Import {
    /// The file that names it.
    pub(super) from: String,
    /// The file it leads to.
    pub(super) to: String,
    /// The line in `from`, counted from 1.
    pub(super) line: usize,
    /// The path as written, such as `crate::pool::Pool`.
    pub(super) path: String,
}

/// The imports between the files of a crate: the first of each pair of files.
///
/// A path leads to the file of the last module in it, so an item that is re-exported counts as
/// the file of the re-export. A `mod` declaration is no import, nor is a `use` of a module for
/// itself: what is named by it is.
pub(super) fn of_crate(tree: &Tree) -> Vec<Import> {
    tree.files().iter().flat_map(|file| of_file(tree, file)).collect()
}

fn of_file(tree: &Tree, file: &File) -> Vec<Import> {
    let mut uses = Uses { module: file.module.clone(), found: Vec::new() };
    uses.visit_file(&file.syntax);
    let mut reader = Reader {
        tree,
        from: &file.path,
        module: file.module.clone(),
        aliases: aliases(tree, &uses.found),
        found: BTreeMap::new(),
    };
    reader.visit_file(&file.syntax);
    reader.found.into_values().collect()
}

/// Names that `use` gives to modules, by the module they hold in.
type Aliases = BTreeMap<(Module, String), Module>;

/// An alias may begin with another one, so all are tried until no new one is found.
fn aliases(tree: &Tree, uses: &[(Module, Named)]) -> Aliases {
    let mut aliases = Aliases::new();
    loop {
        let before = aliases.len();
        for (module, named) in uses {
            let Some(alias) = &named.alias else { continue };
            if let Some(target) = whole_module(tree, &aliases, module, &named.path) {
                aliases.insert((module.clone(), alias.clone()), target);
            }
        }
        if aliases.len() == before {
            return aliases;
        }
    }
}

fn follow(
    tree: &Tree,
    aliases: &Aliases,
    module: &Module,
    path: &[String],
) -> Option<(Module, usize)> {
    let alias = |name: &str| aliases.get(&(module.clone(), name.to_owned())).cloned();
    tree.follow(module, path, alias)
}

/// The module that a path names, when it names one and not an item in one.
fn whole_module(
    tree: &Tree,
    aliases: &Aliases,
    module: &Module,
    path: &[String],
) -> Option<Module> {
    let (target, taken) = follow(tree, aliases, module, path)?;
    (taken == path.len()).then_some(target)
}

/// Collects what a file brings in by `use`, with the module it is brought into.
struct Uses {
    module: Module,
    found: Vec<(Module, Named)>,
}

impl<'ast> Visit<'ast> for Uses {
    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        let named = paths::of_use(item).into_iter();
        self.found.extend(named.map(|named| (self.module.clone(), named)));
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        self.module.push(item.ident.to_string());
        visit::visit_item_mod(self, item);
        self.module.pop();
    }
}

/// Collects what a file imports, by the file it leads to.
struct Reader<'a> {
    tree: &'a Tree,
    from: &'a str,
    module: Module,
    aliases: Aliases,
    found: BTreeMap<String, Import>,
}

impl Reader<'_> {
    fn meet(&mut self, named: &Named) {
        let target = follow(self.tree, &self.aliases, &self.module, &named.path);
        let home = target.and_then(|(module, _)| self.tree.home(&module));
        let Some(to) = home.filter(|to| *to != self.from).map(str::to_owned) else { return };
        self.found.entry(to.clone()).or_insert_with(|| Import {
            from: self.from.to_owned(),
            to,
            line: named.line,
            path: named.path.join("::"),
        });
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        if !is_for_tests(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        self.module.push(item.ident.to_string());
        visit::visit_item_mod(self, item);
        self.module.pop();
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        let public = !matches!(item.vis, Visibility::Inherited);
        for named in paths::of_use(item) {
            let module = whole_module(self.tree, &self.aliases, &self.module, &named.path);
            if public || named.alias.is_none() || module.is_none() {
                self.meet(&named);
            }
        }
    }

    fn visit_path(&mut self, path: &'ast Path) {
        if path.leading_colon.is_none() && path.segments.len() > 1 {
            let line = path.span().start().line;
            let path = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
            self.meet(&Named { path, line, alias: None });
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        self.visit_path(&call.path);
        paths::of_tokens(call.tokens.clone()).iter().for_each(|named| self.meet(named));
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        if let Meta::List(list) = &attribute.meta {
            paths::of_tokens(list.tokens.clone()).iter().for_each(|named| self.meet(named));
        }
    }

    /// `pub(in path)` says who may name an item, and names none.
    fn visit_visibility(&mut self, _: &'ast Visibility) {}
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}
