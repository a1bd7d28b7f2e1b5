//! `trellis new`: what it makes passes its own test and is what a host runs.

use std::path::Path;
use std::process::Command;

use crate::sandbox::Sandbox;

/// The folder of the SDKs, in which `tools/setup.sh` has put what they need.
const SDKS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../providers/sdk");

/// Runs a program in that folder, where Python is the one that has the SDK's library.
fn run(folder: &Path, program: &str, args: &[&str]) {
    let path = std::env::var("PATH").expect("a path");
    let output = Command::new(program)
        .args(args)
        .current_dir(folder)
        .env("PATH", format!("{SDKS}/python/.venv/bin:{path}"))
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {args:?}: {said}");
}

/// What a host says of the manifest that was made.
fn check(folder: &Path) {
    let trellis = env!("CARGO_BIN_EXE_trellis");
    run(folder, trellis, &["up", "--manifest", "manifest.yaml", "--check"]);
}

#[test]
fn a_provider_in_python_passes_its_test_and_a_check() {
    let sandbox = Sandbox::new();
    let made = sandbox.run(&["new", "provider", "door-bell", "--lang", "python"]).ok();
    assert!(made.contains("made door-bell, which serves `demo:door_bell`"), "{made}");
    let folder = sandbox.path("door-bell");
    run(&folder, "python3", &["-m", "unittest"]);
    check(&folder);
    let text = std::fs::read_to_string(folder.join("provider.py")).expect("it is there");
    assert!(text.contains("class DoorBellProvider(Provider):") && !text.contains("new"), "{text}");
    let python = format!("{SDKS}/python/.venv/bin/python");
    let script = folder.join("provider.py").display().to_string();
    let inspected = sandbox.run(&["inspect", "--process", &python, &script]).ok();
    let lines: Vec<_> = inspected.lines().collect();
    assert_eq!(
        lines,
        [
            "door-bell 0.1.0: Greets.",
            "serves demo:door_bell",
            "  Greet              Greets somebody.",
            "values",
            "  WORD               text, of the provider, default `Hello`: The first word.",
        ]
    );
    let inspected = sandbox.run(&["-o", "json", "inspect", "--process", &python, &script]).json();
    assert_eq!(inspected["contracts"][0]["operations"][0]["name"], "Greet");
}

#[test]
fn a_program_that_is_no_provider_is_told() {
    let sandbox = Sandbox::new();
    let told = sandbox.run(&["inspect", "--process", "sh", "-c", "echo hi; exit 3"]);
    assert!(told.fails(1, "E_PROVIDER").contains("exit status: 3"));
    sandbox.run(&["inspect", "--process", "./nowhere"]).fails(3, "E_NOT_FOUND");
    sandbox.run(&["inspect", "--process", "no-such-program"]).fails(3, "E_NOT_FOUND");
}

#[test]
fn a_provider_in_javascript_passes_its_test_and_a_check() {
    let sandbox = Sandbox::new();
    let made = ["new", "provider", "bell", "--lang", "node", "--folder", "a/b", "-o", "json"];
    assert_eq!(sandbox.run(&made).json()["contract"], "demo:bell");
    let folder = sandbox.path("a/b");
    let modules = Path::new(SDKS).join("node/node_modules");
    std::os::unix::fs::symlink(modules, folder.join("node_modules")).expect("the library");
    run(&folder, "node", &["--test"]);
    check(&folder);
}

/// It is built and tested as an example of the SDK.
#[test]
fn a_provider_in_rust_names_the_crates_of_its_clone() {
    let sandbox = Sandbox::new();
    let clone = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    sandbox.run(&["new", "provider", "bell", "--lang", "rust"]).fails(3, "E_NOT_FOUND");
    let nowhere = ["new", "provider", "bell", "--lang", "rust", "--sdk", "nowhere"];
    sandbox.run(&nowhere).fails(3, "E_NOT_FOUND");
    sandbox.run(&["new", "provider", "bell", "--lang", "rust", "--sdk", clone]).ok();
    let text = std::fs::read_to_string(sandbox.path("bell/Cargo.toml")).expect("it is there");
    let paths = text.split('"').filter(|part| part.contains('/')).collect::<Vec<_>>();
    assert!(paths.len() == 3 && paths.iter().all(|path| Path::new(path).is_dir()), "{paths:?}");
}

/// It is built and tested as one of the actors.
#[test]
fn a_provider_that_is_a_module_says_how_it_is_signed() {
    let sandbox = Sandbox::new();
    let clone = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let made = ["new", "provider", "door-bell", "--lang", "wasm", "--sdk", clone];
    let made = sandbox.run(&made).ok();
    assert!(made.contains("release/door_bell.wasm --provider --name door-bell"), "{made}");
    let text = std::fs::read_to_string(sandbox.path("door-bell/Cargo.toml")).expect("it is there");
    let paths = text.split('"').filter(|part| part.contains('/')).collect::<Vec<_>>();
    assert!(paths.len() == 3 && paths.iter().all(|path| Path::new(path).is_dir()), "{paths:?}");
}

#[test]
fn nothing_is_written_over() {
    let sandbox = Sandbox::new();
    std::fs::create_dir(sandbox.path("bell")).expect("our own folder");
    sandbox.write("bell/notes.txt", "mine");
    let told = sandbox.run(&["new", "provider", "bell", "--lang", "python"]).fails(1, "E_STORAGE");
    assert!(told.contains("bell is not empty"), "{told}");
    assert_eq!(std::fs::read_dir(sandbox.path("bell")).expect("a folder").count(), 1);
    for name in ["Bell", "a/b", "type", ""] {
        assert_eq!(sandbox.run(&["new", "provider", name, "--lang", "python"]).code, 2, "{name}");
    }
    sandbox
        .run(&["new", "provider", "type", "--lang", "node", "-o", "json"])
        .fails_json(2, "E_USAGE");
}
