//! Why a key cannot be used, and what to do about it.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};

use trellis_claims::{ClaimsError, KeyKind};
use trellis_core::{CallError, Code};

/// Why the keystore refuses. No variant ever holds a seed.
#[derive(Debug, thiserror::Error)]
pub enum KeystoreError {
    /// The environment names no folder.
    #[error("no folder for keys: none of TRELLIS_KEYS, XDG_CONFIG_HOME and HOME is set")]
    NoHome,
    /// Others may read a key file.
    #[error("{} is readable by others (mode {mode:03o}), so its key is not used", path.display())]
    Exposed {
        /// The key file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Others may replace key files.
    #[error("{} is writable by others (mode {mode:03o}), so its keys are not used", path.display())]
    OpenFolder {
        /// The keystore's folder.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The text names no key.
    #[error("no {}key matches `{text}`", kind_word(*kind))]
    NotFound {
        /// What was asked for.
        text: String,
        /// The kind it had to have.
        kind: Option<KeyKind>,
        /// The names that exist.
        names: Vec<String>,
    },
    /// The text could name several keys.
    #[error("`{text}` could be any of these keys: {}", candidates.join(", "))]
    Ambiguous {
        /// What was asked for.
        text: String,
        /// Name and kind of each key it could be.
        candidates: Vec<String>,
    },
    /// A file with other content is there and was not to be replaced.
    #[error("{} exists and holds something else", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The text cannot be the name of a key.
    #[error("`{name}` cannot name a key: {reason}")]
    BadName {
        /// The text.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// There is no seed where one is expected.
    #[error("{origin} holds no nkey seed")]
    NotASeed {
        /// A file, or where else the text came from.
        origin: String,
        /// What is wrong with it.
        source: ClaimsError,
    },
    /// The file's name says another kind than its seed.
    #[error("{} holds a key of the kind {found}, but its name says otherwise", path.display())]
    KindOfFile {
        /// The key file.
        path: PathBuf,
        /// The kind of its seed.
        found: KeyKind,
    },
    /// A seed was given where others can see it.
    #[error("that is a seed; seeds are never taken from the command line or the environment")]
    SeedGiven,
    /// The operating system refuses.
    #[error("cannot {verb} {}", path.display())]
    Io {
        /// What was tried.
        verb: &'static str,
        /// Where.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

impl KeystoreError {
    pub(crate) fn io(verb: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { verb, path: path.to_owned(), source }
    }

    /// The stable code.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::NotFound { .. } => Code::NotFound,
            Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound => Code::NotFound,
            Self::BadName { .. } | Self::NotASeed { .. } | Self::KindOfFile { .. } => Code::Key,
            Self::Io { .. } => Code::Storage,
            Self::NoHome
            | Self::Exposed { .. }
            | Self::OpenFolder { .. }
            | Self::Ambiguous { .. }
            | Self::Exists { .. }
            | Self::SeedGiven => Code::Keystore,
        }
    }

    /// What the user can do about it, with the command where there is one.
    #[must_use]
    pub fn cure(&self) -> String {
        match self {
            Self::NoHome => "Set TRELLIS_KEYS to a folder of your own.".to_owned(),
            Self::Exposed { path, .. } => format!(
                "Run `chmod 600 {}`. If others could have read it, make a new key.",
                path.display()
            ),
            Self::OpenFolder { path, .. } => format!("Run `chmod 700 {}`.", path.display()),
            Self::NotFound { names, kind, .. } if names.is_empty() => {
                let kind = kind.map_or("account", KeyKind::as_str);
                format!("You have none yet. `trellis keys gen {kind} NAME` makes one.")
            }
            Self::NotFound { names, .. } => {
                format!("Your keys: {}. `trellis keys list` shows them.", names.join(", "))
            }
            Self::Ambiguous { .. } => {
                "Write more of the name, give the whole public key, or add `--kind`.".to_owned()
            }
            Self::Exists { .. } => {
                "Choose another name, or pass `--force` to replace it.".to_owned()
            }
            Self::BadName { .. } => "Use a short plain name, such as `default`.".to_owned(),
            Self::NotASeed { .. } => {
                "Give a file that holds one seed: 58 characters, the first of them S.".to_owned()
            }
            Self::KindOfFile { path, found } => {
                format!("Rename {} so that it ends in `_{found}.nk`.", path.display())
            }
            Self::SeedGiven => {
                "Treat it as exposed: it may be in your shell's history. Bring keys in with \
                 `trellis keys import NAME --from FILE`."
                    .to_owned()
            }
            Self::Io { .. } => "Check the path and its permissions.".to_owned(),
        }
    }
}

impl From<KeystoreError> for CallError {
    /// One text with the cause and the cure: the cure names the file, which a code's own cannot.
    fn from(error: KeystoreError) -> Self {
        let cause = match (&error, error.source()) {
            // Its code is that of the whole.
            (KeystoreError::NotASeed { source, .. }, _) => format!(" ({})", source.message()),
            (_, Some(source)) => format!(" ({source})"),
            (_, None) => String::new(),
        };
        Self::new(error.code(), format!("{error}{cause}. {}", error.cure()))
    }
}

fn kind_word(kind: Option<KeyKind>) -> String {
    kind.map_or_else(String::new, |kind| format!("{kind} "))
}
