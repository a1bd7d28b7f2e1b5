//! What a manifest may say to this provider.

use std::path::PathBuf;

use trellis_core::{CallError, Code};
use trellis_providers_sdk::{Scope, Setting, SettingKind, Values, values};

/// The `PATH` that means "in memory".
const IN_MEMORY: &str = ":memory:";

/// Every value, for the manifest check and the documentation.
pub(crate) const SETTINGS: &[Setting] = &[
    Setting {
        key: "PATH",
        scope: Scope::Provider,
        kind: SettingKind::Text,
        default: Some(IN_MEMORY),
        doc: "The file that keeps the keys; made with its folder when missing. `:memory:` keeps \
              them in memory, for as long as the provider runs.",
    },
    Setting {
        key: "DURABILITY",
        scope: Scope::Provider,
        kind: SettingKind::Choice(&["immediate", "eventual"]),
        default: Some("immediate"),
        doc: "Of a file: `immediate` answers a change when it is on the disk; `eventual` answers \
              before, and a crash may lose the last second.",
    },
    Setting {
        key: "CACHE",
        scope: Scope::Provider,
        kind: SettingKind::Size,
        default: Some("64MiB"),
        doc: "Of a file: memory for its pages.",
    },
    Setting {
        key: "MEMORY_MAX",
        scope: Scope::Provider,
        kind: SettingKind::Size,
        default: Some("256MiB"),
        doc: "In memory: most bytes of keys and values, with about 100 bytes for each key and 32 \
              for each item; changes that need more fail with E_STORAGE.",
    },
    Setting {
        key: "NAMESPACE",
        scope: Scope::Binding,
        kind: SettingKind::Text,
        default: None,
        doc: "Whose keys the actor sees: bindings with the same name share them. Default: the \
              actor's own key, so that no other actor sees them.",
    },
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
    /// Reads the values that stand under the provider.
    ///
    /// # Errors
    /// [`Code::Config`] naming the first wrong value.
    pub(crate) fn read(given: &Values) -> Result<Self, CallError> {
        if let Some((_, problem)) = values::problems(given, Scope::Provider, SETTINGS).pop() {
            return Err(CallError::new(Code::Config, problem));
        }
        let path = match given.get("PATH") {
            None | Some(IN_MEMORY) => None,
            Some("") => {
                let sentence = "PATH must name a file, or be `:memory:`";
                return Err(CallError::new(Code::Config, sentence));
            }
            Some(path) => Some(PathBuf::from(path)),
        };
        let cache_bytes = given.size("CACHE")?.unwrap_or(64 << 20);
        Ok(Self {
            path,
            immediate: given.get("DURABILITY") != Some("eventual"),
            cache_bytes: usize::try_from(cache_bytes).unwrap_or(usize::MAX),
            memory_bytes_max: given.size("MEMORY_MAX")?.unwrap_or(256 << 20),
        })
    }
}
