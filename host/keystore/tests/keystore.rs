//! The keystore over real files.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use trellis_claims::{KeyKind, KeyPair};
use trellis_core::Code;

use trellis_keystore::{DEFAULT_NAME, KeyName, Keystore, KeystoreError, Stored, parse_seed};

fn name(text: &str) -> KeyName {
    text.parse().expect("a plain name")
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).expect("the path exists").permissions().mode() & 0o777
}

fn set_mode(path: &Path, mode: u32) {
    let permissions = std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(path, permissions).expect("our own file");
}

fn keystore() -> (tempfile::TempDir, Keystore) {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let keystore = Keystore::at(dir.path().join("deep/keys"));
    (dir, keystore)
}

#[test]
fn a_key_is_made_once_for_its_owner_only() {
    let (_dir, keystore) = keystore();
    assert!(keystore.entries().expect("no folder is no keys").is_empty());
    let account = |keystore: &Keystore| {
        keystore.get_or_create(&name(DEFAULT_NAME), KeyKind::Account).expect("a writable folder")
    };
    let (first, stored) = account(&keystore);
    assert_eq!(stored, Stored::Created);
    assert!(first.entry.path.ends_with("default_account.nk"));
    assert_eq!(mode(&first.entry.path), 0o600);
    assert_eq!(mode(keystore.dir()), 0o700);
    let text = std::fs::read_to_string(&first.entry.path).expect("our own file");
    assert_eq!(text, first.pair.seed().expose(), "the file is the seed and nothing else");

    let (again, stored) = account(&keystore);
    assert_eq!(stored, Stored::Unchanged);
    assert_eq!(again.pair.public(), first.pair.public());
    assert_eq!(keystore.default_issuer().expect("readable"), Some(first.pair.public().clone()));
    let files = std::fs::read_dir(keystore.dir()).expect("the folder").count();
    assert_eq!(files, 1, "no temporary file is left");
}

#[test]
fn files_and_folders_open_to_others_are_refused_with_the_cure() {
    let (_dir, keystore) = keystore();
    let (key, _) =
        keystore.get_or_create(&name(DEFAULT_NAME), KeyKind::Account).expect("a writable folder");
    for bits in [0o640, 0o604, 0o660, 0o601] {
        set_mode(&key.entry.path, bits);
        let error = keystore.default_issuer().expect_err("others may read it");
        assert!(matches!(error, KeystoreError::Exposed { .. }), "{bits:o}: {error}");
        assert_eq!(error.code(), Code::Keystore);
        assert!(error.cure().contains("chmod 600"), "{}", error.cure());
    }
    set_mode(&key.entry.path, 0o400);
    keystore.default_issuer().expect("read-only is fine");
    set_mode(keystore.dir(), 0o770);
    let error = keystore.default_issuer().expect_err("others may write");
    assert!(error.cure().contains("chmod 700"), "{}", error.cure());
}

#[test]
fn only_the_default_account_is_trusted_without_a_word() {
    let (_dir, keystore) = keystore();
    assert_eq!(keystore.default_issuer().expect("no folder is no key"), None);
    keystore.get_or_create(&name("work"), KeyKind::Account).expect("a writable folder");
    keystore.get_or_create(&name(DEFAULT_NAME), KeyKind::Module).expect("a writable folder");
    assert_eq!(keystore.default_issuer().expect("readable"), None);
}

#[test]
fn a_key_is_found_by_name_prefix_and_public_key() {
    let (_dir, keystore) = keystore();
    let make = |key: &str, kind| {
        let (stored, _) = keystore.get_or_create(&name(key), kind).expect("a writable folder");
        stored.pair.public().clone()
    };
    let counter = make("counter", KeyKind::Module);
    let counter_two = make("counter-two", KeyKind::Module);
    let account = make("default", KeyKind::Account);
    let found =
        |text: &str, kind| keystore.find(text, kind).map(|stored| stored.pair.public().clone());

    assert_eq!(found("counter", None).expect("an exact name wins"), counter);
    assert_eq!(found("counter-", None).expect("a unique prefix"), counter_two);
    assert_eq!(found("def", Some(KeyKind::Account)).expect("a unique prefix"), account);
    assert_eq!(found(account.as_str(), None).expect("a public key"), account);
    assert_eq!(found(&account.as_str()[..12], None).expect("its prefix"), account);
    let error = found("coun", None).expect_err("two keys");
    assert!(matches!(&error, KeystoreError::Ambiguous { candidates, .. } if candidates.len() == 2));
    let error = found("default", Some(KeyKind::Module)).expect_err("another kind");
    assert_eq!(error.code(), Code::NotFound);
    assert!(found("", None).is_err(), "nothing means nothing");
}

#[test]
fn storing_never_replaces_another_key_unasked() {
    let (_dir, keystore) = keystore();
    let (one, two) = (KeyPair::generate(KeyKind::Module), KeyPair::generate(KeyKind::Module));
    let store = |pair, replace| keystore.store(&name("a"), pair, replace).map(|(_, stored)| stored);
    assert_eq!(store(&one, false).expect("new"), Stored::Created);
    assert_eq!(store(&one, false).expect("the same"), Stored::Unchanged);
    assert!(matches!(store(&two, false), Err(KeystoreError::Exists { .. })));
    assert_eq!(store(&two, true).expect("asked for"), Stored::Replaced);
    let kept = keystore.find("a", None).expect("stored");
    assert_eq!(kept.pair.public(), two.public());
}

#[test]
fn what_is_not_a_key_is_refused_without_showing_it() {
    let (_dir, keystore) = keystore();
    let seed = KeyPair::generate(KeyKind::Module).seed();
    for text in [seed.expose().to_owned(), format!(" {}\n", seed.expose())] {
        let errors = [
            keystore.find(&text, None).expect_err("a seed is not a name").to_string(),
            text.trim().parse::<KeyName>().expect_err("a seed is not a name").to_string(),
        ];
        for error in errors {
            assert!(!error.contains(seed.expose()), "{error}");
        }
    }
    for text in ["", ".hidden", "-x", "a/b", "a\\b", "a\nb", " a", &"a".repeat(101)] {
        assert!(text.parse::<KeyName>().is_err(), "{text:?}");
    }
    let error = parse_seed("SAnonsense", "stdin").expect_err("not a seed");
    assert_eq!(error.code(), Code::Key);
    assert!(!format!("{error:?}").contains("nonsense"));
}

#[test]
fn a_file_must_hold_the_kind_its_name_says() {
    let (_dir, keystore) = keystore();
    let (account, _) =
        keystore.get_or_create(&name("a"), KeyKind::Account).expect("a writable folder");
    let wrong = account.entry.path.with_file_name("a_module.nk");
    std::fs::rename(&account.entry.path, &wrong).expect("our own file");
    let error = keystore.find("a", None).expect_err("the name lies");
    assert!(matches!(error, KeystoreError::KindOfFile { found: KeyKind::Account, .. }), "{error}");
    std::fs::write(&wrong, "\u{fffd}").expect("our own file");
    assert_eq!(keystore.find("a", None).expect_err("no seed").code(), Code::Key);
}
