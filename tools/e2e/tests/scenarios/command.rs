//! What the command line takes, and what comes out on stdout.

use std::process::Command;

use trellis_e2e::hostile::harmless;
use trellis_testkit::{Ended, HostProcess, Site, run_to_end};

const ECHO: &str = "actors: [{image: echo.wasm, name: echo}]
providers: [{builtin: http-server}]
bindings: [{actor: echo, capability: 'wascc:http_server', values: {PORT: 0, ADDRESS: 127.0.0.1}}]
";

/// A site with this manifest and a signed `echo`.
fn site(manifest: &str) -> Site {
    let site = Site::new();
    let mut draft = site.account().draft("echo");
    draft.caps = vec!["wascc:http_server".to_owned()];
    site.put("app/echo.wasm", site.account().sign(&harmless(), &draft));
    site.put("app/manifest.yaml", manifest);
    site
}

fn host(site: &Site, args: &[&str]) -> Command {
    let mut command = site.host("app/manifest.yaml");
    command.args(args);
    command
}

/// Every line of stdout as JSON.
fn documents(ended: &Ended) -> Vec<serde_json::Value> {
    let line = |line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {ended:#?}"));
    ended.stdout.lines().map(line).collect()
}

#[test]
fn a_flag_of_the_environment_takes_every_usual_word() {
    let site = site(ECHO);
    site.put("app/echo.wasm", harmless());
    let check = |word: &str, args: &[&str]| {
        let mut command = host(&site, &["--check"]);
        run_to_end(command.args(args).env("TRELLIS_ALLOW_UNSIGNED", word)).code
    };
    for word in ["1", "yes", "on", "True", "TRUE"] {
        assert_eq!(check(word, &[]), Some(0), "{word}");
    }
    for word in ["0", "no", "off", "False", ""] {
        assert_eq!(check(word, &[]), Some(4), "{word:?}");
    }
    assert_eq!(check("perhaps", &[]), Some(2));
    assert_eq!(check("no", &["--allow-unsigned"]), Some(0), "the flag wins");
    assert_eq!(check("yes", &["--allow-unsigned=false"]), Some(4), "it can say no as well");
}

#[test]
fn a_flag_wins_over_the_environment_and_an_empty_variable_is_none() {
    let site = site(ECHO);
    let cache = site.path("elsewhere");
    let mut command = host(&site, &["--no-cache"]);
    command.env("TRELLIS_CACHE_DIR", &cache).env("TRELLIS_LOG_FORMAT", "").env("TRELLIS_LOG", "");
    let host = HostProcess::start(&mut command).unwrap_or_else(|ended| panic!("{ended:#?}"));
    let started = |line: &str| line.contains("started actor echo").then_some(());
    assert!(host.log().wait_for(0, started).is_some(), "{}", host.log().text());
    assert!(!cache.exists(), "nothing is kept");
}

#[test]
fn stdout_is_json_alone_when_json_is_asked_for() {
    let site = site(ECHO);
    let fine = run_to_end(&mut host(&site, &["--check", "-o", "json"]));
    let [checked] = &documents(&fine)[..] else { panic!("one document: {fine:#?}") };
    assert_eq!((&checked["result"], &checked["schemaVersion"]), (&"ok".into(), &1.into()));
    assert_eq!(checked["warnings"], serde_json::json!([]));

    let host_of = |args: &[&str]| run_to_end(&mut host(&site, args));
    site.put("app/manifest.yaml", "actors: [{imagee: echo.wasm}]\n");
    for args in [&["--check", "--output=json"][..], &["-ojson"]] {
        let ended = host_of(args);
        let [wrong] = &documents(&ended)[..] else { panic!("one document: {ended:#?}") };
        assert_eq!(wrong["error"]["code"], "E_MANIFEST");
        assert_eq!((wrong["error"]["exit"].as_i64(), ended.code), (Some(6), Some(6)));
        assert_eq!(wrong["details"]["problems"][0]["line"], 1, "{wrong:#}");
    }
    let ended = host_of(&["-o", "json", "--admin", "nowhere"]);
    let [usage] = &documents(&ended)[..] else { panic!("one document: {ended:#?}") };
    assert_eq!((usage["error"]["code"].as_str(), ended.code), (Some("E_USAGE"), Some(2)));

    site.put("app/manifest.yaml", ECHO.replace("PORT: 0", "PORT: '${TAKEN}'"));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a loopback interface");
    let port = taken.local_addr().expect("it is bound").port().to_string();
    let ended = run_to_end(host(&site, &["-o", "json"]).env("TAKEN", port));
    let printed = documents(&ended);
    assert_eq!(printed[0]["event"], "admin", "{ended:#?}");
    let last = printed.last().expect("the error");
    assert_eq!((last["error"]["code"].as_str(), ended.code), (Some("E_ADDRESS"), Some(1)));
}

#[test]
fn what_is_claimed_and_not_bound_is_told() {
    let site = site("actors: [{image: echo.wasm, name: echo}]\n");
    let ended = run_to_end(&mut host(&site, &["--check"]));
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    for said in ["warning: ", "manifest.yaml:1:", "wascc:http_server", "{builtin: http-server}"] {
        assert!(ended.stderr.contains(said), "{said}: {ended:#?}");
    }
    let ended = run_to_end(&mut host(&site, &["--check", "-o", "json"]));
    assert_eq!(documents(&ended)[0]["warnings"][0]["line"], 1, "{ended:#?}");
}

#[test]
fn the_steps_of_a_start_are_told_without_starting() {
    let site = site(ECHO);
    let text = run_to_end(&mut host(&site, &["--dry-run"]));
    let steps: Vec<&str> = text.stdout.lines().collect();
    let wanted = [
        "start provider http-server (http-server)",
        "start actor echo",
        "bind echo to wascc:http_server at provider http-server",
    ];
    assert_eq!((&steps[..], text.code), (&wanted[..], Some(0)), "{text:#?}");

    let json = run_to_end(&mut host(&site, &["--dry-run", "-o", "json"]));
    let [planned] = &documents(&json)[..] else { panic!("one document: {json:#?}") };
    let kinds = planned["steps"].as_array().expect("steps").iter();
    let kinds: Vec<_> = kinds.filter_map(|step| step["step"].as_str()).collect();
    assert_eq!(kinds, ["start_provider", "start_actor", "bind"], "{planned:#}");

    site.put("app/echo.wasm", harmless());
    let refused = run_to_end(&mut host(&site, &["--dry-run"]));
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(4), ""), "a check comes first");
}
