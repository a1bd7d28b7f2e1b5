//! A folder for a host.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use trellis_keystore::{KeyName, Keystore};

use crate::account::Account;
use crate::binary::host_binary;

/// A temporary folder with everything that a host needs, and nothing of the user's. Its keystore
/// holds a test account, so a manifest that names no issuers trusts what that account signed.
pub struct Site {
    folder: TempDir,
    account: Account,
}

impl Site {
    /// A site with an account and no files.
    ///
    /// # Panics
    /// When a temporary folder cannot be made.
    #[must_use]
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let account = Account::default();
        let keystore = Keystore::at(folder.path().join("keys"));
        keystore.store(&KeyName::default(), account.issuer(), false).expect("the keystore is new");
        Self { folder, account }
    }

    /// The account that its hosts trust, unless their manifest names others.
    #[must_use]
    pub const fn account(&self) -> &Account {
        &self.account
    }

    /// A path in the site.
    #[must_use]
    pub fn path(&self, relative: &str) -> PathBuf {
        self.folder.path().join(relative)
    }

    /// Writes a file in one step, as a deployment should, so no reader ever sees half of it.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn put(&self, relative: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(relative);
        let folder = path.parent().expect("it is in the site");
        std::fs::create_dir_all(folder).expect("the site is writable");
        let new = self.path("new");
        std::fs::write(&new, bytes).expect("the site is writable");
        std::fs::rename(&new, &path).expect("both are on one file system");
    }

    /// The command of a host that runs this manifest of the site, in the site's own environment.
    #[must_use]
    pub fn host(&self, manifest: &str) -> Command {
        let mut command = self.command(host_binary());
        command.arg("--manifest").arg(self.path(manifest));
        command.env("TRELLIS_CACHE_DIR", self.path("cache")).env("TRELLIS_LOG_FORMAT", "json");
        command.env("TRELLIS_ADMIN", "127.0.0.1:0").env("ISSUER", self.issuer());
        command
    }

    /// The `trellis` command of the site's user, in the site's own environment. It finds the hosts
    /// of the site, and no others.
    #[must_use]
    pub fn trellis(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(&host_binary().with_file_name("trellis"));
        command.args(arguments);
        command
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.folder.path()).env_clear();
        for name in ["PATH", "LD_LIBRARY_PATH"] {
            command.envs(std::env::var_os(name).map(|value| (name, value)));
        }
        command.env("HOME", self.folder.path()).env("TRELLIS_KEYS", self.path("keys"));
        command.env("XDG_RUNTIME_DIR", self.folder.path());
        // Other hosts of the user who runs the tests are none of its business.
        command.env("TRELLIS_RUNTIME_DIR", self.path("trellis"));
        command
    }

    /// The public key of the account.
    #[must_use]
    pub fn issuer(&self) -> &str {
        self.account.issuer().public().as_str()
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

impl Default for Site {
    fn default() -> Self {
        Self::new()
    }
}
