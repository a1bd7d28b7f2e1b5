//! What is told of a rollback, of a dry run and of an edit is what is so.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, SystemTime};

use serde_json::Value;
use trellis_claims::ClaimsDraft;
use trellis_testkit::guests::built;
use trellis_testkit::{HostProcess, Signal, eventually, example_program, run_to_end, signal};

use crate::live_swap::{ECHO, MANIFEST, Stage, answer, answers};

/// The counter is at that, and goes on from there.
fn counts(host: &HostProcess, count: u64) {
    assert_eq!(answer(host), (200, format!("{{\"counter\": {count}}}")), "{}", host.log().text());
}

fn to_redis(url: &str) -> String {
    format!("update provider store --to builtin:keyvalue-redis --set URL={url}")
}

fn to_file(stage: &Stage) -> String {
    let path = stage.site.path("a.redb").display().to_string();
    format!("update provider store --to builtin:keyvalue-embedded --set PATH={path}")
}

fn store(stage: &Stage) -> Value {
    stage.document("describe provider store -o json")["provider"].clone()
}

/// Who wanted the last changes, and what came of them.
fn last(stage: &Stage, count: usize) -> Vec<(Value, Value)> {
    let history = stage.document("history -o json")["history"].clone();
    let rows = history.as_array().cloned().unwrap_or_default();
    let from = rows.len().saturating_sub(count);
    rows[from..].iter().map(|row| (row["by"].clone(), row["outcome"].clone())).collect()
}

fn said(by: &str, outcome: &str) -> (Value, Value) {
    (by.into(), outcome.into())
}

/// Waits until the last rollback was undone.
fn is_undone(stage: &Stage, host: &HostProcess) {
    let undone = [said("rollback", "taken_back"), said("automatic", "applied")];
    let found = eventually(|| match last(stage, 2) {
        found if found == undone => Ok(()),
        other => Err(other),
    });
    found.unwrap_or_else(|other| panic!("{other:?}:\n{}", host.log().text()));
}

/// Has the manifest read once more, with all it names.
fn is_read_again(stage: &Stage, word: &str) {
    stage.site.put(MANIFEST, format!("labels: {{word: {word}}}\n{ECHO}"));
    let found = eventually(|| {
        let labels = stage.document("get hosts -o json")["hosts"][0]["labels"].clone();
        if labels["word"] == word { Ok(()) } else { Err(labels) }
    });
    found.unwrap_or_else(|labels| panic!("{labels}"));
}

#[test]
fn a_rollback_that_cannot_be_had_is_undone() {
    let (mut stage, url) = Stage::of_a_counter();
    let host = stage.start();
    stage.does(&format!("{} --no-wait --watch-calls 0", to_redis(&url)));
    stage.does(&format!("{} --no-wait --watch-calls 0", to_file(&stage)));
    stage.redis.as_mut().expect("it runs").kill();
    for (no_wait, says) in [("", "was taken back"), (" --no-wait", "taken back")] {
        let line = format!("rollback store{no_wait}");
        stage.fails(&line, 1, &["E_PROVIDER", "is not well", says, "What ran before goes on"]);
        is_undone(&stage, &host);
    }
    // What runs is what is wanted: nothing is left to be tried some minutes later.
    assert_eq!(store(&stage)["implementation"], "keyvalue-embedded");
    assert_eq!(store(&stage)["edit"]["revision"], 7);
    let ready = host.ask("/readyz").expect("an answer").text();
    assert!(!ready.contains("degraded"), "{ready}");
    assert!(ready.contains("revision 6 of provider store was taken back"), "{ready}");
    let dry = stage.does("rollback store --dry-run");
    assert!(dry.stderr.contains("the same failed before: revision 6"), "{dry:#?}");
    let history = stage.does("history store").stdout;
    let marked: Vec<_> = history.lines().filter(|line| line.contains("(in force)")).collect();
    assert!(marked.iter().any(|line| line.starts_with('7')), "{history}");
    counts(&host, 1);
    // Who means it, gets it; and so does who asks again once it can be had.
    stage.does("rollback store --force");
    assert_eq!(store(&stage)["implementation"], "keyvalue-redis");
    stage.redis.as_mut().expect("it is known").restart();
    stage.does("rollback store --to 3 --no-wait");
    assert_eq!(store(&stage)["implementation"], "keyvalue-embedded");
    stage.does("rollback store");
    assert_eq!(store(&stage)["implementation"], "keyvalue-redis");
}

#[test]
fn a_rollback_whose_data_cannot_go_along_is_undone() {
    let (stage, url) = Stage::of_a_counter();
    let host = stage.start();
    stage.does(&format!("{} --no-wait --watch-calls 0", to_redis(&url)));
    counts(&host, 1);
    stage.does(&format!("{} --no-wait --watch-calls 0", to_file(&stage)));
    counts(&host, 1);
    counts(&host, 2);
    // The redis holds a key already.
    stage.fails("rollback store --data copy", 6, &["E_DATA", "--data replace", "taken back"]);
    is_undone(&stage, &host);
    counts(&host, 3);
    // Nor are the data of a rollback that was undone taken along by the next one.
    stage.does("rollback store");
    counts(&host, 2);
    stage.does("rollback store --to 3 --no-wait");
    counts(&host, 4);
    let done = stage.does("rollback store --data replace");
    assert!(done.stdout.contains("copied 1 keys"), "{done:#?}");
    counts(&host, 5);
}

#[test]
fn a_store_that_begins_empty_is_told() {
    let (stage, url) = Stage::of_a_counter();
    let host = stage.start();
    counts(&host, 1);
    let tells = |line: &str, is_so: bool| {
        let done = stage.does(line);
        assert_eq!(done.stderr.contains("provider store begins empty"), is_so, "{line}: {done:#?}");
        for cure in ["`--data copy`", "`--data replace`"] {
            assert!(!is_so || done.stderr.contains(cure), "{line}: {cure}: {done:#?}");
        }
    };
    tells(&format!("{} --no-wait", to_redis(&url)), false);
    tells("rollback store --dry-run", true);
    // The same that the manifest says.
    let same = "update provider store --to builtin:keyvalue-embedded";
    tells(&format!("{same} --dry-run"), true);
    // Once it is made the stores are asked: nothing is told of one that holds nothing.
    tells("rollback store --no-wait", false);
    tells(&format!("{} --no-wait", to_redis(&url)), false);
    counts(&host, 1);
    let done = stage.does("rollback store --no-wait");
    let says = ["echo goes on without the keys that it had", "keyvalue-redis", "`--data copy`"];
    assert!(says.iter().all(|said| done.stderr.contains(said)), "{done:#?}");
    // What is in memory goes over to another instance.
    tells("update provider store --set OPERANDS_MAX=77 --no-wait", false);
}

#[test]
fn a_dry_run_says_what_it_leaves_open_and_nothing_that_is_known_to_fail() {
    let (stage, url) = Stage::of_a_counter();
    let _host = stage.start();
    let dry = stage.does(&format!("{} --dry-run --data copy", to_redis(&url)));
    assert!(dry.stdout.contains("would replace provider store"), "{dry:#?}");
    let open = ["a dry run does not try", "whether it starts", "can be copied"];
    assert!(open.iter().all(|said| dry.stderr.contains(said)), "{dry:#?}");
    assert!(!dry.stderr.contains("watched"), "with its data it is not: {dry:#?}");
    let dry = stage.does(&format!("{} --dry-run", to_redis(&url)));
    assert!(dry.stderr.contains("how its calls go while it is watched"), "{dry:#?}");
    let line = "update provider http-server --set BODIES_BYTES_MAX=128MiB --data copy";
    for line in [format!("{line} --dry-run"), line.to_owned()] {
        stage.fails(&line, 6, &["E_DATA", "no way to give out what it keeps"]);
    }
    assert_eq!(last(&stage, 9), [said("manifest", "applied")], "nothing was wanted");
}

#[test]
fn what_was_only_touched_ends_no_edit() {
    let stage = Stage::new(ECHO);
    stage.put("new.wasm", &built("echo"), |draft| draft.revision = Some(2));
    let host = stage.start();
    stage.does("update actor echo new.wasm --no-wait");
    let own = stage.site.path("app/echo.wasm");
    let then = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000);
    fs::File::open(&own).and_then(|file| file.set_modified(then)).expect("it is ours");
    is_read_again(&stage, "touched");
    // Copied once more, as a deployment that changes nothing does it.
    stage.site.put("app/echo.wasm", fs::read(&own).expect("it is there"));
    is_read_again(&stage, "copied");
    assert_eq!(host.metric("trellis_edits"), 1.0, "{}", host.log().text());
    answers(&host, 200, "hello");
}

#[test]
fn what_an_edit_was_made_for_has_been() {
    let stage = Stage::new(ECHO);
    let _host = stage.start();
    stage.put("new.wasm", &built("echo"), |draft| draft.revision = Some(2));
    let says = ["E_CONFLICT", "at revision 1 of what is wanted; 9 is not yet"];
    stage.fails("update actor echo new.wasm --if-revision 9", 6, &says);
}

#[test]
fn a_move_that_makes_way_is_made_by_what_follows() {
    let (stage, url) = Stage::of_a_counter();
    let host = stage.start();
    counts(&host, 1);
    let redis = stage.redis.as_ref().and_then(|redis| redis.process_id()).expect("it runs");
    // It takes connections and answers nothing.
    signal(redis, Signal::STOP);
    let line = format!("{} --set TIMEOUT=25s --force --data copy --timeout 90s", to_redis(&url));
    let mut update = stage.site.trellis(&line.split(' ').collect::<Vec<_>>());
    let update = std::thread::spawn(move || run_to_end(&mut update));
    let copies = |line: &str| line.contains("what it keeps is being copied").then_some(());
    assert!(host.log().wait_for(0, copies).is_some(), "{}", host.log().text());
    let from = host.log().count();
    let manifest = fs::read_to_string(stage.site.path(MANIFEST)).expect("it is there");
    let other = manifest.replace("name: echo}", "name: echo, limits: {call_time: 7s}}");
    assert_ne!(manifest, other);
    stage.site.put(MANIFEST, other);
    assert!(host.log().wait_for(from, copies).is_some(), "{}", host.log().text());
    signal(redis, Signal::CONT);
    let ended = update.join().expect("it ends");
    assert_eq!(ended.code, Some(0), "{ended:#?}\n{}", host.log().text());
    assert_eq!(store(&stage)["implementation"], "keyvalue-redis");
    counts(&host, 2);
}

const PLACES: &str = "
actors: [{image: places.wasm, name: echo}]
providers: [{builtin: http-server}, {process: ./geo.sh, name: geo}]
bindings:
  - {actor: echo, capability: 'wascc:http_server', values: {PORT: 0, ADDRESS: 127.0.0.1}}
  - {actor: echo, capability: 'demo:geo'}
";

/// Puts a script there that becomes the example provider, and says as what process.
fn put_program(stage: &Stage, path: &str) {
    let (geo, mark) = (example_program("geo"), stage.site.path("pid"));
    let script = format!("#!/bin/sh\necho $$ > {}\nexec {}\n", mark.display(), geo.display());
    stage.site.put("made", script);
    let made = stage.site.path("made");
    fs::set_permissions(&made, fs::Permissions::from_mode(0o755)).expect("it is ours");
    fs::rename(&made, stage.site.path(path)).expect("it is ours");
}

fn of_places() -> Stage {
    let stage = Stage::new(PLACES);
    put_program(&stage, "app/geo.sh");
    let caps = |draft: &mut ClaimsDraft| draft.caps.push("demo:geo".to_owned());
    stage.put("app/places.wasm", &built("places"), caps);
    stage
}

#[test]
fn a_program_that_was_written_since_is_told_when_it_is_started_again() {
    let stage = of_places();
    put_program(&stage, "other.sh");
    let host = stage.start();
    let other = stage.site.path("other.sh").display().to_string();
    stage.does(&format!("update provider geo --to process:{other} --no-wait --watch-calls 0"));
    let from = host.log().count();
    put_program(&stage, "other.sh");
    let pid = fs::read_to_string(stage.site.path("pid")).expect("it was started");
    signal(pid.trim().parse().expect("a process"), Signal::KILL);
    let says = |line: &str| {
        let all = ["other.sh", "were written since it was checked"];
        all.iter().all(|said| line.contains(said)).then_some(())
    };
    assert!(host.log().wait_for(from, says).is_some(), "{}", host.log().text());
}

#[test]
fn a_program_of_the_manifest_that_is_another_one_ends_an_edit() {
    let stage = of_places();
    let host = stage.start();
    stage.does("update provider geo --set PLACES=Rome=41,12.5 --no-wait --watch-calls 0");
    let from = host.log().count();
    let own = stage.site.path("app/geo.sh");
    let before = fs::read_to_string(&own).expect("it is there");
    fs::write(&own, format!("{before}# another one\n")).expect("it is ours");
    host.signal(Signal::HUP);
    let says = "the edit of provider geo";
    let found = host.log().wait_for(from, |line| line.contains(says).then_some(()));
    assert!(found.is_some(), "{}", host.log().text());
}
