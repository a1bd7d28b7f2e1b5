//! What a manifest may say to this provider.

use trellis_providers_sdk::{Scope, Setting, SettingKind, ValueError, Values};

/// Lines a second, unless the manifest says otherwise.
const LINES_PER_S: u32 = 100;
/// Lines at once, unless the manifest says otherwise.
const BURST_LINES: u32 = 1_000;

/// Every value, for the manifest check and the documentation.
pub(crate) const SETTINGS: &[Setting] = &[
    Setting::new(
        "LINES_PER_S",
        Scope::Both,
        SettingKind::Integer { min: 1, max: 1_000_000 },
        Some("100"),
        "Lines a second a binding may write, after its burst.",
    ),
    Setting::new(
        "BURST_LINES",
        Scope::Both,
        SettingKind::Integer { min: 1, max: 1_000_000 },
        Some("1000"),
        "Lines a binding may write at once.",
    ),
];

/// How fast one binding may write.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Rate {
    pub(crate) lines_per_s: u32,
    pub(crate) burst_lines: u32,
}

impl Rate {
    /// Reads a binding's values, already laid over those of the provider.
    ///
    /// # Errors
    /// Naming the wrong value.
    pub(crate) fn read(values: &Values) -> Result<Self, ValueError> {
        let number = |key, default| {
            let given = values.integer(key)?;
            Ok(given.map_or(default, |number| u32::try_from(number).unwrap_or(u32::MAX)))
        };
        Ok(Self {
            lines_per_s: number("LINES_PER_S", LINES_PER_S)?,
            burst_lines: number("BURST_LINES", BURST_LINES)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_those_that_the_settings_name() {
        let shown: Vec<_> = SETTINGS.iter().map(|setting| setting.default.as_deref()).collect();
        let used = [LINES_PER_S, BURST_LINES].map(|number| Some(number.to_string()));
        assert!(shown.into_iter().eq(used.iter().map(Option::as_deref)));
    }
}
