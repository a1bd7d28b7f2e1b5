//! `push`, `pull`, `login`, `logout`, and modules by their images, with a real registry.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use trellis_testkit::{DockerRegistry, REGISTRY_PASSWORD, REGISTRY_USER};

use crate::guest;
use crate::sandbox::{Ran, Sandbox, arg};

/// A command that speaks plain HTTP; the password is shown by none.
fn run(sandbox: &Sandbox, args: &[&str], stdin: &str) -> Ran {
    let ran = sandbox.run_with(&[args, &["--plain-http"]].concat(), stdin.as_bytes());
    let shown = String::from_utf8_lossy(&ran.stdout).into_owned() + &ran.stderr;
    assert!(!shown.contains(REGISTRY_PASSWORD), "{shown}");
    ran
}

#[test]
fn what_is_pushed_can_be_pulled_and_used_by_its_image() {
    let (sandbox, registry) = (Sandbox::new(), DockerRegistry::start());
    let signed = sandbox.signed("echo", &guest::module(), &[]);
    let image = format!("{}/team/echo:1", registry.name());
    let pushed = run(&sandbox, &["push", arg(&signed), &image, "-o", "json"], "").json();
    assert_eq!((&pushed["result"], &pushed["reference"]), (&"pushed".into(), &(&*image).into()));
    let again = run(&sandbox, &["push", arg(&signed), &image], "").ok();
    let digest = pushed["digest"].as_str().expect("a digest");
    assert!(again.starts_with("unchanged ") && again.contains(digest), "{again}");

    let to = sandbox.path("pulled.wasm");
    let pull = ["pull", &image, "-o", "json", "-d", arg(&to)];
    let pulled = run(&sandbox, &pull, "").json();
    assert_eq!((&pulled["result"], &pulled["digest"]), (&"pulled".into(), &pushed["digest"]));
    assert_eq!(fs::read(&to).ok(), fs::read(&signed).ok());
}

#[test]
fn a_pull_replaces_nothing_unless_it_is_told_to() {
    let (sandbox, registry) = (Sandbox::new(), DockerRegistry::start());
    let signed = sandbox.signed("echo", &guest::module(), &[]);
    let image = format!("{}/team/app:1", registry.name());
    run(&sandbox, &["push", arg(&signed), &image], "").ok();
    let ours = fs::read(&signed).expect("ours");
    for (result, options) in [("pulled", &[][..]), ("unchanged", &[])] {
        let told = run(&sandbox, &[&["pull", &image][..], options].concat(), "").ok();
        assert!(told.starts_with(result), "{told}");
    }
    assert_eq!(fs::read(sandbox.path("app.wasm")).ok(), Some(ours.clone()));
    let other = sandbox.write("other", "something else");
    let args = ["pull", &image, "--destination", arg(&other)];
    run(&sandbox, &args, "").fails(2, "E_USAGE");
    run(&sandbox, &[&args[..], &["--force"]].concat(), "").ok();
    assert_eq!(fs::read(&other).ok(), Some(ours.clone()));
    assert_eq!(run(&sandbox, &["pull", &image, "-d", "-"], "").stdout, ours);
}

#[test]
fn a_module_is_named_by_its_image_wherever_one_is_read() {
    let (sandbox, mut registry) = (Sandbox::new(), DockerRegistry::start());
    let signed = sandbox.signed("echo", &guest::module(), &[]);
    let image = format!("{}/echo:1", registry.name());
    let digest = run(&sandbox, &["push", arg(&signed), &image, "-o", "json"], "").json();
    let pinned = format!("{}/echo@{}", registry.name(), digest["digest"].as_str().expect("one"));
    for image in [&image, &pinned] {
        let shown = run(&sandbox, &["inspect", image, "-o", "json"], "").json();
        assert_eq!((&shown["state"], &shown["file"]), (&"valid".into(), &(&**image).into()));
        run(&sandbox, &["verify", image], "").ok();
        run(&sandbox, &["call", image, "Echo", "hello"], "").ok();
    }
    registry.stop();
    let stale = run(&sandbox, &["verify", &image], "");
    assert_eq!(stale.code, 0, "{stale:?}");
    assert!(stale.stderr.contains("resolved to the last time"), "{stale:?}");
    let known = run(&sandbox, &["verify", &pinned], "");
    assert!(known.code == 0 && known.stderr.is_empty(), "{known:?}");
}

#[test]
fn what_fails_says_why_with_its_exit_code() {
    let (sandbox, mut registry) = (Sandbox::new(), DockerRegistry::start());
    let signed = sandbox.signed("echo", &guest::module(), &[]);
    let image = format!("{}/echo:1", registry.name());
    let missing = run(&sandbox, &["pull", &image], "").fails(3, "E_NOT_FOUND");
    assert!(missing.contains("trellis push"), "{missing}");
    run(&sandbox, &["push", "none.wasm", &image], "").fails(3, "E_NOT_FOUND");
    let text = sandbox.write("text.wasm", "no module");
    run(&sandbox, &["push", arg(&text), &image], "").fails(6, "E_MODULE_INVALID");
    let wrong = run(&sandbox, &["push", arg(&signed), "http://localhost:5000/Echo"], "");
    let wrong = wrong.fails(6, "E_IMAGE");
    for told in ["`http://`", "`Echo`", "neither a tag", "REGISTRY/NAME:TAG"] {
        assert!(wrong.contains(told), "{told} not in {wrong}");
    }
    run(&sandbox, &["push", arg(&signed), &image], "").ok();
    // HTTPS, as nobody asked for anything else.
    let refused = sandbox.run(&["pull", &image]).fails(5, "E_REGISTRY");
    assert!(refused.contains("--plain-http"), "{refused}");
    registry.damage();
    run(&sandbox, &["pull", &image], "").fails(4, "E_DIGEST");
    registry.stop();
    run(&sandbox, &["pull", &image], "").fails(5, "E_REGISTRY");
    run(&sandbox, &["push", arg(&signed), &image], "").fails(5, "E_REGISTRY");
}

#[test]
fn credentials_are_kept_once_the_registry_took_them() {
    let (sandbox, registry) = (Sandbox::new(), DockerRegistry::start_with_password());
    let signed = sandbox.signed("echo", &guest::module(), &[]);
    let image = format!("{}/echo:1", registry.name());
    let denied = run(&sandbox, &["push", arg(&signed), &image], "").fails(4, "E_CREDENTIALS");
    assert!(denied.contains("trellis login"), "{denied}");

    let login = ["login", registry.name(), "--username", REGISTRY_USER, "--password-stdin"];
    run(&sandbox, &login, "wrong\n").fails(4, "E_CREDENTIALS");
    let config = sandbox.path(".docker/config.json");
    assert!(!config.exists(), "what is refused is not kept");
    run(&sandbox, &login, "").fails(2, "E_USAGE");
    run(&sandbox, &login, &format!("{REGISTRY_PASSWORD}\n")).ok();
    let mode = fs::metadata(&config).expect("it is kept").permissions().mode() & 0o777;
    assert_eq!(mode, 0o600, "{mode:o}");
    run(&sandbox, &["push", arg(&signed), &image], "").ok();
    run(&sandbox, &["verify", &image], "").ok();

    let logout = ["logout", registry.name()];
    assert!(sandbox.run(&logout).ok().starts_with("logged out"));
    assert!(sandbox.run(&logout).ok().starts_with("unchanged"));
    run(&sandbox, &["pull", &image], "").fails(4, "E_CREDENTIALS");
}

#[test]
fn a_program_that_docker_names_keeps_the_credentials() {
    let (sandbox, registry) = (Sandbox::new(), DockerRegistry::start_with_password());
    let signed = sandbox.signed("echo", &guest::module(), &[]);
    sandbox.program(
        "docker-credential-test",
        "#!/bin/sh\ncd \"$HOME\"\ncase $1 in\nstore) cat > kept;;\nerase) rm kept;;\n\
         get) cat > asked; cat kept || { echo credentials not found; exit 1; };;\nesac\n",
    );
    fs::create_dir(sandbox.path(".docker")).expect("a folder");
    sandbox.write(".docker/config.json", "{\"credsStore\": \"test\"}");
    let path = sandbox.path("").display().to_string() + ":" + &std::env::var("PATH").expect("one");
    let run = |args: &[&str], stdin: &str| {
        sandbox.run_in(&[("PATH", &path)], &[args, &["--plain-http"]].concat(), stdin.as_bytes())
    };
    let image = format!("{}/echo:1", registry.name());
    run(&["push", arg(&signed), &image], "").fails(4, "E_CREDENTIALS");
    let login = ["login", registry.name(), "--username", REGISTRY_USER, "--password-stdin"];
    let told = run(&login, REGISTRY_PASSWORD).ok();
    assert!(told.contains("kept by  docker-credential-test"), "{told}");
    run(&["push", arg(&signed), &image], "").ok();
    let config = fs::read_to_string(sandbox.path(".docker/config.json")).expect("a file");
    assert!(!config.contains("auths"), "{config}");
    sandbox.run_in(&[("PATH", &path)], &["logout", registry.name()], b"").ok();
    assert!(!sandbox.path("kept").exists());
}
