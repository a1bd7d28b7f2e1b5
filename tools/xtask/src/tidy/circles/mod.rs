//! No circle of files: a file that needs another one is never needed by it, however far around.
//!
//! Files in a circle can only be read, tested and changed together: they are one file in several
//! pieces. What both sides need belongs into a file of its own.

mod imports;
mod paths;
mod tree;

use std::collections::{BTreeMap, VecDeque};

use self::imports::Import;
use self::tree::{Read, Tree};
use crate::report::Problem;

/// The one file that may stand in a circle. clap's derive names the options of every command in
/// it, and the command that writes shell completions needs the whole command line to write.
const COMMAND_LINE: &str = "tools/cli/src/cli.rs";

/// Every circle between the files of this repository's crates.
pub(super) fn check(files: &[String], read: Read<'_>) -> Vec<Problem> {
    let roots = files.iter().filter(|path| is_root(path));
    roots.flat_map(|root| of_crate(root, read)).collect()
}

/// True for the file a crate begins at: a library, a program, or a test with files of its own.
fn is_root(path: &str) -> bool {
    let Some((folder, file)) = path.rsplit_once('/') else { return false };
    match file {
        "lib.rs" => folder.ends_with("src"),
        "main.rs" => folder.ends_with("src") || folder.contains("/tests/"),
        _ => false,
    }
}

/// One problem for each circle of a crate.
fn of_crate(root: &str, read: Read<'_>) -> Vec<Problem> {
    let mut imports = imports::of_crate(&Tree::read(root, read));
    imports.retain(|import| import.to != COMMAND_LINE);
    imports.sort();
    let mut problems = Vec::new();
    while let Some(circle) = shortest(&imports) {
        problems.push(problem(&circle));
        // The next circle is another one: it shares no import with this one.
        imports.retain(|import| !circle.contains(import));
    }
    problems
}

fn problem(circle: &[Import]) -> Problem {
    let steps = circle.iter().map(|import| {
        let (from, line, path) = (&import.from, import.line, &import.path);
        format!("{from}:{line} names `{path}`")
    });
    let steps = steps.collect::<Vec<_>>().join(", ");
    let message = format!("a circle of files: {steps}; move what both need to a file of its own");
    Problem::new(&circle[0].from, circle[0].line, message)
}

/// The shortest circle; the first in the order of paths when several are as short.
fn shortest(imports: &[Import]) -> Option<Vec<Import>> {
    let circles = imports.iter().filter_map(|import| {
        let mut circle = vec![import.clone()];
        circle.extend(way(imports, &import.to, &import.from)?);
        Some(circle)
    });
    circles.min_by_key(Vec::len)
}

/// The shortest way from one file to another.
fn way(imports: &[Import], start: &str, end: &str) -> Option<Vec<Import>> {
    let mut came_by: BTreeMap<&str, &Import> = BTreeMap::new();
    let mut waiting = VecDeque::from([start]);
    while let Some(file) = waiting.pop_front() {
        for import in imports.iter().filter(|import| import.from == file) {
            if import.to != start && !came_by.contains_key(import.to.as_str()) {
                came_by.insert(&import.to, import);
                waiting.push_back(&import.to);
            }
        }
        if came_by.contains_key(end) {
            break;
        }
    }
    let mut way = Vec::new();
    let mut at = end;
    while at != start {
        let import = *came_by.get(at)?;
        way.insert(0, import.clone());
        at = &import.from;
    }
    Some(way)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said of a crate of these files.
    fn circles(files: &[(&str, &str)]) -> Vec<String> {
        let read = |path: &str| {
            let text = files.iter().find(|(name, _)| *name == path)?.1;
            Some(text.to_owned())
        };
        let names: Vec<_> = files.iter().map(|(name, _)| (*name).to_owned()).collect();
        check(&names, &read).iter().map(Problem::to_string).collect()
    }

    #[test]
    fn files_that_need_one_another_are_named_with_their_lines() {
        let files = [
            ("a/src/lib.rs", "mod pool;\nmod guest;\nmod leaf;\n"),
            ("a/src/pool.rs", "use crate::leaf::Leaf;\nuse crate::guest::{self, Guest};\n"),
            ("a/src/guest.rs", "fn run() {\n    super::pool::put();\n}\n"),
            ("a/src/leaf.rs", "pub struct Leaf;\n"),
        ];
        assert_eq!(
            circles(&files),
            ["a/src/guest.rs:2: a circle of files: a/src/guest.rs:2 names `super::pool::put`, \
              a/src/pool.rs:2 names `crate::guest::Guest`; \
              move what both need to a file of its own"]
        );
    }

    #[test]
    fn a_way_around_three_files_is_a_circle() {
        let files = [
            ("a/src/main.rs", "mod a;\nmod b;\nmod c;\n"),
            ("a/src/a.rs", "use crate::b;\nfn a() { b::f() }\n"),
            ("a/src/b.rs", "fn b() { vec![crate::c::f()] }\n"),
            ("a/src/c.rs", "#[derive(super::a::Derive)]\nstruct C;\n"),
        ];
        assert_eq!(circles(&files).len(), 1);
        let open = [files[0], files[1], files[2], ("a/src/c.rs", "struct C;\n")];
        assert_eq!(circles(&open), [""; 0]);
    }

    #[test]
    fn a_parent_may_declare_its_children_or_be_needed_by_them_but_not_use_them_as_well() {
        let child = ("a/src/b/c.rs", "use super::Shared;\n");
        let root = ("a/src/lib.rs", "mod b;\n");
        let with = |parent| circles(&[root, ("a/src/b/mod.rs", parent), child]);
        assert_eq!(with("mod c;\npub struct Shared;\n"), [""; 0]);
        assert_eq!(with("mod c;\npub struct Shared;\nfn f() { c::f() }\n").len(), 1);
    }

    #[test]
    fn a_re_export_counts_as_the_file_it_stands_in() {
        let root = ("a/src/lib.rs", "mod b;\nmod c;\npub use b::Thing;\npub use c::Other;\n");
        let leaf = ("a/src/b.rs", "pub struct Thing;\n");
        let with = |user| circles(&[root, leaf, ("a/src/c.rs", user)]).len();
        assert_eq!(with("use crate::Thing;\n"), 1);
        assert_eq!(with("use crate::b::Thing;\n"), 0);
    }

    #[test]
    fn tests_and_other_crates_make_no_circle() {
        let files = [
            ("a/src/lib.rs", "pub mod b;\n#[cfg(test)]\nmod tests;\npub struct A;\n"),
            ("a/src/b.rs", "use ::crate_b::lib;\n#[cfg(test)]\nmod tests { use crate::A; }\n"),
            ("a/src/tests.rs", "use super::*;\n"),
            ("a/src/main.rs", "fn main() { a::b::run() }\n"),
        ];
        let parent_uses_child = ("a/src/lib.rs", "pub mod b;\nfn f() { b::f() }\n");
        assert_eq!(circles(&files), [""; 0]);
        assert_eq!(circles(&[parent_uses_child, files[1], files[3]]), [""; 0]);
    }

    #[test]
    fn modules_in_a_file_are_that_file() {
        let files = [
            ("a/src/lib.rs", "mod a;\nmod b;\n"),
            ("a/src/a.rs", "mod inner { use super::super::b::B; }\npub struct A;\n"),
            ("a/src/b.rs", "use crate::a::inner::C as D;\n"),
        ];
        assert_eq!(circles(&files).len(), 1);
    }

    #[test]
    fn clap_has_its_circle() {
        let files = [
            ("tools/cli/src/main.rs", "mod cli;\nmod completions;\n"),
            (COMMAND_LINE, "use crate::completions::Args;\n"),
            ("tools/cli/src/completions.rs", "use crate::cli::Cli;\n"),
        ];
        assert_eq!(circles(&files), [""; 0]);
    }
}
