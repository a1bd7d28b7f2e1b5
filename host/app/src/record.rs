//! What is known of the actors of a manifest from when it last ran here: their keys, and what they
//! could use by their claims alone.
//!
//! One small file for each manifest, in `$XDG_STATE_HOME/trellis/keys` or, without it, in
//! `~/.local/state/trellis/keys`. When it cannot be written, what changed is
//! noticed while a host runs and not across its starts.
//!
//! An actor is written down when it runs, not before: one that never ran kept no data. What
//! is left is the time from then until the file is in its place, some milliseconds on a disk that
//! answers. A host that is killed in it forgets the actor; one that stops waits for it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use serde_json::{Value as Json, json};
use tokio::sync::watch;
use tokio::task::{AbortHandle, spawn_blocking};
use trellis_supervisor::{LastRun, LastRuns};

/// Largest record that is read, in bytes: two hundred for each of ten thousand actors, and more.
const RECORD_BYTES_MAX: u64 = 4 << 20;

/// What is known of a manifest's actors. Memory knows it at once; one task writes it
/// down, so that nobody else waits for the disk.
pub(crate) struct RunRecord {
    manifest: PathBuf,
    /// `None` when the user has no folder for state.
    state: Option<PathBuf>,
    known: Mutex<Option<LastRuns>>,
    /// What is to be written, until it is; what comes later takes its place.
    unwritten: Arc<watch::Sender<Option<LastRuns>>>,
    writer: OnceLock<AbortHandle>,
}

impl RunRecord {
    /// The record of a manifest in the user's folder for state.
    pub(crate) fn new(manifest: &Path) -> Self {
        Self::within(state_folder(), manifest)
    }

    fn within(state: Option<PathBuf>, manifest: &Path) -> Self {
        Self {
            manifest: manifest.to_owned(),
            state,
            known: Mutex::default(),
            unwritten: Arc::default(),
            writer: OnceLock::new(),
        }
    }

    /// What is known; nothing before it was read.
    pub(crate) fn known(&self) -> LastRuns {
        self.known.lock().clone().unwrap_or_default()
    }

    /// Reads the file, the first time. Blocks, without holding anybody else.
    pub(crate) fn read(&self) {
        if self.known.lock().is_some() {
            return;
        }
        let file = self.state.as_deref().and_then(|state| file_of(state, &self.manifest));
        let found = file.map(|file| read(&file)).unwrap_or_default();
        self.known.lock().get_or_insert(found);
    }

    /// These actors run now. What is known of others stays: one that is taken out of the manifest
    /// and put back shall find its data. So does the key of one that keeps no data now. Needs a
    /// Tokio runtime.
    pub(crate) fn keep(&self, runs: LastRuns) {
        let mut known = self.known.lock();
        let before = known.clone().unwrap_or_default();
        let mut all = before.clone();
        for (name, mut run) in runs {
            run.key = run.key.or(all.remove(&name).and_then(|last| last.key));
            // Nothing to know is not worth a file.
            if run != LastRun::default() {
                all.insert(name, run);
            }
        }
        if all == before {
            return;
        }
        *known = Some(all.clone());
        // Under the lock, so that the latest is what is written last. It waits for nothing.
        self.unwritten.send_replace(Some(all));
        drop(known);
        self.writer.get_or_init(|| self.start_writer());
    }

    /// Waits until everything is written, or could not be.
    pub(crate) async fn written(&self) {
        // An error means that the sender is gone, which is ours.
        let _ = self.unwritten.subscribe().wait_for(Option::is_none).await;
    }

    fn start_writer(&self) -> AbortHandle {
        let (state, manifest) = (self.state.clone(), self.manifest.clone());
        tokio::spawn(write_all(state, manifest, Arc::clone(&self.unwritten))).abort_handle()
    }
}

impl Drop for RunRecord {
    fn drop(&mut self) {
        if let Some(writer) = self.writer.get() {
            writer.abort();
        }
    }
}

async fn write_all(
    state: Option<PathBuf>,
    manifest: PathBuf,
    unwritten: Arc<watch::Sender<Option<LastRuns>>>,
) {
    let mut wanted = unwritten.subscribe();
    loop {
        let found = wanted.wait_for(Option::is_some).await.map(|runs| runs.clone());
        let Ok(Some(runs)) = found else { return };
        let (state, manifest, now) = (state.clone(), manifest.clone(), runs.clone());
        // What cannot be kept is told where it is written; a panic is logged where it happened.
        let _ = spawn_blocking(move || keep(state.as_deref(), &manifest, &now)).await;
        unwritten.send_if_modified(|latest| {
            let done = latest.as_ref() == Some(&runs);
            if done {
                *latest = None;
            }
            done
        });
    }
}

fn keep(state: Option<&Path>, manifest: &Path, runs: &LastRuns) {
    if let Some(file) = state.and_then(|state| file_of(state, manifest))
        && let Err(error) = write(&file, manifest, runs)
    {
        let file = file.display();
        tracing::warn!(%file, %error, "what ran is not kept for the next start");
    }
}

/// `None` when the user has none.
fn state_folder() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("XDG_STATE_HOME").or_else(|| Some(set("HOME")?.join(".local/state")))
}

/// `None` when the manifest has no path.
fn file_of(state: &Path, manifest: &Path) -> Option<PathBuf> {
    let path = manifest.canonicalize().ok()?;
    let digest = trellis_claims::hash::digest(path.as_os_str().as_encoded_bytes());
    let name = trellis_claims::hash::hex(&digest[..16]).to_lowercase();
    Some(state.join("trellis/keys").join(name).with_extension("json"))
}

fn read(file: &Path) -> LastRuns {
    let text = File::open(file).and_then(|open| {
        let mut text = String::new();
        open.take(RECORD_BYTES_MAX).read_to_string(&mut text).map(|_| text)
    });
    let text = match text {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return LastRuns::new(),
        Err(error) => {
            tracing::warn!(file = %file.display(), %error, "what ran last is unknown");
            return LastRuns::new();
        }
    };
    let content: Option<Json> = serde_json::from_str(&text).ok();
    let Some(content) = content.filter(|content| content["actors"].is_object()) else {
        let file = file.display();
        tracing::warn!(%file, "this is no record; what ran last is unknown");
        return LastRuns::new();
    };
    let part = |name: &str| content[name].as_object().into_iter().flatten();
    let mut runs = LastRuns::new();
    for (actor, key) in part("actors") {
        runs.entry(actor.clone()).or_default().key = key.as_str().map(str::to_owned);
    }
    // Records of earlier versions have no such part.
    for (actor, contracts) in part("selfBound") {
        let contracts = contracts.as_array().into_iter().flatten();
        let contracts = contracts.filter_map(|id| id.as_str().map(str::to_owned));
        runs.entry(actor.clone()).or_default().self_bound = contracts.collect();
    }
    runs
}

/// In one step, so that a host that is killed leaves the old record or the new one, and so does a
/// machine that loses its power.
fn write(file: &Path, manifest: &Path, runs: &LastRuns) -> std::io::Result<()> {
    let keys: BTreeMap<_, _> =
        runs.iter().filter_map(|(name, run)| Some((name, run.key.as_ref()?))).collect();
    let self_bound: BTreeMap<_, _> = (runs.iter())
        .filter(|(_, run)| !run.self_bound.is_empty())
        .map(|(name, run)| (name, &run.self_bound))
        .collect();
    let folder = file.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let content = json!({
        "schemaVersion": 1,
        "manifest": manifest.canonicalize()?.display().to_string(),
        "actors": keys,
        "selfBound": self_bound,
    });
    let mut new = tempfile::NamedTempFile::new_in(folder)?;
    writeln!(new, "{content}")?;
    new.as_file().sync_all()?;
    new.persist(file)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(actor: &str, key: Option<&str>, self_bound: &[&str]) -> LastRuns {
        let self_bound = self_bound.iter().map(|id| (*id).to_owned()).collect();
        LastRuns::from([(actor.to_owned(), LastRun { key: key.map(str::to_owned), self_bound })])
    }

    #[tokio::test]
    async fn nobody_waits_for_the_disk_and_the_next_start_knows_what_ran() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let manifest = folder.path().join("app.yaml");
        std::fs::write(&manifest, "").expect("a file");
        let state = || Some(folder.path().join("state"));

        let record = RunRecord::within(state(), &manifest);
        record.read();
        // Until it waits, this task is the only one that runs: nothing is written yet.
        record.keep(run("a", Some("MA"), &[]));
        record.keep(run("b", None, &["trellis:clock"]));
        record.keep(run("c", None, &[]));
        assert_eq!(record.known().len(), 2, "memory knows them at once, and nothing of the third");
        assert!(!folder.path().join("state").exists(), "the disk comes later");
        record.written().await;

        let next = RunRecord::within(state(), &manifest);
        next.read();
        assert_eq!(next.known(), record.known());
    }

    #[tokio::test]
    async fn a_key_outlives_a_version_that_keeps_no_data() {
        let record = RunRecord::within(None, Path::new("app.yaml"));
        record.keep(run("a", Some("MA"), &["trellis:clock"]));
        record.keep(run("a", None, &[]));
        assert_eq!(record.known(), run("a", Some("MA"), &[]));
    }
}
