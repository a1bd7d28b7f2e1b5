//! What a manifest that is refused must not take back, and what it must not lose in silence.

use trellis_testkit::{Account, run_to_end};

use super::trust::{CHECK, logs, says, says_no_more, site_of_two, started, two};

#[test]
fn a_manifest_that_names_what_is_wrong_takes_no_revocation_back() {
    let stranger = Account::default();
    let site = site_of_two(&two("", ""));
    let echo = site.account().subject("echo");
    let host = started(&mut site.host("app/manifest.yaml"));
    let gone =
        |front: &str| two(front, "").replacen("actors: [", "actors: [{image: gone.wasm}, ", 1);
    let issuers = |issuer: &str| format!("trust: {{issuers: ['{issuer}']}}\n");
    let refused = |manifest: String, told: &[&str]| {
        let from = host.log().count();
        site.put("app/manifest.yaml", manifest);
        logs(&host, from, &["the manifest was not applied"]);
        says(&host, told);
    };
    let held =
        ["not applied", "degraded: actor echo", "revoked before", echo.as_str(), "E_REVOKED"];
    refused(two(&format!("trust: {{revoked: [{echo}]}}\n"), "\t- x\n"), &["E_REVOKED"]);
    refused(gone(""), &held);
    refused(gone(&issuers(site.issuer())), &held);
    refused(two("", "\t- x\n"), &held);
    // Nor is an issuer trusted again.
    refused(gone(&issuers(stranger.issuer().public().as_str())), &["degraded: actor other"]);
    refused(gone(&issuers(site.issuer())), &["not applied", "degraded: actor other", "E_ISSUER"]);
    let text = host.log().text();
    assert_eq!(text.matches("started actor").count(), 2, "{text}");
    let from = host.log().count();
    site.put("app/manifest.yaml", two("", ""));
    logs(&host, from, &["started actor echo"]);
    says_no_more(&host, "revoked before");
}

#[test]
fn what_is_lost_of_a_wrong_text_is_told() {
    let site = site_of_two("");
    let echo = site.account().subject("echo");
    let trust = format!("trust: {{revoked: [{echo}]}}\n");
    let wide = two(&trust, "").encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
    for (manifest, told) in [
        (
            two("", &"# revoked\n".repeat(500_000)).into_bytes(),
            "is NOT in effect: they are not read",
        ),
        (
            two(&format!("labels: {{revoke: no, a: {echo}}}\n"), "\t- x\n").into_bytes(),
            "is NOT in effect",
        ),
        ([&[0xff, 0xfe][..], &wide].concat(), "UTF-16"),
    ] {
        site.put("app/manifest.yaml", manifest);
        let checked = run_to_end(site.host("app/manifest.yaml").args(CHECK));
        assert!(checked.stderr.contains(told), "{told}: {checked:#?}");
    }
}
