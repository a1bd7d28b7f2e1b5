//! `trellis keys`.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::sandbox::{Sandbox, arg};

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).expect("the file exists").permissions().mode() & 0o777
}

#[test]
fn a_key_is_made_once_and_shown_without_its_seed() {
    let sandbox = Sandbox::new();
    let made = sandbox.run(&["keys", "gen", "account", "-o", "json"]).json();
    assert_eq!(made["created"], true);
    assert_eq!((made["name"].as_str(), made["kind"].as_str()), (Some("default"), Some("account")));
    let public = made["publicKey"].as_str().expect("a key").to_owned();
    assert!(public.len() == 56 && public.starts_with('A'), "{public}");
    let path = sandbox.keys().join("default_account.nk");
    assert_eq!(made["path"], arg(&path));
    assert_eq!((mode(&path), mode(&sandbox.keys())), (0o600, 0o700));

    let again = sandbox.run(&["keys", "gen", "account", "-o", "json"]);
    assert!(again.stderr.contains("unchanged"), "{again:?}");
    let again = again.json();
    assert_eq!(
        (again["created"].as_bool(), again["publicKey"].as_str()),
        (Some(false), Some(&*public))
    );

    let shown = sandbox.run(&["keys", "show", &public[..9]]).ok();
    assert!(shown.contains(&public) && shown.contains("account"), "{shown}");
    assert_eq!(sandbox.run(&["keys", "export", "default"]).ok(), format!("{public}\n"));
}

#[test]
fn every_kind_is_listed() {
    let sandbox = Sandbox::new();
    let empty = sandbox.run(&["keys", "list"]);
    assert!(empty.stderr.contains("keys gen account"), "{empty:?}");
    assert_eq!(empty.ok(), "");
    let kinds = [
        ("account", 'A'),
        ("module", 'M'),
        ("operator", 'O'),
        ("cluster", 'C'),
        ("server", 'N'),
        ("service", 'V'),
        ("user", 'U'),
    ];
    for (kind, letter) in kinds {
        let made = sandbox.run(&["keys", "gen", kind, "one", "-o", "json"]).json();
        assert!(made["publicKey"].as_str().is_some_and(|key| key.starts_with(letter)), "{made}");
    }
    let list = sandbox.run(&["keys", "list", "-o", "json"]).json();
    assert_eq!(list["keys"].as_array().map(Vec::len), Some(kinds.len()));
    assert_eq!(sandbox.run(&["keys", "list"]).ok().lines().count(), kinds.len());
    sandbox.run(&["keys", "show", "one"]).fails(2, "E_KEYSTORE");
    sandbox.run(&["keys", "show", "one", "--kind", "user"]).ok();
    sandbox.run(&["keys", "show", "two"]).fails(3, "E_NOT_FOUND");
    sandbox.run(&["keys", "show", "two", "-o", "json"]).fails_json(3, "E_NOT_FOUND");
}

#[test]
fn a_key_open_to_others_is_refused_with_the_cure() {
    let sandbox = Sandbox::new();
    sandbox.run(&["keys", "gen", "account"]).ok();
    let path = sandbox.keys().join("default_account.nk");
    let open = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(&path, open).expect("our own file");
    for args in [&["keys", "show", "default"][..], &["keys", "gen", "account"]] {
        let said = sandbox.run(args).fails(4, "E_KEYSTORE");
        assert!(said.contains(&format!("chmod 600 {}", arg(&path))), "{said}");
    }
    let list = sandbox.run(&["keys", "list", "-o", "json"]).json();
    assert_eq!(list["problems"][0]["error"]["code"], "E_KEYSTORE", "the others are still listed");
}

#[test]
fn keys_travel_by_file_and_pipe() {
    let (here, there) = (Sandbox::new(), Sandbox::new());
    let public =
        here.run(&["keys", "gen", "module", "counter", "-o", "json"]).json()["publicKey"].clone();
    let seed = here.run_revealing(&["keys", "export", "counter", "--seed", "-"], b"").ok();
    assert_eq!(here.seeds(), [seed.trim()]);

    let imported =
        there.run_with(&["keys", "import", "mine", "-o", "json"], seed.as_bytes()).json();
    assert_eq!((&imported["publicKey"], &imported["result"]), (&public, &"created".into()));
    let file = here.path("backup.nk");
    let said = here.run(&["keys", "export", "counter", "--seed", arg(&file)]);
    assert!(said.stderr.contains("wrote the seed"), "{said:?}");
    assert_eq!(mode(&file), 0o600);
    let export = ["keys", "export", "counter", "--seed", arg(&file), "-o", "json"];
    assert_eq!(here.run(&export).json()["result"], "unchanged");
    here.run(&["keys", "gen", "module", "another"]).ok();
    let export = ["keys", "export", "another", "--seed", arg(&file)];
    here.run(&export).fails(1, "E_KEYSTORE");
    here.run(&[export.as_slice(), &["--force"]].concat()).ok();
    let export = ["keys", "export", "counter", "--seed", arg(&file), "--force", "-o", "json"];
    assert_eq!(here.run(&export).json()["result"], "replaced");
    let from = ["keys", "import", "mine", "--from", arg(&file), "-o", "json"];
    assert_eq!(there.run(&from).json()["result"], "unchanged");

    there.run(&["keys", "gen", "module", "other"]).ok();
    there.run(&["keys", "import", "other", "--from", arg(&file)]).fails(1, "E_KEYSTORE");
    let force = ["keys", "import", "other", "--from", arg(&file), "--force", "-o", "json"];
    assert_eq!(there.run(&force).json()["result"], "replaced");
    there.run_with(&["keys", "import", "bad"], b"not a seed").fails(6, "E_KEY");
    there.run(&["keys", "import", "bad", "--from", "missing.nk"]).fails(3, "E_NOT_FOUND");
}

#[test]
fn seeds_stay_out_of_arguments_and_json() {
    let sandbox = Sandbox::new();
    sandbox.run(&["keys", "gen", "account"]).ok();
    let seed = sandbox.seeds().pop().expect("one key");
    for args in [
        ["keys", "show", &seed].as_slice(),
        &["keys", "gen", "account", &seed],
        &["verify", "x.wasm", "--issuer", &seed],
        &["keys", "show", &seed, "-o", "json"],
    ] {
        let ran = sandbox.run(args);
        assert!([2, 3].contains(&ran.code), "{ran:?}");
    }
    sandbox
        .run(&["keys", "export", "default", "--seed", "-", "-o", "json"])
        .fails_json(2, "E_USAGE");
}
