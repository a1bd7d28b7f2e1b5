//! The admin API over the network: for users whom the manifest names, who show a token.

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;

use trellis_claims::{BearerTerms, KeyKind, KeyPair, PublicKey, Scope, issue_bearer};
use trellis_keystore::{KeyName, Keystore};
use trellis_testkit::{
    Client, HostProcess, Response, Signal, Site, eventually, now_unix_s, run_to_end,
};

use super::admin_api::{BAD, GOOD, MANIFEST, document, fails, posts, prints, site, start, trellis};

const INVOKE: &str = "/v1/actors/echo/invoke/HandleRequest";

/// A site whose keystore has the user key `default`, which may do this much.
pub(super) fn site_of(scope: &str) -> (Site, KeyPair) {
    let site = site(0);
    let user = KeyPair::generate(KeyKind::User);
    let keystore = Keystore::at(site.path("keys"));
    keystore.store(&KeyName::default(), &user, false).expect("the keystore is the site's");
    allow(&site, &[(user.public().as_str(), scope)]);
    (site, user)
}

/// Has these users, and no others, in the manifest.
pub(super) fn allow(site: &Site, users: &[(&str, &str)]) {
    let text = fs::read_to_string(site.path(MANIFEST)).expect("it is there");
    let text = text.split("host:").next().unwrap_or_default();
    let users = users.iter().map(|(key, scope)| format!("{{key: {key}, scope: {scope}}}"));
    let users = users.collect::<Vec<_>>().join(", ");
    site.put(MANIFEST, format!("{text}host: {{admin: {{users: [{users}]}}}}\n"));
}

pub(super) fn key_of(site: &Site) -> PublicKey {
    let hosts = document(site, "get hosts -o json");
    hosts["hosts"][0]["key"].as_str().and_then(|key| key.parse().ok()).expect("a key")
}

pub(super) fn token(user: &KeyPair, audience: &PublicKey, scope: Scope) -> String {
    token_for(user, audience, scope, 60)
}

/// A token that holds for so many seconds.
pub(super) fn token_for(user: &KeyPair, audience: &PublicKey, scope: Scope, life_s: u64) -> String {
    let (issued_at, audience) = (now_unix_s(), audience.clone());
    let terms = BearerTerms { audience, scope, issued_at, expires: issued_at + life_s };
    issue_bearer(&terms, user).expect("it is signed")
}

pub(super) fn ask(host: &HostProcess, method: &str, path: &str, header: &str) -> Response {
    let mut client = Client::new(host.admin());
    client.send_with(method, path, header, b"").expect("an answer")
}

pub(super) fn shown(token: &str) -> String {
    format!("authorization: Bearer {token}\r\n")
}

#[test]
fn a_user_asks_over_the_network() {
    let (site, user) = site_of("operate");
    let host = start(&site);
    let make = "token create --host shop --scope operate --expires 10m --destination t.jwt";
    let made = prints(&site, make);
    assert!(made.contains(user.public().as_str()) && made.contains("operate"), "{made}");
    let file = site.path("t.jwt");
    let mode = fs::metadata(&file).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let url = format!("http://{}", host.admin());
    let listed = prints(&site, &format!("get actors -o name --host {url} --token-file t.jwt"));
    assert_eq!(listed, "echo\nloops");
    let invoke = format!("invoke echo HandleRequest --json {GOOD} --host {url}");
    let reply = prints(&site, &format!("{invoke} --token-file t.jwt"));
    assert!(reply.contains("\"statusCode\": 200"), "{reply}");
    let mut by_variable = site.trellis(&["get", "providers", "--host", &url]);
    by_variable.env("TRELLIS_TOKEN", fs::read_to_string(&file).expect("it is there"));
    let listed = run_to_end(&mut by_variable);
    assert_eq!(listed.code, Some(0), "{listed:#?}");

    let without = &["E_DENIED", "Authorization: Bearer", "trellis token create"];
    fails(&site, &format!("get actors --host {url}"), 4, without);
    let looks = trellis(&site, "token create --host shop --quiet");
    site.put("looks.jwt", &looks.stdout);
    prints(&site, &format!("get actors --host {url} --token-file looks.jwt"));
    let too_little = &["E_DENIED", "needs a token for operate"];
    fails(&site, &format!("{invoke} --token-file looks.jwt"), 4, too_little);
    fails(&site, "token create --host shop --expires 25h", 2, &["24h", "admin_token_life_max"]);
    fails(&site, "token create --host shop --key nobody", 3, &["nobody"]);
    fails(&site, &format!("token create --host {url}"), 2, &["by its key"]);
    fails(&site, "get actors --host https://127.0.0.1:1", 2, &["HTTPS is not spoken"]);
}

#[test]
fn who_does_not_show_a_token_that_holds_is_refused() {
    let (site, user) = site_of("operate");
    let host = start(&site);
    let key = key_of(&site);
    let stranger = KeyPair::generate(KeyKind::User);
    let elsewhere = KeyPair::generate(KeyKind::Server).public().clone();
    let good = token(&user, &key, Scope::Operate);
    let looks = shown(&token(&user, &key, Scope::Read));
    let long = shown(&"a".repeat(5_000));
    let realm = format!("Bearer realm=\"{key}\"");
    for (method, path, header, status, says) in [
        ("GET", "/v1/host", String::new(), 401, "E_DENIED"),
        ("GET", "/v1/nothing", String::new(), 401, "E_DENIED"),
        ("POST", INVOKE, String::new(), 401, "E_DENIED"),
        ("GET", "/v1/host", "authorization: Basic YTpi\r\n".to_owned(), 401, "no bearer token"),
        ("GET", "/v1/host", shown("a.b.c"), 401, "E_TOKEN"),
        ("GET", "/v1/host", shown(&good) + &shown(&good), 401, "two headers"),
        ("GET", "/v1/host", long, 401, "admin_token_bytes_max"),
        ("GET", "/v1/host", shown(&token(&stranger, &key, Scope::Read)), 401, "E_ISSUER"),
        ("GET", "/v1/host", shown(&token(&user, &elsewhere, Scope::Read)), 401, "another host"),
        ("GET", "/v1/host", shown(&token(&user, &key, Scope::Admin)), 403, "a smaller `--scope`"),
        ("POST", INVOKE, looks.clone(), 403, "a larger `--scope`"),
    ] {
        let answer = ask(&host, method, path, &header);
        let (text, wanted) = (answer.text(), answer.field("www-authenticate"));
        assert!(answer.status == status && text.contains(says), "{path}: {says}: {answer:?}");
        assert!(wanted.is_some_and(|it| it.starts_with(&realm)), "{path}: {answer:?}");
        let error = wanted.and_then(|it| it.split_once("error=\"")).map(|(_, error)| error);
        match (status, header.is_empty()) {
            (_, true) => assert_eq!(error, None, "{answer:?}"),
            (401, _) => assert_eq!(error, Some("invalid_token\""), "{answer:?}"),
            _ => {
                assert!(error.is_some_and(|it| it.starts_with("insufficient_scope")), "{answer:?}")
            }
        }
        assert!(!text.contains("eyJ"), "{text}");
    }
    // Nothing is remembered of a token: it may be shown again until it ends.
    for _ in 0..2 {
        assert_eq!(ask(&host, "GET", "/v1/host", &shown(&good)).status, 200);
    }
    assert_eq!(ask(&host, "POST", "/v1/actors", &shown(&good)).status, 405);
    for path in ["/livez", "/healthz", "/readyz", "/metrics"] {
        assert_eq!(ask(&host, "GET", path, "").status, 200, "{path}");
    }
    // All are counted, and few are told of: anybody can be refused here.
    for _ in 0..60 {
        ask(&host, "GET", "/v1/host", "");
    }
    assert!(host.metric("trellis_admin_refused_total{code=\"E_DENIED\"}") >= 65.0);
    let log = host.log().text();
    let told = log.lines().filter(|line| line.contains("\"audit\"") && line.contains("refused"));
    let told = told.count();
    assert!((10..60).contains(&told), "{told} lines:\n{log}");
    assert!(!log.contains("eyJ"), "{log}");
}

#[test]
fn users_come_and_go_while_the_host_runs_and_its_key_stays() {
    let (site, user) = site_of("read");
    let host = start(&site);
    let key = key_of(&site);
    let look = shown(&token(&user, &key, Scope::Read));
    assert_eq!(ask(&host, "GET", "/v1/host", &look).status, 200);
    let becomes = |status| {
        let asked = || match ask(&host, "GET", "/v1/host", &look).status {
            found if found == status => Ok(()),
            found => Err(found),
        };
        eventually(asked).unwrap_or_else(|found| panic!("{found} for {status}"));
    };
    let other = KeyPair::generate(KeyKind::User);
    allow(&site, &[(other.public().as_str(), "admin")]);
    becomes(401);
    allow(&site, &[(user.public().as_str(), "read"), (other.public().as_str(), "admin")]);
    becomes(200);
    host.signal(Signal::TERM);
    assert_eq!(host.wait().code, Some(0));
    let again = start(&site);
    assert_eq!(key_of(&site), key);
    assert_eq!(ask(&again, "GET", "/v1/host", &look).status, 200);
    drop(again);
    allow(&site, &[(site.issuer(), "read")]);
    let refused = run_to_end(site.host(MANIFEST).arg("--check"));
    assert_eq!(refused.code, Some(6), "{refused:#?}");
    assert!(refused.stderr.contains("trellis keys gen user"), "{refused:#?}");
}

#[test]
fn a_user_who_is_taken_out_is_out_whatever_else_is_wrong() {
    let (site, user) = site_of("operate");
    let host = start(&site);
    let look = shown(&token(&user, &key_of(&site), Scope::Read));
    let other = KeyPair::generate(KeyKind::User);
    let (own, other) = (user.public().to_string(), other.public().to_string());
    let right = fs::read_to_string(site.path(MANIFEST)).expect("it is there");
    let without = right.replace(&own, &other);
    let becomes = |status: u16, text: &str| {
        site.put(MANIFEST, text);
        let asked = || match ask(&host, "GET", "/v1/host", &look).status {
            found if found == status => Ok(()),
            found => Err(found),
        };
        let found = eventually(asked);
        found.unwrap_or_else(|found| panic!("{found} for {status}: {text}\n{}", host.log().text()));
    };
    for wrong in [
        // A key that is not known, a module that is not there, and no YAML at all.
        format!("actrs: []\n{without}"),
        without.replace("image: echo.wasm", "image: gone.wasm"),
        format!("{without}\nlabels: [\n"),
        // Still listed, and revoked.
        format!("trust: {{issuers: ['${{ISSUER}}'], revoked: ['{own}']}}\nactrs: []\n{right}"),
    ] {
        becomes(200, &right);
        becomes(401, &wrong);
    }
    // Nobody comes in with a manifest that is wrong.
    site.put(MANIFEST, format!("actrs: []\n{right}"));
    let from = host.log().count();
    host.signal(Signal::HUP);
    let refused = |line: &str| line.contains("the manifest was not applied").then_some(());
    assert!(host.log().wait_for(from, refused).is_some(), "{}", host.log().text());
    assert_eq!(ask(&host, "GET", "/v1/host", &look).status, 401);
    becomes(200, &right);
}

/// However many calls a user makes at once, others still make theirs.
#[test]
fn one_user_has_a_share_of_the_calls() {
    let (site, user) = site_of("operate");
    let host = start(&site);
    let shown = shown(&token(&user, &key_of(&site), Scope::Operate));
    let header = format!("content-type: application/json\r\ntrellis-timeout: 5s\r\n{shown}");
    let path = "/v1/actors/loops/invoke/HandleRequest";
    let calls: Vec<_> = (0..8)
        .map(|_| {
            let mut stream = TcpStream::connect(host.admin()).expect("the host listens");
            let call = posts(path, &header, BAD.len(), BAD);
            stream.write_all(call.as_bytes()).expect("the host reads");
            stream
        })
        .collect();
    let busy = eventually(|| {
        let answer = ask(&host, "POST", INVOKE, &shown);
        if answer.status == 503 { Ok(answer) } else { Err(answer) }
    });
    let busy = busy.unwrap_or_else(|answer| panic!("{answer:#?}"));
    assert!(busy.text().contains("admin_calls_of_user_max"), "{busy:#?}");
    let own = trellis(&site, "invoke echo HandleRequest --json {\"method\":\"GET\"}");
    assert!(!own.stderr.contains("E_BUSY"), "{own:#?}");
    drop(calls);
}
