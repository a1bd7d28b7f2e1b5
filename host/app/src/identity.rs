//! Who a host is.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use trellis_claims::{Clock, KeyKind, KeyPair, PublicKey};
use trellis_control::{HostEntry, Phase};
use trellis_manifest::Manifest;

/// What sets a host apart from others.
pub(crate) struct Identity {
    key: PublicKey,
    started_unix_s: u64,
    known: Mutex<Known>,
}

/// What becomes known of it.
#[derive(Default)]
struct Known {
    name: String,
    labels: Vec<(String, String)>,
    manifest: PathBuf,
    socket: Option<PathBuf>,
    admin: Option<SocketAddr>,
}

impl Identity {
    /// A host that starts now, with a key of its own.
    pub(crate) fn new(clock: &dyn Clock) -> Self {
        let key = KeyPair::generate(KeyKind::Server).public().clone();
        Self { key, started_unix_s: clock.now_unix_s(), known: Mutex::default() }
    }

    /// It runs this manifest from now on.
    pub(crate) fn runs(&self, path: &Path, manifest: &Manifest) {
        let label = |(key, value): &(_, _)| {
            let text = |it: &trellis_manifest::Spanned<String>| it.value.clone();
            (text(key), text(value))
        };
        let mut known = self.known.lock();
        known.name = name_of(path, manifest);
        known.labels = manifest.labels.iter().map(label).collect();
        // Who looks may be in another folder.
        known.manifest = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    }

    /// Its admin address.
    pub(crate) fn is_probed_at(&self, address: SocketAddr) {
        self.known.lock().admin = Some(address);
    }

    /// Its admin socket.
    pub(crate) fn is_reached_at(&self, socket: PathBuf) {
        self.known.lock().socket = Some(socket);
    }

    /// All that is known of it.
    pub(crate) fn entry(&self, phase: Phase) -> HostEntry {
        let known = self.known.lock();
        HostEntry {
            name: known.name.clone(),
            key: self.key.to_string(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            phase,
            started_unix_s: self.started_unix_s,
            manifest: known.manifest.display().to_string(),
            labels: known.labels.iter().cloned().collect(),
            socket: known.socket.as_ref().map(|path| path.display().to_string()),
            admin: known.admin,
        }
    }
}

/// What a host is called: what its manifest says, else what the file of that is called.
pub(crate) fn name_of(path: &Path, manifest: &Manifest) -> String {
    if let Some(name) = &manifest.name {
        return name.value.clone();
    }
    path.file_stem().map_or_else(|| "host".to_owned(), |stem| stem.to_string_lossy().into_owned())
}
