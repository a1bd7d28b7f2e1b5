//! What has to be watched so that nothing that happens to a path is missed.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

/// Most symbolic links on the way to one file, as path_resolution(7) has it.
const LINKS_MAX: u32 = 40;

/// Every name the kernel looks up on the way to some files, and the folders where it looks: a
/// change of any of these names may lead to another file, or to none.
#[derive(Default, Debug)]
pub(super) struct Lookups {
    /// The folders to watch.
    pub(super) folders: BTreeSet<PathBuf>,
    /// The names in them that matter, as paths. What else changes there does not.
    pub(super) names: HashSet<PathBuf>,
    /// Where the folders that were met lead: most files share theirs.
    resolved: HashMap<PathBuf, Option<PathBuf>>,
}

impl Lookups {
    /// Walks to each file as far as it goes: a folder that does not exist yet is waited for in the
    /// last one that does.
    pub(super) fn of<'a>(files: impl Iterator<Item = &'a Path>) -> Self {
        let mut lookups = Self::default();
        for file in files {
            // An error means that there is no current folder, and so no such file.
            if let Ok(file) = std::path::absolute(file) {
                lookups.walk(&file, LINKS_MAX);
            }
        }
        lookups
    }

    fn walk(&mut self, path: &Path, links: u32) {
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return };
        let Some(folder) = self.folder(folder, links) else { return };
        if let Some((target, links)) = self.look_up(&folder, name, links) {
            self.walk(&target, links);
        }
    }

    /// The real path of a folder; `None` when it leads nowhere, or nowhere yet.
    fn folder(&mut self, path: &Path, links: u32) -> Option<PathBuf> {
        if let Some(known) = self.resolved.get(path) {
            return known.clone();
        }
        let resolved = self.step(path, links);
        self.resolved.insert(path.to_owned(), resolved.clone());
        resolved
    }

    fn step(&mut self, path: &Path, links: u32) -> Option<PathBuf> {
        let name = match path.components().next_back()? {
            Component::Normal(name) => name,
            Component::ParentDir => {
                let inner = self.folder(path.parent()?, links)?;
                return Some(inner.parent().map_or(inner.clone(), Path::to_path_buf));
            }
            Component::CurDir => return self.folder(path.parent()?, links),
            Component::RootDir | Component::Prefix(_) => return Some(path.to_owned()),
        };
        let folder = self.folder(path.parent()?, links)?;
        if let Some((target, links)) = self.look_up(&folder, name, links) {
            return self.folder(&target, links);
        }
        let here = folder.join(name);
        here.is_dir().then_some(here)
    }

    /// Notes that a name is looked up; gives where it leads when it is a symbolic link.
    fn look_up(&mut self, folder: &Path, name: &OsStr, links: u32) -> Option<(PathBuf, u32)> {
        let here = folder.join(name);
        self.folders.insert(folder.to_owned());
        let target = std::fs::read_link(&here).ok();
        self.names.insert(here);
        Some((folder.join(target?), links.checked_sub(1)?))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn every_step_to_a_file_is_looked_at() {
        let site = tempfile::tempdir().expect("a temporary folder");
        let site = site.path().canonicalize().expect("it exists");
        fs::create_dir_all(site.join("releases/1")).expect("a folder");
        fs::write(site.join("releases/1/real.wasm"), "").expect("a file");
        symlink("releases/1", site.join("current")).expect("a link");
        symlink("real.wasm", site.join("releases/1/app.wasm")).expect("a link");
        symlink("round", site.join("round")).expect("a link");

        let found = |file: &str| Lookups::of(std::iter::once(site.join(file).as_path()));
        let has = |lookups: &Lookups, folder: &str, name: &str| {
            lookups.folders.contains(&site.join(folder))
                && lookups.names.contains(&site.join(folder).join(name))
        };
        let lookups = found("current/app.wasm");
        for (folder, name) in [
            ("", "current"),
            ("", "releases"),
            ("releases", "1"),
            ("releases/1", "app.wasm"),
            ("releases/1", "real.wasm"),
        ] {
            assert!(has(&lookups, folder, name), "{folder} {name}: {lookups:#?}");
        }
        // Up to the root, since every one of these may be replaced.
        assert!(lookups.folders.contains(Path::new("/")), "{lookups:#?}");

        let coming = found("dist/out/app.wasm");
        assert!(has(&coming, "", "dist"), "{coming:#?}");
        assert!(!coming.folders.contains(&site.join("dist")), "it is not there yet");
        assert!(has(&found("releases/../releases/1/x"), "releases/1", "x"));
        assert!(has(&found("round/x"), "", "round"), "a circle ends");
    }
}
