//! Configuration values, read the same way by every provider.

use std::collections::BTreeMap;
use std::time::Duration;

use trellis_core::units::{parse_duration, parse_size};
use trellis_core::{CallError, Code};

use crate::descriptor::{Scope, Setting, SettingKind};

/// The `values:` of a provider or a binding.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Values(BTreeMap<String, String>);

impl Values {
    /// The values as written in a manifest.
    #[must_use]
    pub const fn new(values: BTreeMap<String, String>) -> Self {
        Self(values)
    }

    /// The text under `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// Every key with its text, in the order of the keys.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// These values over `below`: what a binding leaves out comes from the provider.
    #[must_use]
    pub fn over(&self, below: &Self) -> Self {
        let mut merged = below.0.clone();
        merged.extend(self.0.clone());
        Self(merged)
    }

    /// A whole number.
    ///
    /// # Errors
    /// [`Code::Config`] naming the key when the text is not one.
    pub fn integer(&self, key: &str) -> Result<Option<u64>, CallError> {
        self.read(key, "a whole number", |text| text.parse().ok())
    }

    /// `true` or `false`.
    ///
    /// # Errors
    /// [`Code::Config`] naming the key when the text is neither.
    pub fn boolean(&self, key: &str) -> Result<Option<bool>, CallError> {
        self.read(key, "`true` or `false`", |text| text.parse().ok())
    }

    /// A span of time.
    ///
    /// # Errors
    /// [`Code::Config`] naming the key when the text is not one.
    pub fn duration(&self, key: &str) -> Result<Option<Duration>, CallError> {
        self.read(key, "a time such as `500ms` or `5s`", parse_duration)
    }

    /// A size in bytes.
    ///
    /// # Errors
    /// [`Code::Config`] naming the key when the text is not one.
    pub fn size(&self, key: &str) -> Result<Option<u64>, CallError> {
        self.read(key, "a size such as `64KiB` or `16MiB`", parse_size)
    }

    fn read<T>(
        &self,
        key: &str,
        form: &str,
        parse: fn(&str) -> Option<T>,
    ) -> Result<Option<T>, CallError> {
        let Some(text) = self.get(key) else { return Ok(None) };
        let value = parse(text)
            .ok_or_else(|| CallError::new(Code::Config, format!("{key} must be {form}")))?;
        Ok(Some(value))
    }
}

impl FromIterator<(String, String)> for Values {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(values: I) -> Self {
        Self(values.into_iter().collect())
    }
}

/// Everything wrong with `values` at `scope`, a sentence each; empty when all is well.
#[must_use]
pub fn problems(values: &Values, scope: Scope, settings: &[Setting]) -> Vec<(String, String)> {
    let stands_here = |setting: &&Setting| setting.scope == Scope::Both || setting.scope == scope;
    let mut found = Vec::new();
    for (key, text) in values.iter() {
        let known = settings.iter().filter(stands_here).find(|setting| setting.key == key);
        let Some(setting) = known else {
            let keys: Vec<_> = settings.iter().filter(stands_here).map(|s| s.key).collect();
            found.push((
                key.to_owned(),
                format!("unknown value `{key}`; known here: {}", keys.join(", ")),
            ));
            continue;
        };
        if let Some(wrong) = misfit(setting.kind, text) {
            // The text is not repeated: it may come from the environment and be a secret.
            found.push((key.to_owned(), format!("{key} must be {wrong}")));
        }
    }
    found
}

fn misfit(kind: SettingKind, text: &str) -> Option<String> {
    match kind {
        SettingKind::Text => None,
        SettingKind::Integer { min, max } => {
            let fits = text.parse::<u64>().is_ok_and(|number| (min..=max).contains(&number));
            (!fits).then(|| format!("a whole number from {min} to {max}"))
        }
        SettingKind::Boolean => {
            text.parse::<bool>().is_err().then(|| "`true` or `false`".to_owned())
        }
        SettingKind::Duration => {
            parse_duration(text).is_none().then(|| "a time such as `5s`".to_owned())
        }
        SettingKind::Size => {
            parse_size(text).is_none().then(|| "a size such as `16MiB`".to_owned())
        }
        SettingKind::Choice(words) => {
            (!words.contains(&text)).then(|| format!("one of {}", words.join(", ")))
        }
    }
}
