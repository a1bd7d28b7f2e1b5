//! Writing over everything a path can be.

use std::fs::{self, Permissions};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use trellis_claims::{KeyKind, KeyPair};
use trellis_keystore::destination::{Existing, Privacy, write};
use trellis_keystore::{KeystoreError, Stored, write_seed_file};

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn file(path: PathBuf, mode: u32) -> PathBuf {
    fs::write(&path, "old").expect("our own folder");
    fs::set_permissions(&path, Permissions::from_mode(mode)).expect("our own file");
    path
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).expect("it exists").permissions().mode() & 0o777
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).expect("it exists")
}

/// The only names in a folder: nothing temporary may stay behind.
fn names(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).expect("our own folder");
    let names = names.map(|entry| entry.expect("readable").file_name().to_string_lossy().into());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

#[test]
fn a_file_is_replaced_whole_and_keeps_its_permissions() {
    let folder = folder();
    for bits in [0o640, 0o600, 0o755, 0o666] {
        let path = file(folder.path().join("a"), bits);
        let before = fs::metadata(&path).expect("it exists").ino();
        write(&path, b"new", Privacy::Shared, Existing::Replace).expect("writable");
        assert_eq!((text(&path).as_str(), mode(&path)), ("new", bits));
        assert_ne!(fs::metadata(&path).expect("it exists").ino(), before, "a reader keeps the old");
    }
    assert_eq!(names(folder.path()), ["a"]);
    let kept = write(&folder.path().join("a"), b"other", Privacy::Shared, Existing::Keep);
    assert_eq!(kept.expect_err("it is there").kind(), ErrorKind::AlreadyExists);
    assert_eq!(text(&folder.path().join("a")), "new");
}

#[test]
fn a_secret_is_for_its_owner_whoever_could_read_before() {
    let folder = folder();
    let path = file(folder.path().join("a"), 0o644);
    write(&path, b"secret", Privacy::OwnerOnly, Existing::Replace).expect("writable");
    assert_eq!((text(&path).as_str(), mode(&path)), ("secret", 0o600));
}

#[test]
fn only_what_is_shared_keeps_a_strangers_ownership() {
    const STRANGER: u32 = 12_345;
    let folder = folder();
    let path = file(folder.path().join("a"), 0o644);
    if std::os::unix::fs::chown(&path, Some(STRANGER), Some(STRANGER)).is_err() {
        // Only root can have a file of somebody else's here.
        return;
    }
    let owner = || fs::metadata(&path).expect("it exists").uid();
    write(&path, b"new", Privacy::Shared, Existing::Replace).expect("writable");
    assert_eq!(owner(), STRANGER);
    write(&path, b"secret", Privacy::OwnerOnly, Existing::Replace).expect("writable");
    assert_ne!(owner(), STRANGER, "a secret is not given away");
}

#[test]
fn a_link_stays_and_its_target_is_written() {
    let folder = folder();
    let real = folder.path().join("real");
    fs::create_dir(&real).expect("our own folder");
    let target = file(real.join("a"), 0o640);
    let link = folder.path().join("link");
    symlink("real/a", &link).expect("our own folder");
    write(&link, b"new", Privacy::Shared, Existing::Replace).expect("writable");
    assert!(link.is_symlink());
    assert_eq!((text(&target).as_str(), mode(&target)), ("new", 0o640));

    let dangling = folder.path().join("dangling");
    symlink("middle", &dangling).expect("our own folder");
    symlink("real/b", folder.path().join("middle")).expect("our own folder");
    let kept = write(&dangling, b"x", Privacy::Shared, Existing::Keep);
    assert_eq!(kept.expect_err("a link is something").kind(), ErrorKind::AlreadyExists);
    write(&dangling, b"new", Privacy::Shared, Existing::Replace).expect("writable");
    assert_eq!(text(&real.join("b")), "new");
    assert_eq!(names(&real), ["a", "b"]);

    let loops = folder.path().join("loop");
    symlink("loop", &loops).expect("our own folder");
    assert!(write(&loops, b"x", Privacy::Shared, Existing::Replace).is_err());
}

#[test]
fn a_pipe_and_a_device_take_the_bytes_and_stay() {
    let folder = folder();
    let pipe = folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs").success());
    let reader = std::thread::spawn({
        let pipe = pipe.clone();
        move || {
            let mut read = Vec::new();
            fs::File::open(pipe).and_then(|mut file| file.read_to_end(&mut read)).expect("a pipe");
            read
        }
    });
    // Nothing is replaced, so nothing has to be allowed.
    write(&pipe, b"through", Privacy::OwnerOnly, Existing::Keep).expect("a pipe takes bytes");
    assert_eq!(reader.join().expect("it read"), b"through");
    let null = folder.path().join("null");
    symlink("/dev/null", &null).expect("our own folder");
    write(&null, b"gone", Privacy::Shared, Existing::Replace).expect("a device takes bytes");
    assert!(null.is_symlink() && !Path::new("/dev/null").is_file());
    let into = write(folder.path(), b"x", Privacy::Shared, Existing::Replace);
    assert_eq!(into.expect_err("a folder").kind(), ErrorKind::IsADirectory);
    assert_eq!(names(folder.path()), ["null", "pipe"]);
}

#[test]
fn writing_the_same_key_again_changes_nothing() {
    let folder = folder();
    let path = folder.path().join("backup.nk");
    let (one, two) = (KeyPair::generate(KeyKind::Account), KeyPair::generate(KeyKind::Account));
    let stored = |pair, replace| write_seed_file(&path, pair, replace);
    assert_eq!(stored(&one, false).expect("new"), Stored::Created);
    let written = fs::metadata(&path).expect("it exists").ino();
    for replace in [false, true] {
        assert_eq!(stored(&one, replace).expect("the same"), Stored::Unchanged);
    }
    assert_eq!(fs::metadata(&path).expect("it exists").ino(), written);
    assert!(matches!(stored(&two, false), Err(KeystoreError::Exists { .. })));
    assert_eq!(stored(&two, true).expect("asked for"), Stored::Replaced);

    fs::set_permissions(&path, Permissions::from_mode(0o644)).expect("our own file");
    let error = stored(&two, false).expect_err("others can read it: that is not unchanged");
    assert!(matches!(error, KeystoreError::Exposed { .. }), "{error}");
    assert_eq!(stored(&two, true).expect("asked for"), Stored::Replaced);
    assert_eq!(mode(&path), 0o600);
    fs::write(&path, "notes").expect("our own file");
    assert!(matches!(stored(&one, false), Err(KeystoreError::Exists { .. })));
}
