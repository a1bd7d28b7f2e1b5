//! Which keys the actors of a manifest had when it last ran here.
//!
//! One small file for each manifest, in `$XDG_STATE_HOME/trellis/keys` or, without it, in
//! `~/.local/state/trellis/keys`. When it cannot be written, a changed key is noticed
//! while a host runs and not across its starts.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use serde_json::{Value as Json, json};
use trellis_supervisor::ActorKeys;

/// Largest record that is read, in bytes: a hundred for each of ten thousand actors, and more.
const RECORD_BYTES_MAX: u64 = 4 << 20;

/// The keys of a manifest's actors that keep data.
#[derive(Default)]
pub(crate) struct KeyRecord(Mutex<Option<ActorKeys>>);

impl KeyRecord {
    /// What is known; nothing before it was read.
    pub(crate) fn keys(&self) -> ActorKeys {
        self.0.lock().clone().unwrap_or_default()
    }

    /// Reads the file, the first time. Blocks.
    pub(crate) fn read(&self, manifest: &Path) {
        let mut known = self.0.lock();
        if known.is_none() {
            *known = Some(file_of(manifest).map(|file| read(&file)).unwrap_or_default());
        }
    }

    /// These actors run under these keys now. What is known of others stays: one that is taken out
    /// of the manifest and put back shall find its data. Blocks.
    pub(crate) fn keep(&self, manifest: &Path, keys: ActorKeys) {
        let mut known = self.0.lock();
        let mut all = known.clone().unwrap_or_default();
        all.extend(keys);
        if known.as_ref() == Some(&all) {
            return;
        }
        if let Some(file) = file_of(manifest)
            && let Err(error) = write(&file, manifest, &all)
        {
            let file = file.display();
            tracing::warn!(%file, %error, "the keys of the actors are not kept for the next start");
        }
        *known = Some(all);
    }
}

/// `None` when the user has no folder for it, or the manifest no path.
fn file_of(manifest: &Path) -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = set("XDG_STATE_HOME").or_else(|| Some(set("HOME")?.join(".local/state")))?;
    let path = manifest.canonicalize().ok()?;
    let digest = trellis_claims::hash::digest(path.as_os_str().as_encoded_bytes());
    let name = trellis_claims::hash::hex(&digest[..16]).to_lowercase();
    Some(base.join("trellis/keys").join(name).with_extension("json"))
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

/// In one step, so that a host that is killed leaves the old record or the new one.
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
    new.persist(file)?;
    Ok(())
}
