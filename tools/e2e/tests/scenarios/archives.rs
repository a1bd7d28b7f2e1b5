//! Providers that come as signed archives: checked before anything runs, replaced, stopped.

use std::fs;

use trellis_e2e::{Change, Flaw, Step, actor, archive, get};
use trellis_testkit::example_program;
use trellis_testkit::guests::built;

use super::trust::CHECK;
use crate::scenarios;

scenarios! {
    /// An archive is run, replaced by one that was signed anew, and by one with another program.
    a_provider_that_comes_as_an_archive = [
        actor("places", built("places")).cap("demo:geo"),
        archive("geo", geo(), "demo:geo"),
        Step::manifest(places("", "archive: geo.par, values: {PLACES: 'Rome=41.9,12.5'}")),
        Step::Ends(CHECK, 0, &["ok"]),
        Step::Ends(&["--dry-run"], 0, &["start provider geo (geo)", "demo:geo at provider geo"]),
        Step::Start,
        get("places", "/Oslo").is(200, "\"latitude\":59.9139"),
        get("places", "/Rome").is(200, "\"longitude\":12.5"),
        Step::Admin("/metrics", 200, "trellis_provider_process_up{provider=\"geo\"} 1"),
        archive("geo", geo(), "demo:geo").revision(2),
        Step::Log(&["replaced provider geo (geo) signed anew"]),
        get("places", "/Oslo").is(200, "59.9139"),
        archive("geo", another_geo(), "demo:geo").revision(3),
        Step::Log(&["replaced provider geo (geo) in another build"]),
        get("places", "/Oslo").is(200, "59.9139"),
        // What is wrong keeps what runs.
        archive("geo", geo(), "demo:geo").with(Flaw::Stranger),
        Step::Log(&["E_ISSUER", "geo.par"]),
        get("places", "/Oslo").is(200, "59.9139"),
    ];

    /// What is wrong with an archive is told at its place, and its program is not started: it would
    /// have said so.
    what_is_wrong_with_an_archive = [
        actor("places", built("places")).cap("demo:geo"),
        Step::manifest(places("", "archive: geo.par")),
        Step::Ends(CHECK, 6, &["E_NOT_FOUND", "there is no archive", "geo.par", "1 problem"]),
        archive("geo", "#!/bin/sh\necho it ran; exit 3\n", "demo:geo").with(Flaw::Stranger),
        Step::Ends(CHECK, 4, &["E_ISSUER", "geo.par: the issuer A", "1 problem"]),
        Step::Ends(&[], 4, &["E_ISSUER"]),
        archive("geo", "#!/bin/sh\necho it ran; exit 3\n", "demo:geo").expires_in_s(-60),
        Step::Ends(CHECK, 4, &["E_EXPIRED", "geo.par: the claims expired", "1 problem"]),
        archive("geo", geo(), "demo:geo").with(Flaw::Tampered),
        Step::Ends(CHECK, 6, &["E_ARCHIVE", "geo.par: its compression is broken", "1 problem"]),
        archive("geo", geo(), "demo:geo").with(Flaw::Unsigned),
        Step::Ends(CHECK, 6, &["E_ARCHIVE", "geo.par: it is not a provider archive", "1 problem"]),
        archive("geo", geo(), "demo:geo").built_for("mips-irix"),
        Step::Ends(CHECK, 6, &["E_NOT_FOUND", "it has: mips-irix", "trellis par insert", "1 problem"]),
        archive("geo", geo(), "acme:maps"),
        Step::Ends(CHECK, 4, &["its claims say that it serves acme:maps", "serves demo:geo"]),
        archive("geo", "#!/bin/sh\necho it ran; exit 3\n", "demo:geo"),
        Step::Ends(CHECK, 6, &["E_PROVIDER", "wrote: it ran", "1 problem"]),
        archive("geo", "echo it ran; exit 3\n", "demo:geo"),
        Step::Ends(CHECK, 6, &["E_CONFIG", "the program in `geo.par` is neither an ELF", "1 problem"]),
        archive("geo", geo(), "demo:geo"),
        Step::Ends(CHECK, 0, &["ok"]),
        Step::Ends(&["--check", "--no-cache"], 6, &["E_CONFIG", "no cache folder", "--cache-dir"]),
        // As the originals' manifests have it.
        Step::manifest(places("", "path: ./geo.par")),
        Step::Ends(CHECK, 0, &["ok"]),
        Step::manifest(places("", "archive: {file: geo.par, arg: [x]}")),
        Step::Ends(CHECK, 6, &["unknown key", "did you mean `args`"]),
    ];

    /// A revocation stops the provider, by its own key; taken back, it runs again.
    a_revoked_archive = [
        actor("places", built("places")).cap("demo:geo"),
        archive("geo", geo(), "demo:geo"),
        Step::manifest(places("", "archive: geo.par")),
        Step::Start,
        get("places", "/Oslo").is(200, "59.9139"),
        Step::manifest(places(REVOKED, "archive: geo.par")),
        Step::Log(&["E_REVOKED", "stopped: the provider V"]),
        // An outage for its clients; its actor is told what happened.
        get("places", "/Oslo").is(503, "E_PROVIDER"),
        Step::Log(&["cannot use demo:geo now: provider geo does not run", "E_REVOKED"]),
        Step::LogAtMost(0, "add one to the manifest"),
        Step::Soon(Box::new(Step::Admin("/readyz", 200, "provider geo: the provider V"))),
        Step::manifest(places("", "archive: geo.par")),
        Step::Log(&["started provider geo"]),
        get("places", "/Oslo").is(200, "59.9139"),
    ];

    /// One whose claims end while it runs is stopped, and is back when they are renewed.
    an_archive_that_expires_while_it_runs = [
        actor("places", built("places")).cap("demo:geo"),
        // Enough for a start on a busy machine, minus the half minute by which clocks may differ.
        archive("geo", geo(), "demo:geo").expires_in_s(20 - 30),
        Step::manifest(places("", "archive: geo.par")),
        Step::Start,
        get("places", "/Oslo").is(200, "59.9139"),
        Step::Log(&["E_EXPIRED", "stopped", "geo"]),
        archive("geo", geo(), "demo:geo").expires_in_s(86_400),
        Step::Log(&["started provider geo"]),
        get("places", "/Oslo").is(200, "59.9139"),
    ];

    /// A file where the archive was keeps what runs.
    an_archive_that_is_overwritten = [
        actor("places", built("places")).cap("demo:geo"),
        archive("geo", geo(), "demo:geo"),
        Step::manifest(places("", "archive: geo.par")),
        Step::Start,
        Step::Do(Change::File("app/geo.par", b"nonsense".to_vec())),
        Step::Log(&["E_ARCHIVE", "it ends too early"]),
        get("places", "/Oslo").is(200, "59.9139"),
    ];
}

const REVOKED: &str = "trust: {issuers: ['${ISSUER}'], revoked: ['${PROVIDER_KEY_OF_GEO}']}";

fn geo() -> Vec<u8> {
    fs::read(example_program("geo")).expect("it was built")
}

/// The same program in another file: what follows an executable is not read.
fn another_geo() -> Vec<u8> {
    [geo(), vec![0]].concat()
}

/// A manifest with this provider, and with more text in front.
fn places(front: &str, provider: &str) -> String {
    format!(
        "
{front}
actors: [{{image: places.wasm, name: places}}]
providers:
  - builtin: http-server
  - {{{provider}}}
bindings:
  - {{actor: places, capability: 'wascc:http_server', values: {{PORT: 0}}}}
  - {{actor: places, capability: 'demo:geo'}}
"
    )
}
