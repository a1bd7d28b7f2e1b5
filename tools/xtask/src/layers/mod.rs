//! `cargo xtask layers`: arrows between crates go down only, and each outside library has an owner.
//!
//! The tables are in [`rules`]; this file reads cargo's metadata and applies them. Normal and build
//! dependencies obey the tables. Dev-dependencies may go further, because tests need the real
//! neighbors: any crate of the same or a lower layer, the test kit and the conformance suites.

mod check;
mod rules;

use anyhow::Result;
use cargo_metadata::{Dependency, DependencyKind, Package};

use self::check::{Crate, Edge};
use crate::repo::Repo;
use crate::report::{Problem, conclude};

/// The workspaces of the repository; those that do not exist yet are passed over.
const WORKSPACES: [&str; 4] = [".", "actors", "tools/bench", "tools/fuzz"];

/// Checks every workspace.
pub(crate) fn run(repo: &Repo) -> Result<()> {
    let mut problems = Vec::new();
    let mut count = 0;
    for folder in WORKSPACES {
        if !repo.root().join(folder).join("Cargo.toml").exists() {
            continue;
        }
        for package in repo.metadata(folder)?.workspace_packages() {
            count += 1;
            problems.extend(check::check(&read(repo, package)));
        }
    }
    conclude("layers", problems, &format!("{count} crates keep to their layers"))
}

fn read(repo: &Repo, package: &Package) -> Crate {
    let folder = package.manifest_path.parent().map_or("", |parent| parent.as_str());
    Crate {
        folder: relative(repo, folder),
        edges: package.dependencies.iter().map(|dependency| edge(repo, dependency)).collect(),
    }
}

fn edge(repo: &Repo, dependency: &Dependency) -> Edge {
    let dev = dependency.kind == DependencyKind::Development;
    match &dependency.path {
        Some(path) => Edge::Ours { folder: relative(repo, path.as_str()), dev },
        None => Edge::Outside { library: dependency.name.clone(), dev },
    }
}

fn relative(repo: &Repo, path: &str) -> String {
    let root = repo.root().to_string_lossy();
    path.strip_prefix(root.as_ref()).unwrap_or(path).trim_start_matches('/').to_owned()
}

impl From<(&Crate, String)> for Problem {
    fn from((from, message): (&Crate, String)) -> Self {
        Problem::new(format!("{}/Cargo.toml", from.folder), 0, message)
    }
}
