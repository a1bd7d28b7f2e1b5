//! The key that a host is known by: the same after each start.
//!
//! Its seed is in `$XDG_STATE_HOME/trellis/hosts` or, without it, in
//! `~/.local/state/trellis/hosts`: one file for each manifest, for its user alone. Hosts that run
//! the same manifest are one to those who ask them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::timeout;
use trellis_claims::{KeyKind, KeyPair, PublicKey};
use trellis_keystore::{KeyName, Keystore};

use crate::state::{name_of, state_folder};

/// Longest wait for the disk.
const READING_TIME_MAX: Duration = Duration::from_secs(5);

/// The key of the host that runs a manifest; made when there is none. One that cannot be kept is
/// another one after each start, which is told: tokens for it end with the host.
pub(crate) async fn host_key(manifest: &Path) -> PublicKey {
    let (state, manifest) = (state_folder(), manifest.to_owned());
    let reading = spawn_blocking(move || kept(state, &manifest));
    let why = match timeout(READING_TIME_MAX, reading).await {
        Ok(Ok(Ok(key))) => return key,
        Ok(Ok(Err(why))) => why,
        // A panic is logged where it happened.
        Ok(Err(_)) => "reading it failed".to_owned(),
        Err(_) => format!("the disk does not answer within {} s", READING_TIME_MAX.as_secs()),
    };
    tracing::warn!("the host's key is not kept, so tokens for it end with this host: {why}");
    KeyPair::generate(KeyKind::Server).public().clone()
}

/// The key in the file of a manifest; one is made when there is none.
fn kept(state: Option<PathBuf>, manifest: &Path) -> Result<PublicKey, String> {
    let state = state.ok_or("neither XDG_STATE_HOME nor HOME is set")?;
    let name = name_of(manifest).ok_or("the manifest has no path")?;
    let keystore = Keystore::at(state.join("trellis/hosts"));
    let name = name.parse::<KeyName>();
    let found = name.and_then(|name| keystore.get_or_create(&name, KeyKind::Server));
    let (stored, _) = found.map_err(|error| match std::error::Error::source(&error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    })?;
    Ok(stored.pair.public().clone())
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_key_is_made_once_for_each_manifest_and_is_its_users_alone() {
        let state = tempfile::tempdir().expect("a temporary folder");
        let key = |manifest| kept(Some(state.path().to_owned()), Path::new(manifest));
        let first = key("a/shop.yaml").expect("it is made");
        assert_eq!(first.kind(), KeyKind::Server);
        assert_eq!(key("a/shop.yaml").expect("it is read"), first);
        assert_ne!(key("b/shop.yaml").expect("it is made"), first);
        // What others may know is nobody's identity.
        let files = fs::read_dir(state.path().join("trellis/hosts")).expect("it was made");
        for file in files {
            let file = file.expect("a file").path();
            fs::set_permissions(file, Permissions::from_mode(0o644)).expect("it is ours");
        }
        assert!(key("a/shop.yaml").is_err());
        assert!(kept(None, Path::new("a.yaml")).is_err());
    }
}
