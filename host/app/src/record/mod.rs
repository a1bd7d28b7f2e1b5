//! What is known of the actors of a manifest from when they last ran here: their keys, and what
//! their claims let them do.
//!
//! One small file for each manifest, in `$XDG_STATE_HOME/trellis/keys` or, without it, in
//! `~/.local/state/trellis/keys`. When it cannot be written, what changed is
//! noticed while a host runs and not across its starts. One that cannot be read is left as it is,
//! and actors with data of which it does not tell are refused, unless the user forces it.
//!
//! An actor is written down when it runs, not before: one that never ran kept no data. What
//! is left is the time from then until the file is in its place, some milliseconds on a disk that
//! answers. A host that is killed in it forgets the actor; one that stops waits for it.

mod content;
mod damage;
mod file;

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::{AbortHandle, spawn_blocking};
use trellis_claims::{Clock, SystemClock};
use trellis_supervisor::LastRuns;

use self::content::Content;
pub(crate) use self::damage::Damage;
use self::damage::listed;
use self::file::{RECORD_BYTES_MAX, aside, file_of, read, state_folder, write};

/// Bytes of a record that are not about an actor, its manifest's path apart.
const FRAME_BYTES: usize = 256;

/// What is known of a manifest's actors. Memory knows it at once; one task writes it
/// down, so that nobody else waits for the disk.
pub(crate) struct RunRecord {
    place: Arc<Place>,
    known: Arc<Mutex<Known>>,
    /// What is to be written, until it is; what comes later takes its place.
    unwritten: Arc<watch::Sender<Option<Content>>>,
    writer: OnceLock<AbortHandle>,
}

/// Where a record is kept.
struct Place {
    manifest: PathBuf,
    /// `None` when the user has no folder for state.
    state: Option<PathBuf>,
    /// A damaged file may be put aside.
    force: bool,
}

#[derive(Default)]
struct Known {
    content: Content,
    /// What the file says once everything is written.
    filed: Content,
    was_read: bool,
    /// Why the file cannot be read whole, until it can.
    damage: Option<Damage>,
}

impl RunRecord {
    /// The record of a manifest in the user's folder for state; with `force`, a damaged one is put
    /// aside.
    pub(crate) fn new(manifest: &Path, force: bool) -> Self {
        Self::within(state_folder(), manifest, force)
    }

    fn within(state: Option<PathBuf>, manifest: &Path, force: bool) -> Self {
        Self {
            place: Arc::new(Place { manifest: manifest.to_owned(), state, force }),
            known: Arc::default(),
            unwritten: Arc::default(),
            writer: OnceLock::new(),
        }
    }

    /// What is known; nothing before it was read.
    pub(crate) fn known(&self) -> LastRuns {
        self.known.lock().content.runs()
    }

    /// Why the file cannot be read whole, when nobody forces it.
    pub(crate) fn damage(&self) -> Option<Damage> {
        self.known.lock().damage.clone().filter(|_| !self.place.force)
    }

    /// Reads the file, until it could be read whole. Blocks, without holding anybody else.
    pub(crate) fn read(&self) {
        {
            let known = self.known.lock();
            if known.was_read && known.damage.is_none() {
                return;
            }
        }
        let Some(file) = self.place.file() else { return };
        let (filed, why) = read(&file);
        let damage = why.map(|why| Damage { file, why });
        let mut known = self.known.lock();
        if let Some(damage) = damage.as_ref().filter(|damage| known.damage.as_ref() != Some(damage))
        {
            damage.tell(self.place.force);
        }
        // What ran in this host is newer.
        let own = std::mem::replace(&mut known.content, filed.clone());
        for (name, entry) in own.0 {
            known.content.keep(name, entry.run, entry.absent_since);
        }
        known.filed = filed;
        known.was_read = true;
        known.damage = damage;
    }

    /// These are the actors of the manifest that is applied.
    pub(crate) fn name(&self, wanted: &LastRuns) {
        self.name_at(wanted, SystemClock.now_unix_s());
    }

    fn name_at(&self, wanted: &LastRuns, now_unix_s: u64) {
        self.edit(|content| {
            for (name, entry) in &mut content.0 {
                let since = entry.absent_since.unwrap_or(now_unix_s);
                entry.absent_since = (!wanted.contains_key(name)).then_some(since);
            }
        });
    }

    /// These actors run now. What is known of others stays: one that is taken out of the manifest
    /// and put back shall find its data. So does the key of one that keeps no data now. Needs a
    /// Tokio runtime.
    pub(crate) fn keep(&self, runs: LastRuns) {
        self.edit(|content| {
            runs.into_iter().for_each(|(name, run)| content.keep(name, run, None));
        });
    }

    /// Changes what is known, and has it written when the file says something else.
    fn edit(&self, change: impl FnOnce(&mut Content)) {
        let mut known = self.known.lock();
        change(&mut known.content);
        let frame = FRAME_BYTES + 6 * self.place.manifest.as_os_str().len();
        let forgotten = known.content.shrink(frame, RECORD_BYTES_MAX);
        if known.content == known.filed || (known.damage.is_some() && !self.place.force) {
            return;
        }
        known.filed = known.content.clone();
        // Under the lock, so that the latest is what is written last. It waits for nothing.
        self.unwritten.send_replace(Some(known.content.clone()));
        drop(known);
        if !forgotten.is_empty() {
            tracing::warn!(
                "the record of actor keys is full: it forgets {}, which the manifest has not named \
                 for the longest",
                listed(&forgotten)
            );
        }
        self.writer.get_or_init(|| self.start_writer());
    }

    /// Waits until everything is written, or could not be.
    pub(crate) async fn written(&self) {
        // An error means that the sender is gone, which is ours.
        let _ = self.unwritten.subscribe().wait_for(Option::is_none).await;
    }

    fn start_writer(&self) -> AbortHandle {
        let (place, known) = (Arc::clone(&self.place), Arc::clone(&self.known));
        tokio::spawn(write_all(place, known, Arc::clone(&self.unwritten))).abort_handle()
    }
}

impl Drop for RunRecord {
    fn drop(&mut self) {
        if let Some(writer) = self.writer.get() {
            writer.abort();
        }
    }
}

impl Place {
    fn file(&self) -> Option<PathBuf> {
        file_of(self.state.as_deref()?, &self.manifest)
    }

    /// Writes, after a damaged file was put aside.
    fn keep(&self, content: &Content, known: &Mutex<Known>) -> std::io::Result<()> {
        if self.state.is_none() {
            let why = "neither XDG_STATE_HOME nor HOME is set";
            return Err(std::io::Error::other(why));
        }
        let Some(file) = self.file() else { return Ok(()) };
        let is_damaged = known.lock().damage.is_some();
        if is_damaged {
            let aside = aside(&file);
            std::fs::rename(&file, &aside)?;
            known.lock().damage = None;
            tracing::warn!("the damaged record of actor keys is now {}", aside.display());
        }
        write(&file, &self.manifest, content)
    }
}

async fn write_all(
    place: Arc<Place>,
    known: Arc<Mutex<Known>>,
    unwritten: Arc<watch::Sender<Option<Content>>>,
) {
    let mut wanted = unwritten.subscribe();
    loop {
        let found = wanted.wait_for(Option::is_some).await.map(|content| content.clone());
        let Ok(Some(content)) = found else { return };
        let (place, known, now) = (Arc::clone(&place), Arc::clone(&known), content.clone());
        // A panic is logged where it happened.
        let _ = spawn_blocking(move || {
            if let Err(error) = place.keep(&now, &known) {
                let file = place.file().unwrap_or_default();
                let file = file.display();
                tracing::warn!(%file, %error, "what ran is not kept for the next start");
            }
        })
        .await;
        unwritten.send_if_modified(|latest| {
            let done = latest.as_ref() == Some(&content);
            if done {
                *latest = None;
            }
            done
        });
    }
}

#[cfg(test)]
mod tests {
    use trellis_claims::{KeyKind, KeyPair};
    use trellis_supervisor::{LastRun, Rights};

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
        LastRuns::from([(actor.to_owned(), LastRun { key: key.map(str::to_owned), rights })])
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
    async fn a_key_outlives_a_version_that_keeps_no_data() {
        let record = RunRecord::within(None, Path::new("app.yaml"), false);
        record.keep(run("a", Some("MA"), &["trellis:clock"]));
        record.keep(run("a", None, &[]));
        assert_eq!(record.known(), run("a", Some("MA"), &[]));
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
        for damaged in [&whole[..whole.len() - 5], b"", b"\xff", &vec![b' '; RECORD_BYTES_MAX + 1]]
        {
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
        assert_eq!(
            std::fs::read(site.file()).ok().as_deref(),
            Some(&b"damaged"[..]),
            "nothing ran"
        );
        let runs = run("a", Some(&key()), &[]);
        record.keep(runs.clone());
        record.written().await;
        assert_eq!(std::fs::read(aside(&site.file())).ok().as_deref(), Some(&b"damaged"[..]));
        assert_eq!(site.record(false).known(), runs);
    }
}
