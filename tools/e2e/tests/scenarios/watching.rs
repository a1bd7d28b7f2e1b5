//! What happens to the files of a running host.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use trellis_e2e::hostile::harmless;
use trellis_testkit::guests::built;
use trellis_testkit::{Client, HostProcess, Site, eventually};

const MANIFEST: &str = "actors: [{image: dist/out/echo.wasm, name: echo}]
providers: [{builtin: http-server}]
bindings: [{actor: echo, capability: 'wascc:http_server', values: {PORT: 0, ADDRESS: 127.0.0.1}}]
";

/// Two builds of one actor, which answer differently.
struct Build {
    site: Site,
    hello: Vec<u8>,
    ok: Vec<u8>,
}

impl Build {
    fn new() -> Self {
        let site = Site::new();
        let mut draft = site.account().draft("echo");
        draft.caps = vec!["wascc:http_server".to_owned()];
        let hello = site.account().sign(&built("echo"), &draft);
        let ok = site.account().sign(&harmless(), &draft);
        site.put("app/manifest.yaml", MANIFEST);
        Self { site, hello, ok }
    }

    /// Writes in place, in several steps, as a linker does.
    fn write(&self, relative: &str, module: &[u8]) {
        let path = self.site.path(relative);
        fs::create_dir_all(path.parent().expect("a folder")).expect("the site is writable");
        let (first, second) = module.split_at(module.len() / 2);
        fs::write(&path, first).expect("the site is writable");
        let mut file = fs::File::options().append(true).open(&path).expect("it is there");
        std::io::Write::write_all(&mut file, second).expect("the site is writable");
    }

    fn start(&self) -> HostProcess {
        let host = HostProcess::start(&mut self.site.host("app/manifest.yaml"));
        host.unwrap_or_else(|ended| panic!("{ended:#?}"))
    }
}

fn answers(host: &HostProcess, body: &str) {
    let mut client = Client::new(host.address_of("echo"));
    let answer = eventually(|| match client.send("GET", "/", b"") {
        Ok(answer) if answer.text() == body => Ok(()),
        _ => Err(()),
    });
    assert!(answer.is_ok(), "it does not answer {body}:\n{}", host.log().text());
}

/// Whoever reads a pipe waits for somebody to write.
#[test]
fn a_pipe_in_place_of_the_manifest_stops_no_later_change() {
    let build = Build::new();
    build.write("app/dist/out/echo.wasm", &build.hello);
    let host = build.start();
    answers(&host, "hello");
    let manifest = build.site.path("app/manifest.yaml");
    fs::remove_file(&manifest).expect("it is there");
    let made = std::process::Command::new("mkfifo").arg(&manifest).status();
    assert!(made.expect("coreutils").success());
    let says = |text: &str| host.log().wait_for(0, |line| line.contains(text).then_some(()));
    assert!(says("folder, not a file").is_some(), "{}", host.log().text());
    answers(&host, "hello");
    let key = build.site.account().subject("echo");
    let revoked = format!("{MANIFEST}trust: {{revoked: [{key}]}}\n");
    fs::remove_file(&manifest).expect("it is there");
    build.site.put("app/manifest.yaml", revoked);
    assert!(says("E_REVOKED").is_some(), "{}", host.log().text());
}

#[test]
fn a_module_is_written_in_place() {
    let build = Build::new();
    build.write("app/dist/out/echo.wasm", &build.hello);
    let host = build.start();
    answers(&host, "hello");
    build.write("app/dist/out/echo.wasm", &build.ok);
    answers(&host, "ok");
}

#[test]
fn the_output_folder_is_made_anew() {
    let build = Build::new();
    build.write("app/dist/out/echo.wasm", &build.hello);
    let host = build.start();
    let dist = build.site.path("app/dist");
    for (module, body) in [(&build.ok, "ok"), (&build.hello, "hello")] {
        fs::remove_dir_all(&dist).expect("removed");
        build.write("app/dist/out/echo.wasm", module);
        answers(&host, body);
    }
    // The build that follows a clean one is noticed as well.
    build.write("app/dist/out/echo.wasm", &build.ok);
    answers(&host, "ok");
}

#[test]
fn a_symbolic_link_leads_to_the_next_release() {
    let build = Build::new();
    build.write("releases/1/out/echo.wasm", &build.hello);
    build.write("releases/2/out/echo.wasm", &build.ok);
    let link = |release: &str, at: &Path| {
        symlink(build.site.path("releases").join(release), at).expect("a link");
    };
    link("1", &build.site.path("app/dist"));
    let host = build.start();
    answers(&host, "hello");
    link("2", &build.site.path("next"));
    fs::rename(build.site.path("next"), build.site.path("app/dist")).expect("switched");
    answers(&host, "ok");
}

#[test]
fn a_module_that_comes_later_is_applied_when_it_comes() {
    let build = Build::new();
    build.write("app/dist/out/echo.wasm", &build.hello);
    let host = build.start();
    let mut draft = build.site.account().draft("late");
    draft.caps = vec!["wascc:http_server".to_owned()];
    let from = host.log().count();
    let both = MANIFEST.replace("[{image", "[{image: late/late.wasm, name: late}, {image");
    build.site.put("app/manifest.yaml", &both);
    let missing = |line: &str| (line.contains("late.wasm") && line.contains("ERROR")).then_some(());
    host.log().wait_for(from, missing).expect("the log says what is missing");
    answers(&host, "hello");
    let late = build.site.account().sign(&harmless(), &draft);
    build.write("app/late/late.wasm", &late);
    let started = |line: &str| line.contains("started actor late").then_some(());
    host.log().wait_for(from, started).expect("it is applied when it is complete");
}
