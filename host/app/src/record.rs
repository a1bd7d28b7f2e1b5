//! Which keys the actors of a manifest had when it last ran here.
//!
//! One small file for each manifest, in `$XDG_STATE_HOME/trellis/keys` or, without it, in
//! `~/.local/state/trellis/keys`. When it cannot be written, a changed key is noticed
//! while a host runs and not across its starts.
//!
//! A key is written when its actor runs under it, not before: one that never ran kept no data. What
//! is left is the time from then until the file is in its place, some milliseconds on a disk that
//! answers. A host that is killed in it forgets the key; one that stops waits for it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use serde_json::{Value as Json, json};
use tokio::sync::watch;
use tokio::task::{AbortHandle, spawn_blocking};
use trellis_supervisor::ActorKeys;

/// Largest record that is read, in bytes: a hundred for each of ten thousand actors, and more.
const RECORD_BYTES_MAX: u64 = 4 << 20;

/// The keys of a manifest's actors that keep data. Memory knows them at once; one task writes them
/// down, so that nobody else waits for the disk.
pub(crate) struct KeyRecord {
    manifest: PathBuf,
    /// `None` when the user has no folder for state.
    state: Option<PathBuf>,
    known: Mutex<Option<ActorKeys>>,
    /// What is to be written, until it is; what comes later takes its place.
    unwritten: Arc<watch::Sender<Option<ActorKeys>>>,
    writer: OnceLock<AbortHandle>,
}

impl KeyRecord {
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
    pub(crate) fn keys(&self) -> ActorKeys {
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

    /// These actors run under these keys now. What is known of others stays: one that is taken out
    /// of the manifest and put back shall find its data. Needs a Tokio runtime.
    pub(crate) fn keep(&self, keys: ActorKeys) {
        let mut known = self.known.lock();
        let mut all = known.clone().unwrap_or_default();
        all.extend(keys);
        if known.as_ref() == Some(&all) {
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

impl Drop for KeyRecord {
    fn drop(&mut self) {
        if let Some(writer) = self.writer.get() {
            writer.abort();
        }
    }
}

async fn write_all(
    state: Option<PathBuf>,
    manifest: PathBuf,
    unwritten: Arc<watch::Sender<Option<ActorKeys>>>,
) {
    let mut wanted = unwritten.subscribe();
    loop {
        let found = wanted.wait_for(Option::is_some).await.map(|keys| keys.clone());
        let Ok(Some(keys)) = found else { return };
        let (state, manifest, now) = (state.clone(), manifest.clone(), keys.clone());
        // What cannot be kept is told where it is written; a panic is logged where it happened.
        let _ = spawn_blocking(move || keep(state.as_deref(), &manifest, &now)).await;
        unwritten.send_if_modified(|latest| {
            let done = latest.as_ref() == Some(&keys);
            if done {
                *latest = None;
            }
            done
        });
    }
}

fn keep(state: Option<&Path>, manifest: &Path, keys: &ActorKeys) {
    if let Some(file) = state.and_then(|state| file_of(state, manifest))
        && let Err(error) = write(&file, manifest, keys)
    {
        let file = file.display();
        tracing::warn!(%file, %error, "the keys of the actors are not kept for the next start");
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

fn read(file: &Path) -> ActorKeys {
    let text = File::open(file).and_then(|open| {
        let mut text = String::new();
        open.take(RECORD_BYTES_MAX).read_to_string(&mut text).map(|_| text)
    });
    let text = match text {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return ActorKeys::new(),
        Err(error) => {
            tracing::warn!(file = %file.display(), %error, "the keys of the last run are unknown");
            return ActorKeys::new();
        }
    };
    let content: Option<Json> = serde_json::from_str(&text).ok();
    let actors = content.as_ref().and_then(|content| content["actors"].as_object());
    let Some(actors) = actors else {
        tracing::warn!(file = %file.display(), "this is no record; the keys of the last run are unknown");
        return ActorKeys::new();
    };
    let key = |(name, key): (&String, &Json)| Some((name.clone(), key.as_str()?.to_owned()));
    actors.iter().filter_map(key).collect::<BTreeMap<_, _>>()
}

/// In one step, so that a host that is killed leaves the old record or the new one, and so does a
/// machine that loses its power.
fn write(file: &Path, manifest: &Path, keys: &ActorKeys) -> std::io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let content = json!({
        "schemaVersion": 1,
        "manifest": manifest.canonicalize()?.display().to_string(),
        "actors": keys,
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

    fn keys(actor: &str) -> ActorKeys {
        ActorKeys::from([(actor.to_owned(), format!("M{actor}"))])
    }

    #[tokio::test]
    async fn nobody_waits_for_the_disk_and_the_next_start_knows_the_keys() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let manifest = folder.path().join("app.yaml");
        std::fs::write(&manifest, "").expect("a file");
        let state = || Some(folder.path().join("state"));

        let record = KeyRecord::within(state(), &manifest);
        record.read();
        // Until it waits, this task is the only one that runs: nothing is written yet.
        record.keep(keys("a"));
        record.keep(keys("b"));
        assert_eq!(record.keys().len(), 2, "memory knows them at once");
        assert!(!folder.path().join("state").exists(), "the disk comes later");
        record.written().await;

        let next = KeyRecord::within(state(), &manifest);
        next.read();
        assert_eq!(next.keys(), record.keys());
    }
}
