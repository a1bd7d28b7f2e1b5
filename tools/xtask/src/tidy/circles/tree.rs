//! The modules of a crate, and which file each of them is in.

use std::collections::BTreeMap;

use syn::{Item, ItemMod};

use crate::tidy::test_code::is_for_tests;

/// The path of a module from the root of its crate.
pub(super) type Module = Vec<String>;

/// Reads a file; `None` when it is missing or not text.
pub(super) type Read<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The modules of one crate, found by following its `mod` declarations; tests are left out.
pub(super) struct Tree {
    files: Vec<File>,
    /// The path of the file that each module is in.
    homes: BTreeMap<Module, String>,
}

/// One file of a crate.
pub(super) struct File {
    /// Its path.
    pub(super) path: String,
    /// The module that it is.
    pub(super) module: Module,
    /// What it holds.
    pub(super) syntax: syn::File,
}

impl Tree {
    /// The crate that begins at a file such as `src/lib.rs`.
    pub(super) fn read(root: &str, read: Read<'_>) -> Self {
        let mut tree = Self { files: Vec::new(), homes: BTreeMap::new() };
        let folder = root.rsplit_once('/').map_or("", |(folder, _)| folder);
        tree.add_file(Module::new(), root, folder, read);
        tree
    }

    /// Every file.
    pub(super) fn files(&self) -> &[File] {
        &self.files
    }

    /// The path of the file that a module is in.
    pub(super) fn home(&self, module: &Module) -> Option<&str> {
        self.homes.get(module).map(String::as_str)
    }

    /// Follows a path from `module` as far as it leads through modules: the last of them, and how
    /// many segments that took. `None` when it begins with none of this crate's modules, by the
    /// names of modules in the file as `alias` knows them.
    pub(super) fn follow(
        &self,
        module: &Module,
        path: &[String],
        alias: impl Fn(&str) -> Option<Module>,
    ) -> Option<(Module, usize)> {
        let first = path.first()?.as_str();
        let (mut at, mut taken) = match first {
            "crate" => (Module::new(), 1),
            "self" => (module.clone(), 1),
            "super" => (module.clone(), 0),
            name => (self.child(module, name).or_else(|| alias(name))?, 1),
        };
        while let Some(segment) = path.get(taken) {
            if segment == "super" {
                at.pop();
            } else if let Some(child) = self.child(&at, segment) {
                at = child;
            } else {
                break;
            }
            taken += 1;
        }
        Some((at, taken))
    }

    fn child(&self, module: &Module, name: &str) -> Option<Module> {
        let child = below(module, name);
        self.homes.contains_key(&child).then_some(child)
    }

    /// Adds a file and what it declares. A file that cannot be read or parsed is passed over:
    /// other checks name it.
    fn add_file(&mut self, module: Module, path: &str, folder: &str, read: Read<'_>) {
        let Some(syntax) = read(path).and_then(|text| syn::parse_file(&text).ok()) else { return };
        self.add_modules(&module, &syntax.items, (path, folder), read);
        self.homes.insert(module.clone(), path.to_owned());
        self.files.push(File { path: path.to_owned(), module, syntax });
    }

    /// Adds the modules that a file declares; those with files of their own are below `folder`.
    fn add_modules(
        &mut self,
        module: &Module,
        items: &[Item],
        (path, folder): (&str, &str),
        read: Read<'_>,
    ) {
        for item in items {
            let Item::Mod(ItemMod { attrs, ident, content, .. }) = item else { continue };
            if is_for_tests(attrs) {
                continue;
            }
            let name = ident.to_string();
            let (child, folder) = (below(module, &name), format!("{folder}/{name}"));
            if let Some((_, items)) = content {
                self.add_modules(&child, items, (path, &folder), read);
                self.homes.insert(child, path.to_owned());
                continue;
            }
            let places = [format!("{folder}.rs"), format!("{folder}/mod.rs")];
            if let Some(place) = places.into_iter().find(|place| read(place).is_some()) {
                self.add_file(child, &place, &folder, read);
            }
        }
    }
}

fn below(module: &Module, name: &str) -> Module {
    module.iter().cloned().chain([name.to_owned()]).collect()
}
