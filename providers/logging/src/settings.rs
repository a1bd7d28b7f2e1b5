//! What a manifest may say to this provider.

use trellis_core::CallError;
use trellis_core::limits::ActorLimits;
use trellis_providers_sdk::{Scope, Setting, SettingKind, Values};

/// Every value, for the manifest check and the documentation.
pub(crate) const SETTINGS: &[Setting] = &[
    Setting {
        key: "LINES_PER_S",
        scope: Scope::Both,
        kind: SettingKind::Integer { min: 1, max: 1_000_000 },
        default: Some("100"),
        doc: "Lines a second a binding may write, after its burst.",
    },
    Setting {
        key: "BURST_LINES",
        scope: Scope::Both,
        kind: SettingKind::Integer { min: 1, max: 1_000_000 },
        default: Some("1000"),
        doc: "Lines a binding may write at once.",
    },
];

/// How fast one binding may write.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Rate {
    pub(crate) lines_per_s: u32,
    pub(crate) burst_lines: u32,
}

impl Rate {
    /// Reads the binding's values, over those of the provider.
    ///
    /// # Errors
    /// [`trellis_core::Code::Config`] naming the wrong value.
    pub(crate) fn read(binding: &Values, provider: &Values) -> Result<Self, CallError> {
        let values = binding.over(provider);
        let limits = ActorLimits::default();
        let number = |key, default| {
            let given = values.integer(key)?;
            Ok(given.map_or(default, |number| u32::try_from(number).unwrap_or(u32::MAX)))
        };
        Ok(Self {
            lines_per_s: number("LINES_PER_S", limits.log_lines_per_s)?,
            burst_lines: number("BURST_LINES", limits.log_burst_lines)?,
        })
    }
}
