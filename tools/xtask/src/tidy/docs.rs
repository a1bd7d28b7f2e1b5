//! Rules for documents: links work, and the files that ARCHITECTURE.md names exist.

use std::path::{Component, Path, PathBuf};

use anyhow::Result;

use crate::repo::Repo;
use crate::report::Problem;

/// The document that names files.
const ARCHITECTURE: &str = "ARCHITECTURE.md";

/// Every broken relative link of every document.
pub(super) fn links(repo: &Repo, files: &[String]) -> Result<Vec<Problem>> {
    let mut problems = Vec::new();
    for path in files.iter().filter(|path| path.ends_with(".md")) {
        let Some(text) = repo.text(path)? else { continue };
        for (line, target) in link_targets(&text) {
            if let Some(message) = broken_link(repo, path, &target)? {
                problems.push(Problem::new(path, line, message));
            }
        }
    }
    Ok(problems)
}

/// Every path that ARCHITECTURE.md names in backquotes and that does not exist.
pub(super) fn architecture(repo: &Repo) -> Result<Vec<Problem>> {
    if !repo.root().join(ARCHITECTURE).exists() {
        return Ok(vec![Problem::new(ARCHITECTURE, 0, "is missing: it is the map of the code")]);
    }
    let text = repo.text(ARCHITECTURE)?.unwrap_or_default();
    let missing = named_paths(repo, &text).filter(|(_, path)| !exists(repo, path));
    let problem = |(line, path)| {
        Problem::new(ARCHITECTURE, line, format!("names `{path}`, which does not exist"))
    };
    Ok(missing.map(problem).collect())
}

/// `[text](target)` outside code fences, with its line.
fn link_targets(text: &str) -> Vec<(usize, String)> {
    let mut targets = Vec::new();
    for (line, prose) in prose_lines(text) {
        for (at, _) in prose.match_indices("](") {
            if let Some((target, _)) = prose[at + 2..].split_once(')') {
                targets.push((line, target.to_owned()));
            }
        }
    }
    targets
}

fn prose_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().enumerate().filter_map(move |(index, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        (!fenced && !fence).then_some((index + 1, line))
    })
}

fn broken_link(repo: &Repo, from: &str, target: &str) -> Result<Option<String>> {
    if target.contains("://") || target.starts_with("mailto:") {
        return Ok(None);
    }
    let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
    let folder = Path::new(from).parent().unwrap_or(Path::new(""));
    let path = match file {
        "" => from.to_owned(),
        file => normal(&folder.join(file)).to_string_lossy().into_owned(),
    };
    if !repo.root().join(&path).exists() {
        return Ok(Some(format!("links to {target}, which does not exist")));
    }
    if anchor.is_empty() || !path.ends_with(".md") {
        return Ok(None);
    }
    let text = repo.text(&path)?.unwrap_or_default();
    let found = prose_lines(&text)
        .filter_map(|(_, line)| {
            line.trim_start_matches('#').strip_prefix(' ').filter(|_| line.starts_with('#'))
        })
        .any(|heading| slug(heading) == anchor);
    Ok((!found).then(|| format!("links to {target}, but {path} has no such heading")))
}

/// A heading's anchor, as code forges make it.
fn slug(heading: &str) -> String {
    let kept =
        heading.trim().chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect()
}

fn normal(path: &Path) -> PathBuf {
    let mut parts = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => drop(parts.pop()),
            Component::CurDir => {}
            other => parts.push(other),
        }
    }
    parts
}

/// Paths in backquotes that begin with a folder of the root.
fn named_paths<'a>(repo: &'a Repo, text: &'a str) -> impl Iterator<Item = (usize, &'a str)> {
    prose_lines(text).flat_map(move |(line, prose)| {
        let quoted = prose.split('`').skip(1).step_by(2);
        quoted.filter(move |word| is_path(repo, word)).map(move |word| (line, word))
    })
}

fn is_path(repo: &Repo, word: &str) -> bool {
    let plain =
        word.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-'));
    let first = word.split_once('/').map(|(first, _)| first);
    plain && first.is_some_and(|first| !first.is_empty() && repo.root().join(first).is_dir())
}

/// `src/` may be left out: `host/engine/pool.rs` may mean `host/engine/src/pool.rs`.
fn exists(repo: &Repo, path: &str) -> bool {
    let with_src = |(at, _): (usize, &str)| {
        let (krate, rest) = path.split_at(at);
        repo.root().join(krate).join("src").join(rest.trim_start_matches('/')).exists()
    };
    repo.root().join(path).exists() || path.match_indices('/').any(with_src)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A repository of a few files, deleted when the folder is dropped.
    fn fixture(files: &[(&str, &str)]) -> (tempfile::TempDir, Repo) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (path, text) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().expect("a file in a folder")).expect("a folder");
            fs::write(path, text).expect("a file");
        }
        let repo = Repo::at(folder.path());
        (folder, repo)
    }

    fn broken(files: &[(&str, &str)]) -> Vec<String> {
        let (_folder, repo) = fixture(files);
        let names = repo.files().expect("the files");
        let problems = links(&repo, &names).expect("readable files");
        problems.into_iter().map(|problem| problem.to_string()).collect()
    }

    #[test]
    fn links_lead_to_files_and_headings() {
        let files = [
            ("README.md", "[a](docs/a.md) [b](docs/a.md#two-words) [c](https://example.org)\n"),
            ("docs/a.md", "# Top\n\n## Two words\n\n[up](../README.md) [here](#top)\n"),
        ];
        assert_eq!(broken(&files), Vec::<String>::new());
    }

    #[test]
    fn a_dead_link_and_a_dead_heading_are_seen() {
        let files = [("README.md", "# Top\n[a](no.md)\n[b](#nowhere)\n```\n[c](no.md)\n```\n")];
        assert_eq!(
            broken(&files),
            [
                "README.md:2: links to no.md, which does not exist",
                "README.md:3: links to #nowhere, but README.md has no such heading",
            ]
        );
    }

    #[test]
    fn the_architecture_names_files_that_exist() {
        let text = "See `host/engine/pool.rs`, `host/engine/src/pool.rs`, `a/b`, `Type::new`.\n";
        let (_folder, repo) = fixture(&[(ARCHITECTURE, text), ("host/engine/src/pool.rs", "")]);
        assert!(architecture(&repo).expect("readable").is_empty());
        let (_folder, repo) =
            fixture(&[(ARCHITECTURE, "`host/gone.rs`\n"), ("host/engine/src/pool.rs", "")]);
        let problems = architecture(&repo).expect("readable");
        assert_eq!(
            problems[0].to_string(),
            "ARCHITECTURE.md:1: names `host/gone.rs`, which does not exist"
        );
    }
}
