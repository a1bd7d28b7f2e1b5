//! What can run and was probably not meant: told by a check, at the start and on a reload.

use trellis_e2e::hostile::harmless;
use trellis_e2e::{Change, Step, actor, app, get};
use trellis_testkit::Signal;
use trellis_testkit::guests::built;

use crate::scenarios;

const CHECK: &[&str] = &["--check"];
const SHARED_ALIAS: &str = "degraded: call alias `shared`: actors `echo` and `other` have it";

scenarios! {
    /// Claims that end soon are told by a check, at the start, on the admin address, in a metric.
    claims_that_end_soon = [
        actor("echo", harmless()).begins_in_s(-10_000).expires_in_s(1_000),
        app(&[("echo", "")]),
        Step::Ends(CHECK, 0, &["warning", "the claims of actor `echo` end on ", "--expires"]),
        Step::Start,
        Step::Log(&["WARN", "the claims of actor `echo` end on "]),
        Step::Admin("/readyz", 200, "degraded: claims of actor echo: they end on "),
        Step::Metric("trellis_actor_claims_left_seconds{actor=\"echo\"}", 100.0),
        // What was said at the start is not said again.
        Step::LogAtMost(1, "end on "),
        actor("echo", harmless()).begins_in_s(-10_000).expires_in_s(100_000),
        Step::Soon(Box::new(Step::Admin("/readyz", 200, "ready\n"))),
        Step::Soon(Box::new(Step::Metric(
            "trellis_actor_claims_left_seconds{actor=\"echo\"}", 90_000.0,
        ))),
        get("echo", "/").is(200, "ok"),
    ];

    /// A revocation that stops nothing is told when it comes, and not again; nor is one of before.
    a_revocation_that_stops_nobody = [
        actor("echo", harmless()),
        actor("other", harmless()),
        Step::manifest(revoking("'${KEY_OF_ABSENT}'")),
        actor("absent", harmless()),
        Step::Start,
        Step::manifest(revoking("'${KEY_OF_ABSENT}', '${KEY_OF_OTHER}'")),
        Step::Log(&["INFO", "revoked; nothing here has that key"]),
        Step::manifest(revoking("'${KEY_OF_ABSENT}', '${KEY_OF_OTHER}', '${KEY_OF_ECHO}'")),
        Step::Log(&["E_REVOKED", "stopped", "echo"]),
        Step::LogAtMost(1, "revoked; nothing here has that key"),
    ];

    /// Whom no actor answers for is told, and whoever is called by a name of the manifest.
    callees_that_nobody_is = [
        actor("echo", harmless()).calls("ledgr"),
        actor("other", harmless()).alias("ledger"),
        app(&[("echo", ""), ("other", "")]),
        Step::Ends(CHECK, 0, &["warning", "manifest.yaml:", "`--calls ledgr`", "did you mean `ledger`?"]),
        Step::Start,
        Step::Log(&["WARN", "`--calls ledgr`"]),
        Step::Admin("/readyz", 200, "degraded: a claim is of no use: actor `echo` is signed with"),
        actor("echo", harmless()).calls("other"),
        Step::Log(&["WARN", "`--calls other`", "sign `echo` with `--calls ledger`"]),
        actor("echo", harmless()).calls("ledger"),
        Step::Soon(Box::new(Step::Admin("/readyz", 200, "ready\n"))),
    ];

    /// A new version that may do less is told of, and so is its step.
    what_a_version_may_no_longer_do = [
        actor("echo", harmless()).calls("ledger"),
        actor("other", harmless()).alias("ledger"),
        app(&[("echo", ""), ("other", "")]),
        Step::Start,
        actor("echo", harmless()),
        Step::Log(&["WARN", "actor `echo` may no longer call `ledger`", "`--calls ledger`"]),
        Step::Log(&["replaced actor echo; it may no longer call `ledger`"]),
        get("echo", "/").is(200, "ok"),
    ];

    /// Whom calls by an alias reach that two actors have is told for as long as it is so.
    an_alias_of_two_actors = [
        actor("echo", harmless()).alias("shared"),
        actor("other", harmless()),
        app(&[("echo", ""), ("other", "")]),
        Step::Start,
        Step::Admin("/readyz", 200, "ready\n"),
        actor("other", harmless()).alias("shared"),
        Step::Log(&["WARN", "call alias `shared`: ", "calls by it go to `echo`"]),
        Step::Soon(Box::new(Step::Admin("/readyz", 200, SHARED_ALIAS))),
        actor("other", harmless()),
        Step::Soon(Box::new(Step::Admin("/readyz", 200, "ready\n"))),
    ];

    /// A new version that does not claim any more what bound itself is told of.
    a_claim_that_a_version_leaves_out = [
        actor("ticket", built("ticket")).cap("trellis:random").cap("trellis:clock"),
        app(&[("ticket", "")]),
        Step::Start,
        actor("ticket", built("ticket")).cap("trellis:random"),
        Step::Log(&["WARN", "actor `ticket` may no longer use trellis:clock", "--cap"]),
    ];

    /// So is one that is checked when the old one does not run any more.
    a_claim_that_a_version_leaves_out_before_a_start = [
        actor("ticket", built("ticket")).cap("trellis:clock"),
        app(&[("ticket", "")]),
        Step::Start,
        Step::Do(Change::Signal(Signal::TERM)),
        Step::Stops(0, 30),
        actor("ticket", built("ticket")),
        Step::Ends(CHECK, 0, &["warning", "may no longer use trellis:clock"]),
    ];
}

/// A manifest of one actor, with a list of revocations.
fn revoking(keys: &str) -> String {
    format!(
        "trust: {{issuers: ['${{ISSUER}}'], revoked: [{keys}]}}
actors: [{{image: echo.wasm, name: echo}}]
providers: [{{builtin: http-server}}]
bindings:
  - {{actor: echo, capability: 'wascc:http_server', values: {{PORT: 0, ADDRESS: 127.0.0.1}}}}
"
    )
}
