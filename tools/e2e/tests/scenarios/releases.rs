//! The tasks of `docs/releases.md`: a version is taken back, claims are renewed.

use trellis_e2e::hostile::harmless;
use trellis_e2e::{Step, actor, app, get};
use trellis_testkit::Signal;
use trellis_testkit::guests::built;

use crate::scenarios;

scenarios! {
    /// Without revisions the file of before is put back, and that is all.
    a_version_is_taken_back = [
        actor("echo", built("echo")),
        app(&[("echo", "")]),
        Step::Start,
        get("echo", "/").is(200, "hello"),
        actor("echo", harmless()),
        Step::Log(&["replaced actor echo"]),
        get("echo", "/").is(200, "ok"),
        actor("echo", built("echo")),
        Step::Log(&["replaced actor echo"]),
        get("echo", "/").is(200, "hello"),
    ];

    /// With revisions the old code comes back under a higher one, or with a restart; `--force` is
    /// about other things.
    a_revision_is_taken_back = [
        actor("echo", built("echo")).revision(1),
        app(&[("echo", "")]),
        Step::StartWith(&["--force"]),
        actor("echo", harmless()).revision(2),
        Step::Log(&["replaced actor echo"]),
        actor("echo", built("echo")).revision(1),
        Step::Log(&["revision 1 is older than 2", "`--rev 2`", "E_REVISION"]),
        get("echo", "/").is(200, "ok"),
        actor("echo", built("echo")).revision(3),
        Step::Log(&["replaced actor echo"]),
        get("echo", "/").is(200, "hello"),
        Signal::TERM,
        Step::Stops(0, 20),
        actor("echo", harmless()).revision(2),
        Step::Start,
        get("echo", "/").is(200, "ok"),
    ];

    /// A renewed signature of what runs takes its place under load, with the same revision.
    claims_are_renewed = [
        actor("echo", built("echo")).revision(1).expires_in_s(86_400),
        app(&[("echo", "")]),
        Step::Start,
        Step::LoadStarts("echo"),
        actor("echo", built("echo")).revision(1).expires_in_s(2 * 86_400),
        Step::Log(&["replaced actor echo"]),
        get("echo", "/").is(200, "hello"),
        Step::LoadEnds,
    ];

    /// An actor whose claims had expired is back when they are renewed.
    claims_are_renewed_too_late = [
        actor("other", harmless()),
        // Enough for a start on a busy machine, minus the half minute by which clocks may differ.
        actor("echo", built("echo")).expires_in_s(20 - 30),
        app(&[("echo", ""), ("other", "")]),
        Step::Start,
        Step::Log(&["E_EXPIRED", "stopped", "echo"]),
        actor("echo", built("echo")).expires_in_s(86_400),
        Step::Log(&["started actor echo"]),
        Step::Log(&["bound echo"]),
        Step::Admin("/readyz", 200, "").soon(),
        get("other", "/").is(200, "ok"),
    ];
}
