//! What a manifest may say to this provider.

use std::borrow::Cow;
use std::path::PathBuf;

use trellis_providers_sdk::validate::misfits;
use trellis_providers_sdk::{Scope, Setting, SettingKind, ValueError, Values};

/// The `PATH` that means "in memory".
const IN_MEMORY: &str = ":memory:";

const NO_FILES: &[Cow<'static, str>] = &[Cow::Borrowed(IN_MEMORY)];
const DURABILITIES: &[Cow<'static, str>] = &[Cow::Borrowed("immediate"), Cow::Borrowed("eventual")];

/// Every value, for the manifest check and the documentation.
pub(crate) const SETTINGS: &[Setting] = &[
    Setting::new(
        "PATH",
        Scope::Provider,
        SettingKind::Path(Cow::Borrowed(NO_FILES)),
        Some(IN_MEMORY),
        "The file that keeps the keys; made with its folder when missing. `:memory:` keeps them \
         in memory, for as long as the provider runs.",
    )
    .exclusive(),
    Setting::new(
        "DURABILITY",
        Scope::Provider,
        SettingKind::Choice(Cow::Borrowed(DURABILITIES)),
        Some("immediate"),
        "Of a file: `immediate` answers a change when it is on the disk; `eventual` answers \
         before, and a crash may lose the last second.",
    ),
    Setting::new(
        "CACHE",
        Scope::Provider,
        SettingKind::Size,
        Some("64MiB"),
        "Of a file: memory for its pages.",
    ),
    Setting::new(
        "MEMORY_MAX",
        Scope::Provider,
        SettingKind::Size,
        Some("256MiB"),
        "In memory: most bytes of keys and values, with about 100 bytes for each key and 32 for \
         each item; changes that need more fail with E_STORAGE.",
    ),
    Setting::new(
        "NAMESPACE",
        Scope::Binding,
        SettingKind::Text,
        None,
        "Whose keys the actor sees: bindings with the same name share them. Default: the actor's \
         own key, so that no other actor sees them.",
    ),
];

/// The provider's values, read.
pub(crate) struct Settings {
    /// `None` = in memory.
    pub(crate) path: Option<PathBuf>,
    pub(crate) immediate: bool,
    pub(crate) cache_bytes: usize,
    pub(crate) memory_bytes_max: u64,
}

impl Settings {
    /// Reads the provider's values.
    ///
    /// # Errors
    /// Naming the first wrong value.
    pub(crate) fn read(given: &Values) -> Result<Self, ValueError> {
        let path = match given.get("PATH") {
            None | Some(IN_MEMORY) => None,
            Some(path) if path.is_empty() || path.ends_with('/') => {
                return Err(ValueError::new("PATH", "PATH must name a file, or be `:memory:`"));
            }
            Some(path) => Some(PathBuf::from(path)),
        };
        let memory_bytes_max = given.size("MEMORY_MAX")?.unwrap_or(256 << 20);
        if memory_bytes_max == 0 {
            return Err(ValueError::new("MEMORY_MAX", "MEMORY_MAX must be more than 0 bytes"));
        }
        let cache_bytes = given.size("CACHE")?.unwrap_or(64 << 20);
        Ok(Self {
            path,
            immediate: given.get("DURABILITY") != Some("eventual"),
            cache_bytes: usize::try_from(cache_bytes).unwrap_or(usize::MAX),
            memory_bytes_max,
        })
    }

    /// Reads values that no host has checked, so that a wrong key is found as well.
    ///
    /// # Errors
    /// Naming the first wrong value.
    pub(crate) fn read_unchecked(given: &Values) -> Result<Self, ValueError> {
        match misfits(given, Scope::Provider, SETTINGS).into_iter().next() {
            Some(misfit) => Err(misfit),
            None => Self::read(given),
        }
    }
}

/// Whose keys a binding sees: the name it gives, or else the actor's own.
///
/// # Errors
/// When the name is empty.
pub(crate) fn namespace(binding: &Values) -> Result<Option<&str>, ValueError> {
    match binding.get("NAMESPACE") {
        Some("") => Err(ValueError::new("NAMESPACE", "NAMESPACE must not be empty")
            .help("leave it out, and the actor has keys of its own")),
        named => Ok(named),
    }
}
