//! The folder of keys.

use std::path::{Path, PathBuf};

use trellis_claims::{KeyKind, KeyPair, PublicKey};

use crate::error::KeystoreError;
use crate::folder;
use crate::name::{self, KeyName};
use crate::seed::refuse_seed;
use crate::seed_file::{Access, Stored, read_seed_file, write_seed_file};

/// The environment variable that names the folder.
pub const DIR_VARIABLE: &str = "TRELLIS_KEYS";

/// A folder of keys.
#[derive(Clone, Debug)]
pub struct Keystore {
    dir: PathBuf,
}

/// One key file, not opened.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Entry {
    /// The key's name.
    pub name: KeyName,
    /// Its kind, as the file's name says.
    pub kind: KeyKind,
    /// The file.
    pub path: PathBuf,
}

/// A key that was read from its file.
#[derive(Debug)]
pub struct StoredKey {
    /// Where it was found, and its name.
    pub entry: Entry,
    /// The key itself.
    pub pair: KeyPair,
}

impl Keystore {
    /// The user's own keystore; nothing is created yet.
    ///
    /// # Errors
    /// [`KeystoreError::NoHome`] when the environment names no folder at all.
    pub fn open_default() -> Result<Self, KeystoreError> {
        let folder = |variable: &str| {
            std::env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from)
        };
        folder(DIR_VARIABLE)
            .or_else(|| folder("XDG_CONFIG_HOME").map(|base| base.join("trellis/keys")))
            .or_else(|| folder("HOME").map(|home| home.join(".config/trellis/keys")))
            .map(|dir| Self { dir })
            .ok_or(KeystoreError::NoHome)
    }

    /// The keystore in this folder; nothing is created yet.
    pub fn at(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// The folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Every key file, by name and kind, unopened. A folder that does not exist has none; files
    /// with other names are not keys.
    ///
    /// # Errors
    /// When the folder cannot be read or others may write to it.
    pub fn entries(&self) -> Result<Vec<Entry>, KeystoreError> {
        if !folder::is_safe(&self.dir)? {
            return Ok(Vec::new());
        }
        let unreadable = |source| KeystoreError::io("read", &self.dir, source);
        let mut entries = Vec::new();
        for found in std::fs::read_dir(&self.dir).map_err(unreadable)? {
            let file_name = found.map_err(unreadable)?.file_name();
            if let Some((name, kind)) = file_name.to_str().and_then(name::parse_file_name) {
                entries.push(self.entry(name, kind));
            }
        }
        entries.sort();
        Ok(entries)
    }

    /// Reads one key.
    ///
    /// # Errors
    /// When others may read the file, or it holds no seed of the kind its name says.
    pub fn open(&self, entry: Entry) -> Result<StoredKey, KeystoreError> {
        let pair = read_seed_file(&entry.path, Access::OwnerOnly)?;
        let found = pair.public().kind();
        if found != entry.kind {
            return Err(KeystoreError::KindOfFile { path: entry.path, found });
        }
        Ok(StoredKey { entry, pair })
    }

    /// The key of exactly this name and kind, when there is one.
    ///
    /// # Errors
    /// As [`Keystore::open`].
    pub fn get(&self, name: &KeyName, kind: KeyKind) -> Result<Option<StoredKey>, KeystoreError> {
        let entry = self.entry(name.clone(), kind);
        if !folder::is_safe(&self.dir)? || !entry.path.try_exists().unwrap_or(true) {
            return Ok(None);
        }
        self.open(entry).map(Some)
    }

    /// The key that `text` means: its name, its public key, or a prefix of either that only one key
    /// has. `kind` narrows the choice.
    ///
    /// # Errors
    /// [`KeystoreError::NotFound`], [`KeystoreError::Ambiguous`], [`KeystoreError::SeedGiven`], and
    /// as [`Keystore::open`].
    pub fn find(&self, text: &str, kind: Option<KeyKind>) -> Result<StoredKey, KeystoreError> {
        refuse_seed(text)?;
        let mut entries = self.entries()?;
        entries.retain(|entry| kind.is_none_or(|kind| kind == entry.kind));
        let (exact, rest): (Vec<_>, Vec<_>) =
            entries.into_iter().partition(|entry| entry.name.as_str() == text);
        if !exact.is_empty() {
            return self.only(text, exact);
        }
        let mut matching = Vec::new();
        let mut names = Vec::new();
        for entry in rest {
            let by_name = entry.name.as_str().starts_with(text);
            names.push(entry.name.to_string());
            // A key that cannot be read must not hide the others, unless it is the one meant.
            if by_name || self.public_key_starts_with(&entry, text) {
                matching.push(entry);
            }
        }
        if text.is_empty() || matching.is_empty() {
            return Err(KeystoreError::NotFound { text: text.to_owned(), kind, names });
        }
        self.only(text, matching)
    }

    /// The key of this name and kind, made and stored when there is none.
    ///
    /// # Errors
    /// As [`Keystore::open`] and [`Keystore::store`].
    pub fn get_or_create(
        &self,
        name: &KeyName,
        kind: KeyKind,
    ) -> Result<(StoredKey, Stored), KeystoreError> {
        if let Some(stored) = self.get(name, kind)? {
            return Ok((stored, Stored::Unchanged));
        }
        let pair = KeyPair::generate(kind);
        match self.store(name, &pair, false) {
            Ok((entry, stored)) => Ok((StoredKey { entry, pair }, stored)),
            // Another process was quicker: its key is the key.
            Err(KeystoreError::Exists { .. }) => {
                Ok((self.open(self.entry(name.clone(), kind))?, Stored::Unchanged))
            }
            Err(error) => Err(error),
        }
    }

    /// Stores a key under a name; `replace` lets it take another key's place.
    ///
    /// # Errors
    /// [`KeystoreError::Exists`] when another key has the name and `replace` is false; when the
    /// file or folder cannot be written.
    pub fn store(
        &self,
        name: &KeyName,
        pair: &KeyPair,
        replace: bool,
    ) -> Result<(Entry, Stored), KeystoreError> {
        let entry = self.entry(name.clone(), pair.public().kind());
        folder::create(&self.dir)?;
        let stored = write_seed_file(&entry.path, pair, replace)?;
        Ok((entry, stored))
    }

    /// The public key of the account that is named `default`: whom its user trusts when nothing
    /// else is said. Other accounts in the keystore are there to sign with, not to be trusted.
    ///
    /// # Errors
    /// As [`Keystore::open`].
    pub fn default_issuer(&self) -> Result<Option<PublicKey>, KeystoreError> {
        let name = KeyName::default();
        Ok(self.get(&name, KeyKind::Account)?.map(|stored| stored.pair.public().clone()))
    }

    fn entry(&self, name: KeyName, kind: KeyKind) -> Entry {
        let path = self.dir.join(name::file_name(&name, kind));
        Entry { name, kind, path }
    }

    fn only(&self, text: &str, mut matching: Vec<Entry>) -> Result<StoredKey, KeystoreError> {
        match matching.pop() {
            Some(entry) if matching.is_empty() => self.open(entry),
            last => {
                matching.extend(last);
                let candidates =
                    matching.iter().map(|entry| format!("{} ({})", entry.name, entry.kind));
                let candidates = candidates.collect();
                Err(KeystoreError::Ambiguous { text: text.to_owned(), candidates })
            }
        }
    }

    fn public_key_starts_with(&self, entry: &Entry, text: &str) -> bool {
        text.starts_with(entry.kind.letter())
            && self
                .open(entry.clone())
                .is_ok_and(|stored| stored.pair.public().as_str().starts_with(text))
    }
}
