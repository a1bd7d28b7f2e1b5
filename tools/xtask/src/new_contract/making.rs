//! Writing the files of a new contract, and the one line of its provider.

use std::fs;

use anyhow::{Context, Result, ensure};

use super::name::ContractName;
use super::skeleton;
use crate::catalog;
use crate::repo::Repo;

/// The composition root: where a provider is added by hand.
pub(super) const BUILTINS: &str = "host/app/src/providers.rs";

/// Workspaces beside the main one: their lock files name the crates of this repository.
const WORKSPACES: [&str; 4] = ["actors", "tools/bench", "tools/bench/hello", "tools/fuzz"];

/// Writes every file, adds the line, and has everything else generated.
pub(super) fn make(repo: &Repo, name: &ContractName) -> Result<()> {
    let files = skeleton::files(name);
    for (path, _) in &files {
        ensure!(!catalog::exists(repo, path), "{path} exists already: choose another name");
    }
    let builtins = repo.text(BUILTINS)?.with_context(|| format!("{BUILTINS} is not text"))?;
    let builtins = with_provider(&builtins, &name.module())?;
    for (path, text) in &files {
        write(repo, path, text)?;
        println!("wrote {path}");
    }
    write(repo, BUILTINS, &builtins)?;
    println!("changed {BUILTINS}");
    // Long names make long lines, and lists are generated: the formatter knows where they break.
    repo.run(".", "cargo", &["xtask", "generate"])?;
    for folder in [".", "actors"] {
        repo.run(folder, "cargo", &["fmt", "--all"])?;
    }
    // Not offline: a machine that never built the other workspaces has no index entries of theirs.
    for folder in WORKSPACES {
        repo.run(folder, "cargo", &["update", "--quiet", "--workspace"])?;
    }
    Ok(())
}

fn write(repo: &Repo, path: &str, text: &str) -> Result<()> {
    let full = repo.root().join(path);
    if let Some(folder) = full.parent() {
        fs::create_dir_all(folder).with_context(|| format!("making the folder of {path}"))?;
    }
    fs::write(&full, text).with_context(|| format!("writing {path}"))
}

/// The composition root with one provider more, in the order of the names.
fn with_provider(text: &str, module: &str) -> Result<String> {
    let entry = |module: &str| format!("        Arc::new(trellis_providers_{module}::Factory),");
    let new = entry(module);
    let (start, end) = new.split_at(new.find(module).context("an entry names its module")?);
    let end = &end[module.len()..];
    let is_entry = |line: &str| line.starts_with(start) && line.ends_with(end);
    let mut lines: Vec<_> = text.lines().collect();
    let first = lines.iter().position(|line| is_entry(line));
    let first = first.with_context(|| format!("{BUILTINS} has no line like `{}`", new.trim()))?;
    let count = lines[first..].iter().take_while(|line| is_entry(line)).count();
    let before = lines[first..first + count].iter().filter(|line| **line < new.as_str()).count();
    lines.insert(first + before, &new);
    Ok(lines.join("\n") + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "fn builtins() {\n    vec![\n\
        \x20       Arc::new(trellis_providers_clock::Factory),\n\
        \x20       Arc::new(trellis_providers_logging::Factory),\n    ]\n}\n";

    #[test]
    fn a_provider_is_one_line_more_in_order() {
        for (module, line) in [("aa", 2), ("door_bell", 3), ("zz", 4)] {
            let text = with_provider(LIST, module).expect("the list is there");
            let added: Vec<_> = text.lines().collect();
            let expected = format!("        Arc::new(trellis_providers_{module}::Factory),");
            assert_eq!(added[line], expected);
            assert_eq!(added.len(), LIST.lines().count() + 1);
        }
        assert!(with_provider("fn builtins() {}\n", "aa").is_err());
    }

    #[test]
    fn the_composition_root_has_the_form_that_is_written() {
        let repo = Repo::find().expect("the repository");
        let text = repo.text(BUILTINS).expect("readable").expect("text");
        let more = with_provider(&text, "door_bell").expect("the list is there");
        assert_eq!(more.lines().count(), text.lines().count() + 1);
    }
}
