//! `--try`: the skeleton in a copy of the repository, built and checked there as a newcomer would.
//!
//! The copy lies in the target folder and shares the libraries that are built there already, so
//! that only this repository's own crates are built once more. Cargo tells crates of a workspace
//! apart by their path *inside* it: a crate of the copy would take the place of its original. So
//! the copy's have a profile of their own, and its actors a target folder.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::making::{BUILTINS, make};
use super::name::ContractName;
use crate::generate;
use crate::repo::Repo;

/// Where the copy is, below the target folder.
const COPY: &str = "new-contract";

/// The variable by which cargo is told where to build.
const TARGET: &str = "CARGO_TARGET_DIR";
/// Where its actors are built, below the target folder.
const GUESTS: &str = "new-contract-guests";

/// Makes the skeleton in a copy and checks that everything there builds and passes.
pub(super) fn run(repo: &Repo, name: &ContractName) -> Result<()> {
    let target = repo.target_folder()?;
    let root = target.join(COPY);
    copy(repo, &root)?;
    let copied = Repo::at(&root);
    // The root manifest gives libraries their own debug level, so theirs stays as it is.
    let host_side = copied.clone().with(TARGET, &target).with("CARGO_PROFILE_DEV_DEBUG", "none");
    make(&host_side, name)?;
    only_one_line_changed(repo, &copied)?;
    check_host_side(&host_side, name)?;
    check_guest_side(&copied.with(TARGET, target.join(GUESTS)), name)?;
    println!("new-contract: {} builds and passes, in {}", name.id(), root.display());
    Ok(())
}

fn check_host_side(copy: &Repo, name: &ContractName) -> Result<()> {
    let contract = format!("trellis-capabilities-{}", name.folder());
    let provider = format!("trellis-providers-{}", name.folder());
    let commands: [&[&str]; 7] = [
        &["xtask", "layers"],
        &["xtask", "tidy"],
        &["xtask", "generate", "--check"],
        &["fmt", "--all", "--check"],
        &["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"],
        &["test", "--locked", "--quiet", "-p", &contract, "-p", &provider],
        // Pages that are held against what the providers say of themselves.
        &["test", "--locked", "--quiet", "--workspace", "--test", "*_page"],
    ];
    commands.iter().try_for_each(|command| copy.run(".", "cargo", command))
}

fn check_guest_side(copy: &Repo, name: &ContractName) -> Result<()> {
    let demo = format!("{}-demo", name.folder());
    let wasm = "wasm32-unknown-unknown";
    let commands: [&[&str]; 3] = [
        &["fmt", "--all", "--check"],
        &["test", "--locked", "--quiet", "-p", &demo],
        &["build", "--locked", "--quiet", "--release", "--target", wasm, "-p", &demo],
    ];
    commands.iter().try_for_each(|command| copy.run("actors", "cargo", command))
}

/// Makes the folder a copy of the repository's sources. What is the same is not touched, so that
/// a second time little is built.
fn copy(repo: &Repo, root: &Path) -> Result<()> {
    fs::create_dir_all(root).context("making the folder of the copy")?;
    let sources = repo.files()?;
    for stray in Repo::at(root).files()?.iter().filter(|path| !sources.contains(path)) {
        fs::remove_file(root.join(stray)).with_context(|| format!("removing {stray}"))?;
    }
    for path in &sources {
        let (from, to) = (repo.root().join(path), root.join(path));
        let bytes = fs::read(&from).with_context(|| format!("reading {path}"))?;
        if fs::read(&to).is_ok_and(|present| present == bytes) {
            continue;
        }
        if let Some(folder) = to.parent() {
            fs::create_dir_all(folder).with_context(|| format!("making the folder of {path}"))?;
        }
        fs::copy(&from, &to).with_context(|| format!("copying {path}"))?;
    }
    remove_empty(root)
}

/// Removes folders without files: cargo takes a folder for a crate.
fn remove_empty(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("listing {}", folder.display()))? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_empty(&entry.path())?;
            // Fails for one that holds something, which is as it should be.
            let _ = fs::remove_dir(entry.path());
        }
    }
    Ok(())
}

/// A new contract changes one existing line, generated files and lock files aside.
fn only_one_line_changed(before: &Repo, after: &Repo) -> Result<()> {
    for path in before.files()? {
        let generated = generate::paths().any(|it| it == path) || path.ends_with("Cargo.lock");
        let (old, new) = (before.text(&path)?, after.text(&path)?);
        if generated || old == new {
            continue;
        }
        ensure!(
            path == BUILTINS,
            "a new contract changed {path}: only {BUILTINS} is its to change"
        );
        let lines = |text: Option<String>| text.map_or(0, |text| text.lines().count());
        let (old, new) = (lines(old), lines(new));
        ensure!(new == old + 1, "{path} had {old} lines, now {new}: one more is expected");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(root: &Path, files: &[(&str, &str)]) {
        for (path, text) in files {
            let path = root.join(path);
            fs::create_dir_all(path.parent().expect("a file in a folder")).expect("a folder");
            fs::write(path, text).expect("a file");
        }
    }

    #[test]
    fn a_copy_is_as_the_original_whatever_was_there() {
        let (from, to) = (tempfile::tempdir().expect("one"), tempfile::tempdir().expect("two"));
        write(from.path(), &[("a", "1"), ("b/c", "2"), ("target/x", "3")]);
        write(to.path(), &[("a", "0"), ("old/deep/er", "4"), ("b/d", "5")]);
        let repo = Repo::at(from.path());
        copy(&repo, to.path()).expect("a copy");
        assert_eq!(Repo::at(to.path()).files().expect("the files"), ["a", "b/c"]);
        assert_eq!(fs::read_to_string(to.path().join("a")).expect("text"), "1");
        assert!(!to.path().join("old").exists(), "an empty folder is no crate");
    }

    #[test]
    fn a_second_changed_file_is_seen() {
        let (one, two) = (tempfile::tempdir().expect("one"), tempfile::tempdir().expect("two"));
        let (before, after) = (Repo::at(one.path()), Repo::at(two.path()));
        let files = [(BUILTINS, "a\n"), ("Cargo.lock", "a"), ("docs/errors.md", "a"), ("b", "a")];
        write(one.path(), &files);
        let mut changed =
            [(BUILTINS, "a\nb\n"), ("Cargo.lock", "b"), ("docs/errors.md", "b"), ("b", "a")];
        write(two.path(), &changed);
        only_one_line_changed(&before, &after).expect("one line, and what is generated");
        changed[3].1 = "b";
        write(two.path(), &changed);
        assert!(only_one_line_changed(&before, &after).is_err());
        write(two.path(), &[("b", "a"), (BUILTINS, "a\nb\nc\n")]);
        assert!(only_one_line_changed(&before, &after).is_err());
    }
}
