//! Whom a host trusts: revocations act whatever else is wrong, keys stay what they were.

use std::fs;
use std::process::Command;

use trellis_e2e::hostile::harmless;
use trellis_testkit::guests::built;
use trellis_testkit::{Account, HostProcess, Signal, Site, eventually, run_to_end};

pub(super) const CHECK: &[&str] = &["--check"];

/// Two actors behind HTTP, with more text in front and behind.
pub(super) fn two(front: &str, behind: &str) -> String {
    format!(
        "{front}actors: [{{image: echo.wasm, name: echo}}, {{image: other.wasm, name: other}}]
providers: [{{builtin: http-server}}]
bindings:
  - {{actor: echo, capability: 'wascc:http_server', values: {{PORT: 0, ADDRESS: 127.0.0.1}}}}
  - {{actor: other, capability: 'wascc:http_server', values: {{PORT: 0, ADDRESS: 127.0.0.1}}}}
{behind}"
    )
}

const KEPT: &str = "actors: [{image: counter.wasm, name: counter}]
providers: [{builtin: http-server}, {builtin: keyvalue-embedded}]
bindings:
  - {actor: counter, capability: 'wascc:http_server', values: {PORT: 0, ADDRESS: 127.0.0.1}}
  - {actor: counter, capability: 'wascc:keyvalue'}
";

fn put(site: &Site, account: &Account, name: &str, module: &[u8]) {
    let mut draft = account.draft(name);
    draft.caps = vec!["wascc:http_server".to_owned(), "wascc:keyvalue".to_owned()];
    site.put(&format!("app/{name}.wasm"), account.sign(module, &draft));
}

pub(super) fn site_of_two(manifest: &str) -> Site {
    let site = Site::new();
    put(&site, site.account(), "echo", &harmless());
    put(&site, site.account(), "other", &harmless());
    site.put("app/manifest.yaml", manifest);
    site
}

pub(super) fn started(command: &mut Command) -> HostProcess {
    HostProcess::start(command).unwrap_or_else(|ended| panic!("{ended:#?}"))
}

pub(super) fn logs(host: &HostProcess, from: usize, says: &[&str]) {
    let all = |line: &str| says.iter().all(|says| line.contains(says)).then_some(());
    assert!(host.log().wait_for(from, all).is_some(), "{says:?} not in\n{}", host.log().text());
}

#[test]
fn a_revocation_acts_in_a_manifest_that_is_wrong_elsewhere() {
    let site = site_of_two(&two("", ""));
    let echo = site.account().subject("echo");
    let (front, behind) = (
        format!("trust: {{issuers: ['{}'], revoked: [{echo}]}}\n", site.issuer()),
        format!("trust:\n  issuers: ['{}']\n  revoked: [{echo}]\n", site.issuer()),
    );
    let laid_out = behind.replace('[', "\n    [\n      ").replace(']', ",\n    ]");
    for (what, manifest) in [
        ("a typo", two(&front, "actrs: []\n")),
        ("an unset variable", two(&front, "name: ${UNSET_HERE}\n")),
        ("no YAML before it", two("x: [\n", &behind)),
        ("no YAML behind it", two(&front, "\t- x\n")),
        ("no YAML before it, laid out by a tool", two("x: [\n", &laid_out)),
        (
            "no YAML behind it, by name",
            two(&front.replace("[M", "{echo: M").replace("]}\n", "}}\n"), "\t- x\n"),
        ),
        ("a malformed key beside it", two(&front.replace("[M", "[MALFORMED, M"), "")),
        ("a malformed issuer", two(&front.replace("issuers: [", "issuers: [ANONE, "), "")),
        ("a module that is missing", two(&front, "").replace("other.wasm", "none.wasm")),
    ] {
        site.put("app/manifest.yaml", two("", ""));
        let host = started(&mut site.host("app/manifest.yaml"));
        let from = host.log().count();
        site.put("app/manifest.yaml", &manifest);
        logs(&host, from, &["E_REVOKED", "stopped", "echo"]);
        logs(&host, from, &["the manifest was not applied"]);
        let text = host.log().text();
        assert!(!text.contains("stopped actor other"), "{what}: {text}");
        let closed = eventually(|| match std::net::TcpStream::connect(host.address_of("echo")) {
            Ok(_) => Err(()),
            Err(_) => Ok(()),
        });
        assert!(closed.is_ok(), "{what}: the revoked actor takes requests");
        std::net::TcpStream::connect(host.address_of("other")).expect("the other one goes on");
    }
}

#[test]
fn a_mistake_takes_no_revocation_back() {
    let site = site_of_two(&two("", ""));
    let echo = site.account().subject("echo");
    let host = started(&mut site.host("app/manifest.yaml"));
    let trust =
        |revoked| format!("trust: {{issuers: ['{}'], revoked: [{revoked}]}}\n", site.issuer());
    let held = [
        "not applied",
        "degraded: actor echo",
        "degraded: revoked before",
        echo.as_str(),
        "E_REVOKED",
    ];
    let revoked = two(&trust(echo.as_str()), "actrs: []\n");
    for (manifest, told) in [
        (revoked, &["not applied", "degraded: actor echo", "E_REVOKED"][..]),
        (two("", "actrs: []\n"), &held),
        (two("", "\t- x\n"), &held),
        (two(&trust("MB4OLDIC"), ""), &held),
        (two("trust: {issuers: [7]}\n", ""), &held),
    ] {
        let from = host.log().count();
        site.put("app/manifest.yaml", &manifest);
        logs(&host, from, &["the manifest was not applied"]);
        says(&host, told);
        let text = host.log().text();
        assert_eq!(text.matches("started actor echo").count(), 1, "{text}");
    }
    let from = host.log().count();
    site.put("app/manifest.yaml", two("", ""));
    logs(&host, from, &["started actor echo"]);
    says_no_more(&host, "revoked");
}

/// Waits until `/readyz` has these texts.
pub(super) fn says(host: &HostProcess, texts: &[&str]) {
    tells(host, |told| texts.iter().all(|text| told.contains(text)));
}

pub(super) fn says_no_more(host: &HostProcess, text: &str) {
    tells(host, |told| told.starts_with("ready\n") && !told.contains(text));
}

#[track_caller]
fn tells(host: &HostProcess, fits: impl Fn(&str) -> bool) {
    let told = eventually(|| {
        let told = host.ask("/readyz").map(|answer| answer.text()).unwrap_or_default();
        if fits(&told) { Ok(()) } else { Err(told) }
    });
    assert!(told.is_ok(), "{told:?}\n{}", host.log().text());
}

#[test]
fn a_revocation_that_cannot_be_read_is_told_not_to_be_in_effect() {
    let site = site_of_two(&two("", ""));
    let issuer = site.issuer();
    let (front, behind) = (
        format!("trust: {{issuers: ['{issuer}'], revoked: [echo]}}\n"),
        format!("trust:\n  issuers: ['{issuer}']\n  revoked:\n  - echo\n"),
    );
    for (what, manifest) in [
        ("a name", two(&front, "")),
        ("half a key", two(&front.replace("[echo]", "[MB4OLDIC]"), "")),
        ("a typo elsewhere", two(&front, "actrs: []\n")),
        ("no YAML before it", two("x: [\n", &behind)),
    ] {
        site.put("app/manifest.yaml", two("", ""));
        let host = started(&mut site.host("app/manifest.yaml"));
        let from = host.log().count();
        site.put("app/manifest.yaml", &manifest);
        let told = ["not applied", "this revocation is NOT in effect", "`trellis inspect FILE`"];
        logs(&host, from, &told);
        let text = host.log().text();
        assert!(!text.contains("E_KEY]: E_KEY"), "{what}: {text}");
        std::net::TcpStream::connect(host.address_of("echo")).expect("it goes on");
    }
}

#[test]
fn only_the_default_account_counts_without_a_trust_list() {
    let site = site_of_two(&two("", ""));
    let stranger = Account::default();
    let keystore = trellis_keystore::Keystore::at(site.path("keys"));
    let name = "stranger".parse().expect("a name");
    keystore.store(&name, stranger.issuer(), false).expect("the keystore takes it");
    assert_eq!(run_to_end(site.host("app/manifest.yaml").args(CHECK)).code, Some(0));
    put(&site, &stranger, "echo", &harmless());
    let refused = run_to_end(site.host("app/manifest.yaml").args(CHECK));
    assert_eq!(refused.code, Some(4), "{refused:#?}");
    assert!(refused.stderr.contains("E_ISSUER"), "{refused:#?}");
}

#[test]
fn a_keystore_that_is_lost_stops_nothing() {
    let site = site_of_two(&two("", ""));
    let host = started(&mut site.host("app/manifest.yaml"));
    logs(&host, 0, &["trusting your account key", site.issuer()]);
    // A file where the folder was: it can be neither listed nor opened, whoever runs this.
    fs::rename(site.path("keys"), site.path("gone")).expect("moved");
    fs::write(site.path("keys"), "").expect("a file");
    let from = host.log().count();
    put(&site, site.account(), "echo", &built("echo"));
    logs(&host, from, &["stays trusted"]);
    logs(&host, from, &["replaced actor echo"]);
    fs::remove_file(site.path("keys")).expect("removed");
    let from = host.log().count();
    put(&site, site.account(), "echo", &harmless());
    logs(&host, from, &["stays trusted"]);
    logs(&host, from, &["replaced actor echo"]);
    assert!(!host.log().text().contains("E_ISSUER"), "{}", host.log().text());
}

#[test]
fn a_keystore_that_was_made_anew_stops_nothing_and_is_not_trusted() {
    let site = site_of_two(&two("", ""));
    let host = started(&mut site.host("app/manifest.yaml"));
    fs::rename(site.path("keys"), site.path("gone")).expect("moved");
    let stranger = Account::default();
    let keystore = trellis_keystore::Keystore::at(site.path("keys"));
    keystore.store(&"default".parse().expect("a name"), stranger.issuer(), false).expect("stored");
    let from = host.log().count();
    put(&site, site.account(), "echo", &built("echo"));
    logs(&host, from, &["WARN", "another one now", site.issuer(), "trust: {issuers"]);
    logs(&host, from, &["replaced actor echo"]);
    says(&host, &["degraded: your keystore", site.issuer(), "restart the host"]);
    assert!(!host.log().text().contains("E_ISSUER"), "{}", host.log().text());
    let from = host.log().count();
    put(&site, &stranger, "other", &harmless());
    logs(&host, from, &["the manifest was not applied", "E_ISSUER"]);
    put(&site, site.account(), "other", &harmless());
    let issuers = format!("trust: {{issuers: ['{}']}}\n", site.issuer());
    site.put("app/manifest.yaml", two(&issuers, ""));
    says_no_more(&host, "your keystore");
}

#[test]
fn an_actor_with_data_keeps_its_key() {
    let site = Site::new();
    put(&site, site.account(), "counter", &built("kvcounter"));
    site.put("app/manifest.yaml", KEPT);
    let check = |args: &[&str]| run_to_end(site.host("app/manifest.yaml").args(CHECK).args(args));
    assert_eq!(check(&[]).code, Some(0), "nothing ran yet");
    {
        let host = started(&mut site.host("app/manifest.yaml"));
        // The same name, signed by the same account, under another module key.
        let from = host.log().count();
        resigned(&site);
        logs(&host, from, &["the manifest was not applied", "E_ACTOR_KEY"]);
        let answer = trellis_testkit::Client::new(host.address_of("counter")).send("GET", "/", b"");
        assert_eq!(answer.expect("what ran goes on").text(), "{\"counter\": 1}");
        host.signal(Signal::TERM);
        assert_eq!(host.wait().code, Some(0));
    }
    let refused = check(&[]);
    assert_eq!(refused.code, Some(4), "{refused:#?}");
    let old = format!("`--subject {}`", site.account().subject("counter"));
    let told = refused.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    for said in [&*old, "with `--force` if a module with another key is in the way"] {
        assert!(told.contains(said), "{said}: {refused:#?}");
    }
    for said in [
        "actor key changed",
        "`counter`",
        "start the host again with `--force`",
        "manifest.yaml:1:",
    ] {
        assert!(refused.stderr.contains(said), "{said}: {refused:#?}");
    }
    let refused = run_to_end(&mut site.host("app/manifest.yaml"));
    assert_eq!(refused.code, Some(4), "{refused:#?}");
    let forced = check(&["--force"]);
    assert_eq!(forced.code, Some(0), "{forced:#?}");
    assert!(forced.stderr.contains("warning") && forced.stderr.contains("actor key changed"));
    // Ends as it should: keys are written aside, and the end waits for that.
    let host = started(site.host("app/manifest.yaml").env("TRELLIS_FORCE", "1"));
    host.signal(Signal::TERM);
    assert_eq!(host.wait().code, Some(0));
    assert_eq!(check(&[]).code, Some(0), "the new key is the key now");
}

#[test]
fn a_record_of_keys_that_cannot_be_read_protects_no_less() {
    let site = Site::new();
    put(&site, site.account(), "counter", &built("kvcounter"));
    site.put("app/manifest.yaml", KEPT);
    let runs = |command: &mut Command| {
        let host = started(command);
        host.signal(Signal::TERM);
        assert_eq!(host.wait().code, Some(0));
    };
    runs(&mut site.host("app/manifest.yaml"));
    let folder = site.path(".local/state/trellis/keys");
    let mut files = fs::read_dir(&folder).expect("a folder for records");
    let file = files.next().expect("a record").expect("it can be listed").path();
    let whole = fs::read(&file).expect("a record");
    let half = &whole[..whole.len() / 2];
    fs::write(&file, half).expect("damaged");
    resigned(&site);
    let aside = format!("{}.damaged", file.display());
    for args in [&[][..], CHECK] {
        let refused = run_to_end(site.host("app/manifest.yaml").args(args));
        assert_eq!(refused.code, Some(1), "{refused:#?}");
        for said in ["E_STORAGE", "the data of `counter`", "remove it", "`--force`", &aside] {
            assert!(refused.stderr.contains(said), "{said}: {refused:#?}");
        }
    }
    assert_eq!(fs::read(&file).expect("a file"), half, "it is left as it is");

    fs::write(&file, &whole).expect("restored");
    let refused = run_to_end(&mut site.host("app/manifest.yaml"));
    assert!(refused.stderr.contains("E_ACTOR_KEY"), "{refused:#?}");
    fs::write(&file, half).expect("damaged");
    runs(site.host("app/manifest.yaml").env("TRELLIS_FORCE", "1"));
    assert_eq!(fs::read(&aside).expect("it was put aside"), half);
    runs(&mut site.host("app/manifest.yaml"));
}

/// Signs the actor under another module key.
fn resigned(site: &Site) {
    let mut draft = site.account().draft("another");
    draft.name = Some("counter".to_owned());
    draft.caps = vec!["wascc:http_server".to_owned(), "wascc:keyvalue".to_owned()];
    site.put("app/counter.wasm", site.account().sign(&built("kvcounter"), &draft));
}

#[test]
fn a_new_key_matters_only_where_data_is_kept() {
    let manifest = KEPT.replace(", {builtin: keyvalue-embedded}", "");
    let manifest = manifest.replace("  - {actor: counter, capability: 'wascc:keyvalue'}\n", "");
    let site = Site::new();
    put(&site, site.account(), "counter", &built("kvcounter"));
    site.put("app/manifest.yaml", manifest);
    let host = started(&mut site.host("app/manifest.yaml"));
    let from = host.log().count();
    resigned(&site);
    logs(&host, from, &["replaced actor counter"]);
}

#[test]
fn a_module_that_ran_unsigned_may_be_signed_and_a_signed_one_may_run_unsigned() {
    const UNSIGNED: (&str, &str) = ("TRELLIS_ALLOW_UNSIGNED", "1");
    let site = Site::new();
    site.put("app/manifest.yaml", KEPT);
    let unsigned = || site.put("app/counter.wasm", built("kvcounter"));
    let signed = || put(&site, site.account(), "counter", &built("kvcounter"));
    let runs = |(name, value): (&str, &str), says: &[&str]| {
        let host = started(site.host("app/manifest.yaml").env(name, value));
        match says {
            [] => assert_eq!(host.log().count_of("actor key changed"), 0, "{}", host.log().text()),
            says => logs(&host, 0, says),
        }
        host.signal(Signal::TERM);
        assert_eq!(host.wait().code, Some(0));
    };
    unsigned();
    runs(UNSIGNED, &[]);
    runs(UNSIGNED, &[]);
    signed();
    let checked = run_to_end(site.host("app/manifest.yaml").args(CHECK));
    assert_eq!(checked.code, Some(0), "{checked:#?}");
    assert!(checked.stderr.contains("warning: ") && checked.stderr.contains("actor key changed"));
    // It was signed, so that is not the cure: the data has the key of before.
    let back = ["now that it is signed", "`NAMESPACE: M", "docs/contracts.md"];
    runs(("TRELLIS_FORCE", "0"), &[&["WARN", "actor key changed", "unsigned"][..], &back].concat());
    unsigned();
    runs(UNSIGNED, &["WARN", "actor key changed", "unsigned"]);
    signed();
    runs(("TRELLIS_FORCE", "0"), &[]);
    unsigned();
    runs(UNSIGNED, &["WARN", "actor key changed"]);
    resigned(&site);
    let refused = run_to_end(&mut site.host("app/manifest.yaml"));
    assert!(refused.stderr.contains("E_ACTOR_KEY"), "the signed key owns the data: {refused:#?}");
}
