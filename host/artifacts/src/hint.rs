//! What to say of a path that names no file: what of it there is, and what may be meant. Blocks.

use std::fs;
use std::path::{Path, PathBuf};

use trellis_core::nearest;

/// Most entries of a folder that are looked at.
const ENTRIES_MAX: usize = 1_000;
/// Most files of a folder that are named.
const NAMED_MAX: usize = 3;

/// Of a path where nothing is: the part of it that is missing, or the file that may be meant, one
/// with one of these extensions. `None` when there is nothing to say.
#[must_use]
pub fn of_missing(path: &Path, extensions: &[&str]) -> Option<String> {
    let folder = folder_of(path);
    if !folder.is_dir() {
        return Some(format!("there is no folder {}", folder.display()));
    }
    let there = files_of(folder, extensions);
    let names = there.iter().filter_map(|file| file.file_name()?.to_str());
    let near = nearest(path.file_name()?.to_str()?, names)?;
    Some(format!("did you mean {}?", path.with_file_name(near).display()))
}

/// Of a path that is a folder's: the files in it that may be meant. `None` when it is none.
#[must_use]
pub fn of_folder(path: &Path, extensions: &[&str]) -> Option<String> {
    if !path.is_dir() {
        return None;
    }
    let there = files_of(path, extensions);
    let shown: Vec<_> = there.iter().take(NAMED_MAX).map(|it| it.display().to_string()).collect();
    let more = if there.len() > NAMED_MAX { " and others" } else { "" };
    Some(match &*shown {
        [] => format!("{} is a folder; name a file", path.display()),
        shown => {
            format!("{} is a folder; in it are {}{more}", path.display(), shown.join(", "))
        }
    })
}

/// The files of a folder with one of these extensions, in order.
fn files_of(folder: &Path, extensions: &[&str]) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().take(ENTRIES_MAX);
    let paths = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    let known = |path: &PathBuf| {
        let extension = path.extension().and_then(|extension| extension.to_str());
        extension.is_some_and(|it| extensions.contains(&it)) && path.is_file()
    };
    let mut files: Vec<_> = paths.filter(known).collect();
    files.sort_unstable();
    files
}

fn folder_of(path: &Path) -> &Path {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_meant_is_named() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let at = |name: &str| folder.path().join(name);
        let missing = |name: &str| of_missing(&at(name), &["wasm"]);
        assert_eq!(missing("counter.wasm"), None, "nothing is there");
        for name in ["counter_s.wasm", "other.wasm", "counter.wasn"] {
            fs::write(at(name), "").expect("a file");
        }
        fs::create_dir(at("counter2.wasm")).expect("a folder");
        let told = missing("counter.wasm").expect("a near one");
        assert_eq!(told, format!("did you mean {}?", at("counter_s.wasm").display()));
        assert_eq!(missing("unlike.wasm"), None);
        let told = missing("build/counter.wasm").expect("its folder is missing");
        assert_eq!(told, format!("there is no folder {}", at("build").display()));

        let told = of_folder(folder.path(), &["wasm"]).expect("it is a folder");
        assert!(told.contains("counter_s.wasm") && told.contains("other.wasm"), "{told}");
        let told = of_folder(&at("counter2.wasm"), &["wasm"]).expect("it is a folder");
        assert!(told.ends_with("is a folder; name a file"), "{told}");
        assert_eq!(of_folder(&at("other.wasm"), &["wasm"]), None);
    }
}
