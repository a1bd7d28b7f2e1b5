//! A file that was deleted while it is in use, written anew where it stood.
//!
//! The copy stands beside that place until it is whole. Whoever writes it holds its lock: a copy
//! that nobody holds is left from a host that was killed.

use std::ffi::OsString;
use std::fs::{DirEntry, File, read_dir, remove_file};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

use tempfile::NamedTempFile;

use super::place::{folder_of, is_at, true_path};

/// Bytes that are copied at once.
const COPIED_BYTES: usize = 1 << 20;
/// What a copy is called: a point, the name of the file, this and as many letters and digits.
const MARK: &str = ".anew-";
const LETTERS: usize = 12;

/// Writes a copy of the file to where `path` leads, in one step: whole, or not at all. What stands
/// there by then is left alone. Gives the copy's handle.
///
/// # Errors
/// Why it could not be written; [`io::ErrorKind::AlreadyExists`] when something stands there.
pub(super) fn write_anew(file: &File, path: &Path) -> io::Result<File> {
    let path = true_path(path);
    let folder = folder_of(&path);
    std::fs::create_dir_all(folder)?;
    let mut copy = copy_beside(&path)?;
    copy.as_file().set_permissions(file.metadata()?.permissions())?;
    let mut bytes = vec![0; COPIED_BYTES];
    let mut offset = 0;
    loop {
        // At an offset: the handle shares its own with whoever writes through it.
        let count = file.read_at(&mut bytes, offset)?;
        if count == 0 {
            break;
        }
        copy.write_all(&bytes[..count])?;
        offset += count as u64;
    }
    copy.as_file().sync_all()?;
    let copy = copy.persist_noclobber(&path).map_err(|error| error.error)?;
    File::open(folder)?.sync_all()?;
    Ok(copy)
}

/// Removes the copies that were left beside a file. Done as far as possible.
pub(super) fn remove_left_copies(path: &Path) {
    let Ok(beside) = read_dir(folder_of(path)) else { return };
    for entry in beside.flatten() {
        // Held until it is removed: nobody begins to write it meanwhile.
        let Some(_held) = left(&entry, path) else { continue };
        let copy = entry.path();
        let copy = copy.display();
        match remove_file(entry.path()) {
            Ok(()) => tracing::warn!(
                %copy,
                "removed half a copy of the key-value file: a host was killed while it wrote it"
            ),
            Err(error) => tracing::warn!(
                %copy, %error,
                "half a copy of the key-value file, which a host left that was killed, cannot be \
                 removed; remove it"
            ),
        }
    }
}

fn copy_beside(path: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    let prefix = prefix(path);
    builder.prefix(&prefix).rand_bytes(LETTERS);
    loop {
        let copy = builder.tempfile_in(folder_of(path))?;
        // Another host may have found it before it was locked, and has it for as long as it takes
        // to remove it.
        copy.as_file().lock()?;
        if is_at(copy.as_file(), copy.path()) {
            return Ok(copy);
        }
    }
}

fn prefix(path: &Path) -> OsString {
    let mut prefix = OsString::from(".");
    prefix.push(path.file_name().unwrap_or_default());
    prefix.push(MARK);
    prefix
}

/// A copy of the file at `path` that nobody writes any more, and that nobody can begin to write
/// while this is held.
fn left(entry: &DirEntry, path: &Path) -> Option<File> {
    let name = entry.file_name();
    let letters = name.as_encoded_bytes().strip_prefix(prefix(path).as_encoded_bytes())?;
    let is_copy = letters.len() == LETTERS && letters.iter().all(u8::is_ascii_alphanumeric);
    // A link is none, and is not followed.
    if !is_copy || !entry.file_type().ok()?.is_file() {
        return None;
    }
    let copy = File::open(entry.path()).ok()?;
    copy.try_lock().ok()?;
    Some(copy)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[test]
    fn a_copy_that_nobody_writes_is_removed_and_nothing_else() {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let path = folder.path().join("store.redb");
        let written = copy_beside(&path).expect("the folder is ours");
        let left = copy_beside(&path).expect("the folder is ours").into_temp_path();
        let left = left.keep().expect("it stays");
        let others = [
            "store.redb",
            ".store.redb.anew-",
            ".store.redb.anew-short",
            ".store.redb.anew-0123456789.b",
            "store.redb.anew-0123456789ab",
            ".other.redb.anew-0123456789ab",
        ];
        for name in others {
            fs::write(folder.path().join(name), "x").expect("the folder is ours");
        }
        fs::create_dir(folder.path().join(".store.redb.anew-abcdefghijkl")).expect("a folder");
        let link = folder.path().join(".store.redb.anew-linklinklink");
        std::os::unix::fs::symlink(&path, &link).expect("a link");
        let count = || fs::read_dir(folder.path()).expect("the folder").count();
        let before = count();
        remove_left_copies(&path);
        assert!(!left.exists() && written.path().exists());
        assert_eq!(count(), before - 1);
    }

    #[test]
    fn a_copy_that_was_begun_is_not_taken_for_one_that_is_left() {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let path = folder.path().join("store.redb");
        let ends = AtomicBool::new(false);
        std::thread::scope(|threads| {
            threads.spawn(|| {
                while !ends.load(Ordering::Relaxed) {
                    remove_left_copies(&path);
                }
            });
            for round in 0..2_000 {
                let copy = copy_beside(&path);
                let stays = copy.as_ref().is_ok_and(|copy| copy.path().exists());
                if !stays {
                    ends.store(true, Ordering::Relaxed);
                    panic!("round {round}: {copy:?}");
                }
            }
            ends.store(true, Ordering::Relaxed);
        });
    }
}
