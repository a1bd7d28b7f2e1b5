//! Who a host is.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use trellis_claims::{Clock, PublicKey, Scope, TrustList};
use trellis_control::{HostEntry, Phase};
use trellis_manifest::Manifest;

use crate::users::{TextUsers, Users};

/// What sets a host apart from others.
pub(crate) struct Identity {
    key: PublicKey,
    started_unix_s: u64,
    known: Mutex<Known>,
    /// Others are its users, or they may do something else.
    users_changed: Notify,
}

/// What becomes known of it.
#[derive(Default)]
struct Known {
    name: String,
    labels: Vec<(String, String)>,
    users: Users,
    manifest: PathBuf,
    socket: Option<PathBuf>,
    admin: Option<SocketAddr>,
    /// It was told that tokens can be read on their way.
    was_warned: bool,
}

impl Known {
    /// Says once that tokens go over the network as they are.
    fn warn_of_plain_tokens(&mut self) {
        let open = self.admin.filter(|address| !address.ip().is_loopback());
        let Some(address) = open.filter(|_| !self.users.is_empty() && !self.was_warned) else {
            return;
        };
        self.was_warned = true;
        tracing::warn!(
            "bearer tokens go to {address} over plain HTTP, and who reads one may use it until it \
             ends: bind the admin address to loopback, and put TLS in front of it"
        );
    }
}

impl Identity {
    /// A host of that key, which starts now.
    pub(crate) fn new(key: PublicKey, clock: &dyn Clock) -> Self {
        let started_unix_s = clock.now_unix_s();
        let users_changed = Notify::new();
        Self { key, started_unix_s, known: Mutex::default(), users_changed }
    }

    /// Its key.
    pub(crate) const fn key(&self) -> &PublicKey {
        &self.key
    }

    /// The most that a user of its admin API may do; `None` for a key that is nobody's.
    pub(crate) fn allows(&self, user: &PublicKey) -> Option<Scope> {
        self.known.lock().users.scope_of(user)
    }

    /// Whom a text takes out is out from now on, whatever becomes of the rest of it; so is whose
    /// key is revoked. Others come with a manifest that [runs](Self::runs).
    pub(crate) fn keeps_only(&self, users: &TextUsers, trust: &TrustList) {
        let mut known = self.known.lock();
        known.users.narrowed_by(users);
        known.users.without_revoked(trust);
        drop(known);
        self.users_changed.notify_waiters();
    }

    /// It runs this manifest from now on, and trusts so.
    pub(crate) fn runs(&self, path: &Path, manifest: &Manifest, trust: &TrustList) {
        let label = |(key, value): &(_, _)| {
            let text = |it: &trellis_manifest::Spanned<String>| it.value.clone();
            (text(key), text(value))
        };
        let mut known = self.known.lock();
        known.name = name_of(path, manifest);
        known.labels = manifest.labels.iter().map(label).collect();
        known.users = Users::of(&manifest.host.admin_users);
        known.users.without_revoked(trust);
        // Who looks may be in another folder.
        known.manifest = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        known.warn_of_plain_tokens();
        drop(known);
        self.users_changed.notify_waiters();
    }

    /// Waits for a manifest that may name other users.
    pub(crate) fn users_changed(&self) -> Notified<'_> {
        self.users_changed.notified()
    }

    /// Its admin address.
    pub(crate) fn is_probed_at(&self, address: SocketAddr) {
        let mut known = self.known.lock();
        known.admin = Some(address);
        known.warn_of_plain_tokens();
    }

    /// Its admin socket.
    pub(crate) fn is_reached_at(&self, socket: PathBuf) {
        // Who looks may be in another folder.
        self.known.lock().socket = Some(std::path::absolute(&socket).unwrap_or(socket));
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
