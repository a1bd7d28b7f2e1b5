//! Modules by images, with a real registry.

use std::net::TcpListener;
use std::process::Command;

use trellis_claims::ClaimsDraft;
use trellis_testkit::guests::built;
use trellis_testkit::{
    Client, DockerRegistry, Ended, HostProcess, Signal, Site, example_program, host_binary,
    run_to_end,
};

/// A site whose manifest runs an actor by its image.
fn site(registry: &str, image: &str) -> Site {
    let site = Site::new();
    site.put("app/manifest.yaml", manifest(registry, image));
    site
}

fn manifest(registry: &str, image: &str) -> String {
    format!(
        "actors: [{{image: '{registry}/{image}', name: echo}}]
registries: {{'{registry}': {{insecure: true}}}}
providers: [{{builtin: http-server}}]
bindings:
  - {{actor: echo, capability: 'wascc:http_server', values: {{PORT: 0, ADDRESS: 127.0.0.1}}}}
"
    )
}

/// Pushes a module, as an actor `echo` of this revision.
fn push(site: &Site, module: &str, reference: &str, revision: i32) {
    let mut draft = site.account().draft("echo");
    draft.caps = vec!["wascc:http_server".to_owned()];
    draft.revision = Some(revision);
    push_as(site, &draft, module, reference);
}

/// Pushes a module with these claims.
fn push_as(site: &Site, draft: &ClaimsDraft, module: &str, reference: &str) {
    site.put("pushed.wasm", site.account().sign(&built(module), draft));
    let mut trellis = Command::new(host_binary().with_file_name("trellis"));
    trellis.args(["push", "--plain-http"]).arg(site.path("pushed.wasm")).arg(reference);
    let ended = run_to_end(trellis.env("HOME", site.folder()));
    assert_eq!(ended.code, Some(0), "{ended:#?}");
}

fn started(site: &Site) -> HostProcess {
    let host = HostProcess::start(&mut site.host("app/manifest.yaml"));
    host.unwrap_or_else(|ended| panic!("{ended:#?}"))
}

fn checked(site: &Site) -> Ended {
    run_to_end(site.host("app/manifest.yaml").arg("--check"))
}

fn says(host: &HostProcess, from: usize, says: &[&str]) -> String {
    let all = |line: &str| says.iter().all(|says| line.contains(says)).then(|| line.to_owned());
    let said = host.log().wait_for(from, all);
    said.unwrap_or_else(|| panic!("{says:?} not in\n{}", host.log().text()))
}

/// The digest in a line.
fn digest(line: &str) -> &str {
    let at = line.find("sha256:").unwrap_or_else(|| panic!("no digest in {line}"));
    &line[at..at + "sha256:".len() + 64]
}

fn serves(host: &HostProcess) {
    assert_eq!(got(host, "echo", "/"), (200, "hello".to_owned()));
}

fn got(host: &HostProcess, actor: &str, path: &str) -> (u16, String) {
    let answer = Client::new(host.address_of(actor)).send("GET", path, b"").expect("an answer");
    (answer.status, answer.text())
}

#[test]
fn an_actor_runs_by_its_tag_and_without_its_registry_afterwards() {
    let mut registry = DockerRegistry::start();
    let site = site(registry.name(), "team/echo:1");
    let tagged = format!("{}/team/echo:1", registry.name());
    push(&site, "echo", &tagged, 1);
    let check = checked(&site);
    assert_eq!(check.code, Some(0), "{check:#?}");
    assert!(check.stderr.contains("note: ") && check.stderr.contains("resolved to sha256:"));

    let host = started(&site);
    serves(&host);
    let first = says(&host, 0, &["resolved to sha256:"]);
    assert_eq!(digest(&first), digest(&check.stderr));

    // The tag moves: a reload follows it.
    push(&site, "logger", &tagged, 2);
    let from = host.log().count();
    host.signal(Signal::HUP);
    assert_ne!(digest(&says(&host, from, &["resolved to sha256:"])), digest(&first));
    says(&host, from, &["replaced actor echo"]);
    push(&site, "echo", &tagged, 3);
    let from = host.log().count();
    host.signal(Signal::HUP);
    let last = says(&host, from, &["resolved to sha256:"]);
    says(&host, from, &["replaced actor echo"]);
    serves(&host);

    registry.stop();
    let from = host.log().count();
    host.signal(Signal::HUP);
    let warned = says(&host, from, &["WARN", "as it was resolved the last time"]);
    assert_eq!(digest(&warned), digest(&last));
    says(&host, from, &["unchanged"]);
    serves(&host);
    let ready = host.ask("/readyz").expect("an answer");
    assert!(ready.status == 200 && ready.text().contains("older than its tag"), "{ready:?}");
    drop(host);

    let host = started(&site);
    says(&host, 0, &["WARN", "as it was resolved the last time"]);
    serves(&host);
    drop(host);

    site.put(
        "app/manifest.yaml",
        manifest(registry.name(), &format!("team/echo@{}", digest(&last))),
    );
    let host = started(&site);
    serves(&host);
    assert_eq!(host.log().count_of("resolved the last time"), 0, "{}", host.log().text());
}

#[test]
fn a_provider_that_is_a_module_runs_by_its_image() {
    let registry = DockerRegistry::start();
    let name = registry.name();
    let site = Site::new();
    let account = site.account();
    let geo = ClaimsDraft { provider: true, ..account.draft("geo") };
    push_as(&site, &geo, "geo", &format!("{name}/team/geo:1"));
    let mut places = account.draft("places");
    places.caps = vec!["wascc:http_server".to_owned(), "demo:geo".to_owned()];
    site.put("app/places.wasm", account.sign(&built("places"), &places));
    site.put(
        "app/manifest.yaml",
        format!(
            "actors: [places.wasm]
registries: {{'{name}': {{insecure: true}}}}
providers: [{{builtin: http-server}}, {{module: '{name}/team/geo:1'}}]
bindings:
  - {{actor: places, capability: 'wascc:http_server', values: {{PORT: 0, ADDRESS: 127.0.0.1}}}}
  - {{actor: places, capability: 'demo:geo', provider: geo}}
"
        ),
    );
    let check = checked(&site);
    assert_eq!(check.code, Some(0), "{check:#?}");
    assert!(check.stderr.contains(":3:") && check.stderr.contains("resolved to sha256:"));
    let host = started(&site);
    let (status, text) = got(&host, "places", "/Oslo");
    assert!(status == 200 && text.contains("59.9139"), "{status} {text}");

    // The tag moves, to a module that is signed as an actor: what runs goes on.
    push_as(&site, &account.draft("geo"), "geo", &format!("{name}/team/geo:1"));
    let from = host.log().count();
    host.signal(Signal::HUP);
    says(&host, from, &["the manifest was not applied", "is signed as an actor"]);
    assert_eq!(got(&host, "places", "/Oslo").0, 200);
}

/// One file for each, and the same road: what is pushed is pulled, verified, and runs.
#[test]
fn a_provider_that_is_a_program_runs_by_the_image_of_its_archive() {
    let mut registry = DockerRegistry::start();
    let image = format!("{}/team/geo:1", registry.name());
    let site = Site::new();
    let account = site.account();
    let does = |line: &str, code: i32| {
        let ended = run_to_end(&mut site.trellis(&line.split(' ').collect::<Vec<_>>()));
        assert_eq!(ended.code, Some(code), "{line}: {ended:#?}");
        ended
    };
    let geo = example_program("geo").display().to_string();
    let release = |revision: u32| {
        let claims = format!("--capability demo:geo --vendor Acme --rev {revision}");
        does(&format!("par create {geo} {claims} --force --destination geo.par"), 0);
        does(&format!("push geo.par {image} --plain-http"), 0)
    };
    let pushed = release(1);
    let again = does(&format!("push geo.par {image} --plain-http"), 0);
    assert!(pushed.stdout.starts_with("pushed") && again.stdout.starts_with("unchanged"));
    does(&format!("pull {image} --plain-http --destination pulled.par"), 0);
    let read = |name: &str| std::fs::read(site.path(name)).expect("it is there");
    assert_eq!(read("geo.par"), read("pulled.par"));
    does("par verify pulled.par", 0);
    let other = does(&format!("verify {image} --plain-http"), 6);
    assert!(other.stderr.contains("which is an archive"), "{other:#?}");

    let mut places = account.draft("places");
    places.caps = vec!["wascc:http_server".to_owned(), "demo:geo".to_owned()];
    site.put("app/places.wasm", account.sign(&built("places"), &places));
    let manifest = format!(
        "actors: [places.wasm]
registries: {{'{}': {{insecure: true}}}}
providers: [{{builtin: http-server}}, {{archive: '{image}'}}]
bindings:
  - {{actor: places, capability: 'wascc:http_server', values: {{PORT: 0, ADDRESS: 127.0.0.1}}}}
  - {{actor: places, capability: 'demo:geo', provider: geo}}
",
        registry.name()
    );
    site.put("app/manifest.yaml", manifest.replace("archive: ", "module: "));
    let check = checked(&site);
    assert!(check.code == Some(6) && check.stderr.contains("no image of a module"), "{check:#?}");
    site.put("app/manifest.yaml", manifest.replace("geo:1", "geo:2"));
    let check = checked(&site);
    assert!(check.code == Some(6) && check.stderr.contains("E_NOT_FOUND"), "{check:#?}");
    assert!(check.stderr.contains("trellis push FILE REFERENCE"), "{check:#?}");
    site.put("app/manifest.yaml", manifest);
    let check = checked(&site);
    assert_eq!(check.code, Some(0), "{check:#?}");
    let first = digest(&check.stderr);

    let host = started(&site);
    let finds = || {
        let (status, text) = got(&host, "places", "/Oslo");
        assert!(status == 200 && text.contains("59.9139"), "{status} {text}");
    };
    finds();
    // The tag moves.
    release(2);
    let from = host.log().count();
    host.signal(Signal::HUP);
    assert_ne!(digest(&says(&host, from, &["resolved to sha256:"])), first);
    says(&host, from, &["replaced provider geo"]);
    finds();
    registry.stop();
    let from = host.log().count();
    host.signal(Signal::HUP);
    says(&host, from, &["WARN", "as it was resolved the last time"]);
    finds();
}

/// Over HTTPS nobody is spoken to but who has a certificate that is trusted.
#[test]
fn a_registry_over_https_has_to_be_trusted() {
    let registry = DockerRegistry::start_https();
    let image = format!("{}/team/echo:1", registry.name());
    let site = Site::new();
    let echo = site.account().draft("echo");
    let echo = ClaimsDraft { caps: vec!["wascc:http_server".to_owned()], ..echo };
    site.put("echo.wasm", site.account().sign(&built("echo"), &echo));
    let untrusted = |ended: &Ended, code: i32| {
        assert_eq!(ended.code, Some(code), "{ended:#?}");
        for says in ["E_REGISTRY", "certificate", "SSL_CERT_FILE"] {
            assert!(ended.stderr.contains(says), "{says}: {ended:#?}");
        }
    };
    let push = || site.trellis(&["push", "echo.wasm", &image]);
    untrusted(&run_to_end(&mut push()), 5);
    let pushed = run_to_end(push().env("SSL_CERT_FILE", registry.authority()));
    assert_eq!(pushed.code, Some(0), "{pushed:#?}");
    let insecure = format!("registries: {{'{}': {{insecure: true}}}}\n", registry.name());
    let text = manifest(registry.name(), "team/echo:1").replace(&insecure, "");
    site.put("app/manifest.yaml", text);
    untrusted(&checked(&site), 6);
    let mut command = site.host("app/manifest.yaml");
    let host = HostProcess::start(command.env("SSL_CERT_FILE", registry.authority()));
    serves(&host.unwrap_or_else(|ended| panic!("{ended:#?}")));
}

#[test]
fn a_registry_is_spoken_to_in_plain_http_only_when_that_is_asked_for() {
    let registry = DockerRegistry::start();
    let site = site(registry.name(), "echo:1");
    push(&site, "echo", &format!("{}/echo:1", registry.name()), 1);
    site.put("app/manifest.yaml", format!("actors: ['{}/echo:1']\n", registry.name()));
    let check = checked(&site);
    assert_eq!(check.code, Some(6), "{check:#?}");
    assert!(check.stderr.contains("E_REGISTRY"), "{check:#?}");
    assert!(check.stderr.contains("insecure: true"), "{check:#?}");
}

#[test]
fn a_module_that_a_registry_changed_does_not_run_and_what_runs_goes_on() {
    let registry = DockerRegistry::start();
    let site = site(registry.name(), "echo:1");
    push(&site, "echo", &format!("{}/echo:1", registry.name()), 1);
    let host = started(&site);
    push(&site, "echo", &format!("{}/echo:2", registry.name()), 2);
    registry.damage();
    let from = host.log().count();
    site.put("app/manifest.yaml", manifest(registry.name(), "echo:2"));
    says(&host, from, &["the manifest was not applied", "E_DIGEST"]);
    serves(&host);
}

#[test]
fn a_signal_is_answered_while_a_registry_is_silent() {
    // It takes connections, as the system does for it, and never says a word.
    let silent = TcpListener::bind(("127.0.0.1", 0)).expect("a loopback interface");
    let name = silent.local_addr().expect("it is bound").to_string();
    let site = site(&name, "echo:1");
    let host = HostProcess::begin(&mut site.host("app/manifest.yaml"));
    let host = host.unwrap_or_else(|ended| panic!("{ended:#?}"));
    let (asked, _) = silent.accept().expect("the host asks");
    host.signal(Signal::TERM);
    let ended = host.wait();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert!(!ended.stderr.contains("E_REGISTRY"), "it waited for the registry: {ended:#?}");
    drop(asked);
}

#[test]
fn a_tag_that_was_moved_comes_in_with_no_edit_of_something_else() {
    let mut registry = DockerRegistry::start();
    let at = registry.name().to_owned();
    let site = site(&at, "team/echo:1");
    push(&site, "echo", &format!("{at}/team/echo:1"), 1);
    push(&site, "echo", &format!("{at}/team/echo:2"), 2);
    let mut manifest = manifest(&at, "team/echo:1");
    manifest = manifest
        .replace("actors: [", &format!("actors: [{{image: '{at}/team/more:1', name: more}}, "));
    let more = |revision: i32, caps: &[&str]| {
        let mut draft = site.account().draft("more");
        draft.caps = caps.iter().map(|cap| (*cap).to_owned()).collect();
        draft.revision = Some(revision);
        push_as(&site, &draft, "echo", &format!("{at}/team/more:1"));
    };
    more(1, &["wascc:http_server"]);
    site.put("app/manifest.yaml", manifest);
    let host = started(&site);
    let does = |line: &str| {
        let ended = run_to_end(&mut site.trellis(&line.split(' ').collect::<Vec<_>>()));
        assert_eq!(ended.code, Some(0), "{line}: {ended:#?}");
        ended.stdout
    };
    let revision = |actor: &str| {
        let told: serde_json::Value =
            serde_json::from_str(&does(&format!("describe actor {actor} -o json"))).expect("JSON");
        told["actor"]["revision"].clone()
    };
    more(2, &["wascc:http_server", "wascc:extras"]);
    does(&format!("update actor echo {at}/team/echo:2 --no-wait"));
    assert_eq!((revision("echo"), revision("more")), (2.into(), 1.into()));
    assert!(does("history -o wide").contains("sha256:"), "what the tag stood for is told");
    // What the edit's own tag stands for now comes in with no reading of the manifest.
    push(&site, "echo", &format!("{at}/team/echo:2"), 3);
    let from = host.log().count();
    host.signal(Signal::HUP);
    says(&host, from, &["replaced actor more"]);
    assert_eq!((revision("echo"), revision("more")), (2.into(), 2.into()));
    // Nor is anybody asked for what is gone back to.
    registry.stop();
    does("rollback echo --no-wait");
    assert_eq!(revision("echo"), 1);
}
