//! The file of a store, where it is and where a manifest says that it is.

use std::fs;
use std::os::unix::fs::symlink;

use trellis_testkit::guests::built;
use trellis_testkit::{Client, Ended, HostProcess, Signal, Site, eventually, run_to_end};

/// A site with a counter whose keys are at this path.
fn site(path: &str) -> Site {
    let site = Site::new();
    let mut draft = site.account().draft("counter");
    draft.caps = ["wascc:http_server", "wascc:keyvalue"].map(str::to_owned).into();
    site.put("app/counter.wasm", site.account().sign(&built("kvcounter"), &draft));
    site.put("app/manifest.yaml", manifest(path));
    site
}

fn manifest(path: &str) -> String {
    format!(
        "actors: [{{image: counter.wasm, name: counter}}]
providers:
  - builtin: http-server
  - {{builtin: keyvalue-embedded, name: store, values: {{PATH: {path}}}}}
bindings:
  - {{actor: counter, capability: 'wascc:http_server', values: {{PORT: 0, ADDRESS: 127.0.0.1}}}}
  - {{actor: counter, capability: 'wascc:keyvalue'}}
"
    )
}

fn started(site: &Site) -> HostProcess {
    let host = HostProcess::start(&mut site.host("app/manifest.yaml"));
    host.unwrap_or_else(|ended| panic!("{ended:#?}"))
}

fn count(host: &HostProcess) -> String {
    let answer = Client::new(host.address_of("counter")).send("GET", "/", b"");
    answer.expect("an answer").text()
}

fn checked(site: &Site) -> Ended {
    run_to_end(site.host("app/manifest.yaml").arg("--check"))
}

/// Waits for a line of the log with all of these texts.
fn logs(host: &HostProcess, texts: &[&str]) {
    let has = |line: &str| texts.iter().all(|text| line.contains(text)).then_some(());
    let found = host.log().wait_for(0, has);
    assert!(found.is_some(), "{texts:?} in\n{}", host.log().text());
}

#[test]
fn another_path_that_is_a_new_store_is_told() {
    let site = site("data/counts.redb");
    let before = checked(&site);
    assert_eq!(before.code, Some(0), "{before:#?}");
    let note = "counts.redb: the key-value file does not exist: a new one will be made";
    assert!(before.stderr.contains("note: ") && before.stderr.contains(note), "{before:#?}");
    assert!(!site.path("app/data").exists(), "a check makes nothing");
    let host = started(&site);
    assert_eq!(count(&host), "{\"counter\": 1}");
    let while_used = checked(&site);
    assert_eq!(while_used.code, Some(0), "{while_used:#?}");
    assert!(!while_used.stderr.contains("note: "), "{while_used:#?}");
    site.put("app/manifest.yaml", manifest("data/cuonts.redb"));
    let told = "counter goes on without the keys that it had";
    logs(&host, &["WARN", told, "data/cuonts.redb", "data/counts.redb", "trellis rollback"]);
    site.put("app/manifest.yaml", manifest("data/counts.redb"));
    let back = eventually(|| match count(&host) {
        back if back == "{\"counter\": 2}" => Ok(()),
        other => Err(other),
    });
    assert_eq!(back, Ok(()), "{}", host.log().text());
    assert_eq!(host.log().count_of(told), 1, "{}", host.log().text());
}

#[test]
fn a_store_of_another_kind_is_told() {
    let site = site("counts.redb");
    let embedded = manifest("counts.redb");
    // Nobody answers there: what is told does not depend on it.
    let redis = embedded.replace("keyvalue-embedded", "keyvalue-redis");
    let redis = redis.replace("PATH: counts.redb", "URL: 'redis://127.0.0.1:1'");
    let from_here = "goes over from keyvalue-embedded to keyvalue-redis";
    let host = started(&site);
    assert_eq!(count(&host), "{\"counter\": 1}");
    site.put("app/manifest.yaml", &redis);
    logs(&host, &["WARN", "the binding of `counter` to wascc:keyvalue", from_here]);
    host.signal(Signal::TERM);
    assert_eq!(host.wait().code, Some(0));

    // What served could never be replaced, so the data are still where they were.
    site.put("app/manifest.yaml", &embedded);
    let back = checked(&site);
    assert!(back.code == Some(0) && !back.stderr.contains("goes over"), "{back:#?}");
    site.put("app/manifest.yaml", &redis);
    let told = checked(&site);
    assert_eq!(told.code, Some(0), "{told:#?}");
    assert!(told.stderr.contains("warning: ") && told.stderr.contains(from_here), "{told:#?}");
    let host = started(&site);
    logs(&host, &["WARN", from_here, "bind it to keyvalue-embedded again"]);
}

#[test]
fn a_path_that_no_store_can_be_opened_at_is_refused_by_a_check_and_a_start() {
    let site = site("store");
    fs::write(site.path("app/garbage"), "no store ".repeat(1_000)).expect("the site is writable");
    fs::create_dir(site.path("app/folder")).expect("the site is writable");
    symlink("gone", site.path("app/dangling")).expect("the site is writable");
    for (path, says) in [
        ("garbage", "is damaged or not a key-value file"),
        ("folder", "is not a file in a folder; correct PATH"),
        ("garbage/store", "is not a file in a folder; correct PATH"),
        ("dangling", "PATH is a link to what does not"),
    ] {
        site.put("app/manifest.yaml", manifest(path));
        let starts = run_to_end(&mut site.host("app/manifest.yaml"));
        for (ended, code) in [(checked(&site), 6), (starts, 1)] {
            assert_eq!(ended.code, Some(code), "{path}: {ended:#?}");
            assert!(ended.stderr.contains("E_STORAGE"), "{path}: {ended:#?}");
            assert!(ended.stderr.contains(says), "{path}: {ended:#?}");
        }
    }
}

#[test]
fn a_store_that_is_moved_with_its_path_goes_on() {
    let site = site("counts.redb");
    let host = started(&site);
    assert_eq!(count(&host), "{\"counter\": 1}");
    fs::rename(site.path("app/counts.redb"), site.path("app/moved.redb")).expect("it is there");
    site.put("app/manifest.yaml", manifest("moved.redb"));
    logs(&host, &["replaced provider store"]);
    assert_eq!(count(&host), "{\"counter\": 2}", "{}", host.log().text());
    let well = eventually(|| match host.ask("/readyz").map(|answer| answer.text()) {
        Some(text) if text == "ready\n" => Ok(()),
        told => Err(told),
    });
    assert_eq!(well, Ok(()), "{}", host.log().text());
    for (text, most) in [("in use by another process", 0), ("made a new", 1)] {
        assert!(host.log().count_of(text) <= most, "{text}: {}", host.log().text());
    }
    assert!(!site.path("app/counts.redb").exists(), "no second store is begun");
}
