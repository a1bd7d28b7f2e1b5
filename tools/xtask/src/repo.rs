//! The repository on disk: where it is, its files, its workspaces.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use cargo_metadata::{Metadata, MetadataCommand};

/// Folders that hold products, never sources.
const PRODUCTS: [&str; 5] = [".git", "target", "node_modules", ".venv", "__pycache__"];
/// The same at the root alone, as `.gitignore` has them.
const ROOT_PRODUCTS: [&str; 2] = ["dist", "data"];

/// What a root is known by: this very tool.
const OWN_MANIFEST: &str = "tools/xtask/Cargo.toml";

/// The root of the repository.
#[derive(Clone)]
pub(crate) struct Repo {
    root: PathBuf,
    /// What commands find in their environment besides our own.
    environment: Vec<(&'static str, OsString)>,
}

impl Repo {
    /// The repository around the current folder, wherever this tool was built: it writes files, and
    /// they must not land in another checkout.
    pub(crate) fn find() -> Result<Self> {
        Self::around(&std::env::current_dir().context("finding the current folder")?)
    }

    fn around(folder: &Path) -> Result<Self> {
        let root = folder.ancestors().find(|folder| folder.join(OWN_MANIFEST).is_file());
        let root = root.with_context(|| {
            format!(
                "{} lies in no checkout: no folder above it has {OWN_MANIFEST}",
                folder.display()
            )
        })?;
        Ok(Self::at(root))
    }

    /// A repository at a path: a copy, or a fixture.
    pub(crate) fn at(root: &Path) -> Self {
        Self { root: root.to_owned(), environment: Vec::new() }
    }

    /// The same repository, whose commands have this in their environment.
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<OsString>) -> Self {
        self.environment.push((name, value.into()));
        self
    }

    /// The root folder.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Every source file, relative to the root, sorted.
    pub(crate) fn files(&self) -> Result<Vec<String>> {
        let mut files = Vec::new();
        self.walk(&self.root, &mut files)?;
        files.sort();
        Ok(files)
    }

    fn walk(&self, folder: &Path, files: &mut Vec<String>) -> Result<()> {
        for entry in fs::read_dir(folder).with_context(|| format!("listing {folder:?}"))? {
            let entry = entry?;
            let name = entry.file_name();
            let path = entry.path();
            if entry.file_type()?.is_dir() {
                let at_root = folder == self.root;
                let products = PRODUCTS.iter().chain(ROOT_PRODUCTS.iter().filter(|_| at_root));
                if !{ products }.any(|product| name == *product) {
                    self.walk(&path, files)?;
                }
            } else {
                let relative = path.strip_prefix(&self.root)?;
                let text = relative.to_str().with_context(|| format!("{path:?} is not UTF-8"))?;
                files.push(text.to_owned());
            }
        }
        Ok(())
    }

    /// The text of a file, or `None` when it is not text.
    pub(crate) fn text(&self, path: &str) -> Result<Option<String>> {
        let bytes = fs::read(self.root.join(path)).with_context(|| format!("reading {path}"))?;
        Ok(String::from_utf8(bytes).ok())
    }

    /// What cargo says of the workspace in a folder (`.` is the root), without its dependencies.
    pub(crate) fn metadata(&self, folder: &str) -> Result<Metadata> {
        MetadataCommand::new()
            .manifest_path(self.root.join(folder).join("Cargo.toml"))
            .no_deps()
            .exec()
            .with_context(|| format!("cargo metadata of {folder}"))
    }

    /// Where the main workspace's binaries are built.
    pub(crate) fn target_folder(&self) -> Result<PathBuf> {
        Ok(self.metadata(".")?.target_directory.into_std_path_buf())
    }

    /// Runs a command in a folder of the repository, its output passed through.
    pub(crate) fn run(&self, folder: &str, program: &str, arguments: &[&str]) -> Result<()> {
        let environment = self.environment.iter().map(|(name, value)| (name, value));
        let status = Command::new(program)
            .args(arguments)
            .envs(environment)
            .current_dir(self.root.join(folder))
            .status()
            .with_context(|| format!("starting {program}"))?;
        ensure!(status.success(), "`{program} {}` failed: {status}", arguments.join(" "));
        Ok(())
    }

    /// Fails with a hint when a path of the repository is missing.
    pub(crate) fn require(&self, path: &str, hint: &str) -> Result<PathBuf> {
        let full = self.root.join(path);
        if full.exists() {
            return Ok(full);
        }
        bail!("{path} is missing: {hint}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checkout_is_the_one_around_the_folder() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let inner = folder.path().join("host/app");
        fs::create_dir_all(&inner).expect("a folder");
        let error = Repo::around(&inner).err().expect("there is no checkout");
        assert!(error.to_string().contains("lies in no checkout"), "{error}");
        let own = folder.path().join(OWN_MANIFEST);
        fs::create_dir_all(own.parent().expect("it has one")).expect("a folder");
        fs::write(&own, "").expect("a file");
        assert_eq!(Repo::around(&inner).expect("a checkout").root(), folder.path());
    }
}
