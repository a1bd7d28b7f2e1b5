//! What a manifest may say to this provider.

use std::borrow::Cow;
use std::path::PathBuf;

use trellis_capabilities_keyvalue::Bounds;
use trellis_providers_sdk::validate::misfits;
use trellis_providers_sdk::{Keyspace, Scope, Setting, SettingKind, ValueError, Values};

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
    ),
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
        "Of a file: memory for its pages. The size with which it was opened holds until it is \
         closed; a change waits for that and is told in the log.",
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
        "FILE_MAX",
        Scope::Provider,
        SettingKind::Size,
        Some("16GiB"),
        "Of a file: most bytes of keys and values, with about 100 bytes for each key and 32 and \
         the key for each item; changes that need more fail with E_STORAGE. The file itself may \
         be several times as large.",
    ),
    Setting::new(
        "OPERANDS_MAX",
        Scope::Provider,
        SettingKind::Integer { min: 1, max: 1_000_000 },
        Some("1024"),
        "Most keys of one SetUnion or SetIntersection; more are refused with E_TOO_LARGE.",
    ),
    Setting::new(
        "ELEMENTS_MAX",
        Scope::Provider,
        SettingKind::Integer { min: 1, max: 2_147_483_647 },
        Some("1000000"),
        "Most elements of a list or a set, and most that one operation looks at; more are refused \
         with E_TOO_LARGE.",
    ),
    Setting::new(
        "ANSWER_MAX",
        Scope::Provider,
        SettingKind::Size,
        Some("16MiB"),
        "Largest answer of one operation; a larger one is refused with E_TOO_LARGE before it is \
         put together.",
    ),
    Keyspace::NAMESPACE,
    Keyspace::SHARED,
];

/// The provider's values, read.
pub(crate) struct Settings {
    /// `None` = in memory.
    pub(crate) path: Option<PathBuf>,
    pub(crate) immediate: bool,
    pub(crate) cache_bytes: usize,
    pub(crate) memory_bytes_max: u64,
    pub(crate) file_bytes_max: u64,
    pub(crate) bounds: Bounds,
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
            Some(path) if path.starts_with("~/") => {
                return Err(ValueError::new(
                    "PATH",
                    "PATH begins with `~`, which stands for itself here; write `${HOME}` instead",
                ));
            }
            Some(path) => Some(PathBuf::from(path)),
        };
        let cache_bytes = given.size("CACHE")?.unwrap_or(64 << 20);
        Ok(Self {
            path,
            immediate: given.get("DURABILITY") != Some("eventual"),
            cache_bytes: usize::try_from(cache_bytes).unwrap_or(usize::MAX),
            memory_bytes_max: some_bytes(given, "MEMORY_MAX", 256 << 20)?,
            file_bytes_max: some_bytes(given, "FILE_MAX", 16 << 30)?,
            bounds: Bounds {
                operands_max: number(given, "OPERANDS_MAX", Bounds::OPERANDS_MAX)?,
                elements_max: number(given, "ELEMENTS_MAX", Bounds::ELEMENTS_MAX)?,
                answer_bytes_max: some_bytes(given, "ANSWER_MAX", Bounds::ANSWER_BYTES_MAX)?,
            },
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

fn some_bytes(given: &Values, key: &'static str, default: u64) -> Result<u64, ValueError> {
    let bytes = given.size(key)?.unwrap_or(default);
    if bytes == 0 {
        return Err(ValueError::new(key, format!("{key} must be more than 0 bytes")));
    }
    Ok(bytes)
}

fn number(given: &Values, key: &'static str, default: usize) -> Result<usize, ValueError> {
    let number = given.integer(key)?.map(|number| usize::try_from(number).unwrap_or(usize::MAX));
    Ok(number.unwrap_or(default))
}
