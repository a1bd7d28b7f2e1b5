//! What a command writes over is respected: links, pipes, devices, permissions.

use std::fs::{self, Permissions};
use std::io::Read;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

use crate::guest;
use crate::sandbox::{Sandbox, arg};

#[test]
fn a_module_goes_where_a_link_leads_and_a_file_keeps_its_permissions() {
    let sandbox = Sandbox::new();
    let plain = sandbox.write("p.wasm", guest::module());
    let target = sandbox.write("real.wasm", guest::module());
    let link = sandbox.path("link.wasm");
    symlink("real.wasm", &link).expect("our own folder");
    sandbox.run(&["sign", arg(&plain), "-d", arg(&link)]).ok();
    assert!(link.is_symlink());
    sandbox.run(&["verify", arg(&target)]).ok();

    fs::set_permissions(&plain, Permissions::from_mode(0o640)).expect("our own file");
    sandbox.run(&["sign", arg(&plain), "-d", arg(&plain)]).ok();
    let mode = fs::metadata(&plain).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
    sandbox.run(&["verify", arg(&plain)]).ok();
}

#[test]
fn a_folder_that_is_missing_is_named_and_nothing_is_made() {
    let sandbox = Sandbox::new();
    let plain = sandbox.write("p.wasm", guest::module());
    let ran = sandbox.run(&["sign", arg(&plain), "-d", "build/signed/p.wasm"]);
    let told = ran.fails(3, "E_NOT_FOUND");
    assert!(told.contains("there is no folder build/signed\n"), "{told}");
    assert!(told.contains("`mkdir -p build/signed`"), "{told}");
    let keys = sandbox.run(&["keys", "list", "-o", "json"]).json();
    assert_eq!(keys["keys"], serde_json::json!([]), "what is refused leaves no key behind");
    sandbox.run(&["keys", "gen", "account"]).ok();
    let ran = sandbox.run(&["keys", "export", "default", "--seed", "build/a.nk"]);
    let told = ran.fails(3, "E_NOT_FOUND");
    assert!(told.contains("`mkdir -p build`"), "{told}");
}

#[test]
fn a_pipe_gets_the_module_and_a_device_stays_one() {
    let sandbox = Sandbox::new();
    let plain = sandbox.write("p.wasm", guest::module());
    let pipe = sandbox.path("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs").success());
    let reader = std::thread::spawn({
        let pipe = pipe.clone();
        move || {
            let mut read = Vec::new();
            fs::File::open(pipe).and_then(|mut file| file.read_to_end(&mut read)).expect("a pipe");
            read
        }
    });
    sandbox.run(&["sign", arg(&plain), "-d", arg(&pipe)]).ok();
    let piped = sandbox.write("piped.wasm", reader.join().expect("it read"));
    sandbox.run(&["verify", arg(&piped)]).ok();
    let null = sandbox.path("null");
    symlink("/dev/null", &null).expect("our own folder");
    sandbox.run(&["sign", arg(&plain), "-d", arg(&null)]).ok();
    sandbox.run(&["keys", "export", "default", "--seed", arg(&null)]).ok();
    assert!(null.is_symlink() && !null.is_file());
}

#[test]
fn stdout_takes_the_module_alone() {
    let sandbox = Sandbox::new();
    let plain = sandbox.write("p.wasm", guest::module());
    for stdout in ["-", "/dev/stdout"] {
        let ran = sandbox.run(&["sign", arg(&plain), "-d", stdout]);
        assert!(ran.code == 0 && ran.stderr.contains("may use"), "{}", ran.stderr);
        let written = sandbox.write("out.wasm", &ran.stdout);
        sandbox.run(&["verify", arg(&written)]).ok();
        sandbox.run(&["sign", arg(&plain), "-d", stdout, "-o", "json"]).fails_json(2, "E_USAGE");
    }
    let seed =
        sandbox.run_revealing(&["keys", "export", "default", "--seed", "/dev/stdout"], b"").ok();
    assert_eq!(sandbox.run_with(&["keys", "import", "copy"], seed.as_bytes()).code, 0);
}
