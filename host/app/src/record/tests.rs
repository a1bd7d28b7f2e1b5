//! The record of what ran, on a real disk.

use trellis_claims::{KeyKind, KeyPair};
use trellis_supervisor::{LastRun, Rights};

use super::file::{aside, file_of};
use super::*;

struct Site {
    folder: tempfile::TempDir,
    manifest: PathBuf,
}

impl Site {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let manifest = folder.path().join("app.yaml");
        std::fs::write(&manifest, "").expect("a file");
        Self { folder, manifest }
    }

    fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    fn record(&self, force: bool) -> RunRecord {
        let record = RunRecord::within(Some(self.state()), &self.manifest, force);
        record.read();
        record
    }

    fn file(&self) -> PathBuf {
        file_of(&self.state(), &self.manifest).expect("the manifest is there")
    }
}

fn key() -> String {
    KeyPair::generate(KeyKind::Module).public().to_string()
}

fn run(actor: &str, key: Option<&str>, uses: &[&str]) -> LastRuns {
    let uses = uses.iter().map(|id| ((*id).to_owned(), None)).collect();
    let rights = Rights { uses, ..Rights::default() };
    let key = key.map(str::to_owned);
    LastRuns::from([(actor.to_owned(), LastRun { key, rights, ..LastRun::default() })])
}

#[tokio::test]
async fn nobody_waits_for_the_disk_and_the_next_start_knows_what_ran() {
    let site = Site::new();
    let record = site.record(false);
    // Until it waits, this task is the only one that runs: nothing is written yet.
    record.keep(run("a", Some(&key()), &[]));
    record.keep(run("b", None, &["trellis:clock"]));
    record.keep(run("c", None, &[]));
    assert_eq!(record.known().len(), 2, "memory knows them at once, and nothing of the third");
    assert!(!site.state().exists(), "the disk comes later");
    record.written().await;
    assert_eq!(site.record(false).known(), record.known());
}

#[tokio::test]
async fn what_could_not_be_written_is_written_once_it_can() {
    let site = Site::new();
    let folder = site.state().join("trellis/keys");
    std::fs::create_dir_all(site.state().join("trellis")).expect("a folder");
    std::os::unix::fs::symlink("nowhere", &folder).expect("a link");
    let record = site.record(false);
    record.keep(run("a", Some(&key()), &[]));
    record.written().await;
    assert!(!site.file().exists(), "the disk refused it");
    std::fs::remove_file(folder).expect("it is there");
    record.keep(record.known());
    record.written().await;
    assert_eq!(site.record(false).known(), record.known(), "though nothing else changed");
}

#[tokio::test]
async fn a_link_to_the_next_release_leads_to_the_same_record() {
    let site = Site::new();
    let (link, at) = (site.folder.path().join("current"), |name| site.folder.path().join(name));
    for release in ["r1", "r2"] {
        std::fs::create_dir(at(release)).expect("a folder");
        std::fs::write(at(release).join("app.yaml"), "").expect("a file");
    }
    let lead_to = |release| std::os::unix::fs::symlink(at(release), &link).expect("a link");
    let record = || RunRecord::within(Some(site.state()), &link.join("app.yaml"), false);
    lead_to("r1");
    let first = record();
    first.keep(run("a", Some(&key()), &[]));
    first.written().await;
    std::fs::remove_file(&link).expect("the link");
    lead_to("r2");
    let next = record();
    next.read();
    assert_eq!(next.known(), first.known());
}

#[tokio::test]
async fn a_key_outlives_a_version_that_keeps_no_data() {
    let record = RunRecord::within(None, Path::new("app.yaml"), false);
    record.keep(run("a", Some("MA"), &["trellis:clock"]));
    record.keep(run("a", None, &[]));
    assert_eq!(record.known(), run("a", Some("MA"), &[]));
}

#[tokio::test]
async fn an_unsigned_key_takes_no_place_of_a_signed_one_and_leaves_with_the_next() {
    let unsigned = |key: &str| {
        let run = LastRun { unsigned_key: Some(key.to_owned()), ..LastRun::default() };
        LastRuns::from([("a".to_owned(), run)])
    };
    let record = RunRecord::within(None, Path::new("app.yaml"), false);
    let known = || {
        let run = record.known().remove("a").unwrap_or_default();
        (run.key, run.unsigned_key)
    };
    for (ran, key, unsigned_key) in [
        (unsigned("MU"), None, Some("MU")),
        (run("a", Some("MA"), &[]), Some("MA"), None),
        (unsigned("MU"), Some("MA"), Some("MU")),
        (unsigned("MV"), Some("MA"), Some("MV")),
        (run("a", None, &["trellis:clock"]), Some("MA"), Some("MV")),
        (run("a", Some("MA"), &[]), Some("MA"), None),
    ] {
        record.keep(ran);
        assert_eq!(known(), (key.map(str::to_owned), unsigned_key.map(str::to_owned)));
    }
}

#[tokio::test]
async fn since_when_an_actor_is_not_named_is_kept() {
    let site = Site::new();
    let (record, gone) = (site.record(false), run("a", Some(&key()), &[]));
    record.keep(gone.clone());
    let absent = |record: &RunRecord| record.known.lock().content.0["a"].absent_since;
    for (wanted, now, since) in [
        (&gone, 10, None),
        (&LastRuns::new(), 20, Some(20)),
        (&LastRuns::new(), 30, Some(20)),
        (&gone, 40, None),
        (&LastRuns::new(), 50, Some(50)),
    ] {
        record.name_at(wanted, now);
        assert_eq!(absent(&record), since, "at {now}");
    }
    record.written().await;
    assert_eq!(absent(&site.record(false)), Some(50));
    record.keep(gone);
    assert_eq!(absent(&record), None, "it runs");
}

#[tokio::test]
async fn a_damaged_record_refuses_what_it_protects_and_is_left_as_it_is() {
    let site = Site::new();
    let kept = run("a", Some(&key()), &[]);
    let record = site.record(false);
    record.keep(kept.clone());
    record.written().await;
    let whole = std::fs::read(site.file()).expect("it was written");
    for damaged in [&whole[..whole.len() - 5], b"", b"\xff", &vec![b' '; RECORD_BYTES_MAX + 1]] {
        std::fs::write(site.file(), damaged).expect("a file");
        let record = site.record(false);
        let damage = record.damage().expect("it cannot be read");
        let refused = damage.check(&kept, &record.known()).expect_err("unprotected");
        let file = site.file().display().to_string();
        assert!(refused.to_string().contains(&file) && refused.to_string().contains("`a`"));
        for cure in ["restore", "remove", "`--force`", ".json.damaged"] {
            assert!(refused.cure().contains(cure), "{}", refused.cure());
        }
        let no_data = run("a", None, &["trellis:clock"]);
        assert!(damage.check(&no_data, &record.known()).is_ok(), "nothing to protect");
        record.keep(no_data);
        record.written().await;
        assert_eq!(std::fs::read(site.file()).ok().as_deref(), Some(damaged));

        std::fs::write(site.file(), &whole).expect("a file");
        record.read();
        assert_eq!(record.damage(), None, "it was restored");
        assert_eq!(record.known()["a"].key, kept["a"].key);
    }
}

#[tokio::test]
async fn what_of_a_damaged_record_can_be_read_protects() {
    let site = Site::new();
    let record = site.record(false);
    let kept = run("a", Some(&key()), &[]);
    record.keep(kept.clone());
    record.written().await;
    let text = std::fs::read_to_string(site.file()).expect("it was written");
    let text = text.replace("\"actors\":{", "\"actors\":{\"b\":7,");
    std::fs::write(site.file(), text).expect("a file");
    let record = site.record(false);
    assert_eq!(record.known(), kept);
    let damage = record.damage().expect("not whole");
    assert!(damage.check(&kept, &record.known()).is_ok(), "its key is known");
    let other = run("b", Some(&key()), &[]);
    assert!(damage.check(&other, &record.known()).is_err(), "its key is not");
}

#[tokio::test]
async fn a_forced_host_puts_a_damaged_record_aside() {
    let site = Site::new();
    std::fs::create_dir_all(site.file().parent().expect("a folder")).expect("made");
    std::fs::write(site.file(), "damaged").expect("a file");
    let record = site.record(true);
    assert_eq!(record.damage(), None, "nothing is refused");
    assert_eq!(std::fs::read(site.file()).ok().as_deref(), Some(&b"damaged"[..]), "nothing ran");
    let runs = run("a", Some(&key()), &[]);
    record.keep(runs.clone());
    record.written().await;
    assert_eq!(std::fs::read(aside(&site.file())).ok().as_deref(), Some(&b"damaged"[..]));
    assert_eq!(site.record(false).known(), runs);
}

#[tokio::test]
async fn where_the_data_of_a_binding_are_is_known_while_it_is_left_out() {
    let ran = |bindings: &[(&str, &str)]| {
        let named = |(name, kind): &(&str, &str)| ((*name).to_owned(), (*kind).to_owned());
        let bindings = bindings.iter().map(named).collect();
        let stores = [("wascc:keyvalue".to_owned(), bindings)].into();
        LastRuns::from([("a".to_owned(), LastRun { stores, ..LastRun::default() })])
    };
    let record = RunRecord::within(None, Path::new("app.yaml"), false);
    let both = ran(&[("cache", "keyvalue-redis"), ("default", "keyvalue-redis")]);
    record.keep(both.clone());
    record.keep(ran(&[("default", "keyvalue-redis")]));
    assert_eq!(record.known(), both, "it may come back");
    record.keep(ran(&[("cache", "keyvalue-embedded")]));
    let moved = ran(&[("cache", "keyvalue-embedded"), ("default", "keyvalue-redis")]);
    assert_eq!(record.known(), moved, "where it was bound last");

    // Names may come and go for ever.
    for number in 0..1_000 {
        record.keep(ran(&[(&format!("b{number}"), "keyvalue-redis")]));
    }
    let known = record.known()["a"].stores["wascc:keyvalue"].len();
    assert!((2..=200).contains(&known), "{known}");
}
