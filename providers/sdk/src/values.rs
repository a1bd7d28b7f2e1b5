//! Configuration values, read the same way by every provider.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use trellis_core::units::{parse_duration, parse_size};
use trellis_core::{CallError, Code};

/// The `values:` of a provider or a binding. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[serde(from = "BTreeMap<String, String>", into = "BTreeMap<String, String>")]
pub struct Values(Arc<BTreeMap<String, String>>);

/// A value that cannot be used: which one, why, and what to do.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ValueError {
    /// The key.
    pub key: Cow<'static, str>,
    /// A sentence that names the key. It repeats no text that may be a secret.
    pub message: String,
    /// What to do about it, when the sentence alone does not say.
    pub help: Option<String>,
    /// How the sentence goes on where the value may be repeated: when it stands in the manifest as
    /// it is, and not in the environment. None for a value that may be a secret even there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shown: Option<String>,
}

impl ValueError {
    /// A wrong value of `key`, with a sentence that names it.
    pub fn new(key: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self { key: key.into(), message: message.into(), help: None, shown: None }
    }

    /// The same for a value that is no secret, of which `part` is wrong.
    #[must_use]
    pub fn shows(self, part: &str) -> Self {
        let shown = Some(format!(": {}", quoted(part)));
        Self { shown, ..self }
    }

    /// The same for a value that is no secret; the sentence says what it must be.
    #[must_use]
    pub fn in_place_of(self, value: &str) -> Self {
        let shown = Some(format!(", not {}", quoted(value)));
        Self { shown, ..self }
    }

    /// The same with a way out.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// The beginning of a text between backticks, without control characters.
fn quoted(text: &str) -> String {
    const SHOWN_MAX: usize = 60;
    let more = if text.chars().nth(SHOWN_MAX).is_some() { "..." } else { "" };
    let text: String = text.chars().filter(|c| !c.is_control()).take(SHOWN_MAX).collect();
    format!("`{text}{more}`")
}

impl From<ValueError> for CallError {
    fn from(error: ValueError) -> Self {
        let ValueError { message, help, .. } = error;
        let sentence = match help {
            Some(help) => format!("{message}; {help}"),
            None => message,
        };
        Self::new(Code::Config, sentence)
    }
}

impl Values {
    /// The values as written in a manifest.
    #[must_use]
    pub fn new(values: BTreeMap<String, String>) -> Self {
        Self(Arc::new(values))
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
        if self.0.is_empty() {
            return below.clone();
        }
        if below.0.is_empty() {
            return self.clone();
        }
        let mut merged = BTreeMap::clone(&below.0);
        merged.extend(self.iter().map(|(key, text)| (key.to_owned(), text.to_owned())));
        Self::new(merged)
    }

    /// These values with another text under `key`.
    #[must_use]
    pub fn with(mut self, key: impl Into<String>, text: impl Into<String>) -> Self {
        Arc::make_mut(&mut self.0).insert(key.into(), text.into());
        self
    }

    /// These values without `key`.
    #[must_use]
    pub fn without(mut self, key: &str) -> Self {
        if self.0.contains_key(key) {
            Arc::make_mut(&mut self.0).remove(key);
        }
        self
    }

    /// A whole number.
    ///
    /// # Errors
    /// Naming the key when the text is not one.
    pub fn integer(&self, key: &'static str) -> Result<Option<u64>, ValueError> {
        self.read(key, "a whole number", |text| text.parse().ok())
    }

    /// `true` or `false`.
    ///
    /// # Errors
    /// Naming the key when the text is neither.
    pub fn boolean(&self, key: &'static str) -> Result<Option<bool>, ValueError> {
        self.read(key, "`true` or `false`", |text| text.parse().ok())
    }

    /// A span of time.
    ///
    /// # Errors
    /// Naming the key when the text is not one.
    pub fn duration(&self, key: &'static str) -> Result<Option<Duration>, ValueError> {
        self.read(key, "a time such as `500ms` or `5s`", parse_duration)
    }

    /// A size in bytes.
    ///
    /// # Errors
    /// Naming the key when the text is not one.
    pub fn size(&self, key: &'static str) -> Result<Option<u64>, ValueError> {
        self.read(key, "a size such as `64KiB` or `16MiB`", parse_size)
    }

    fn read<T>(
        &self,
        key: &'static str,
        form: &str,
        parse: fn(&str) -> Option<T>,
    ) -> Result<Option<T>, ValueError> {
        let Some(text) = self.get(key) else { return Ok(None) };
        // The text is not repeated: it may come from the environment and be a secret.
        let value =
            parse(text).ok_or_else(|| ValueError::new(key, format!("{key} must be {form}")))?;
        Ok(Some(value))
    }
}

impl FromIterator<(String, String)> for Values {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(values: I) -> Self {
        Self::new(values.into_iter().collect())
    }
}

impl From<BTreeMap<String, String>> for Values {
    fn from(values: BTreeMap<String, String>) -> Self {
        Self::new(values)
    }
}

impl From<Values> for BTreeMap<String, String> {
    fn from(values: Values) -> Self {
        Arc::unwrap_or_clone(values.0)
    }
}
