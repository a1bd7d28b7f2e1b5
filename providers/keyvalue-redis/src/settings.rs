//! What a manifest may say to this provider.

use std::time::Duration;

use trellis_core::{CallError, Code};
use trellis_providers_sdk::{Scope, Setting, SettingKind, Values};

/// Where Redis listens when nobody says otherwise.
const DEFAULT_URL: &str = "redis://127.0.0.1:6379";
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(2);

/// Every value, for the manifest check and the documentation.
pub(crate) const SETTINGS: &[Setting] = &[
    Setting {
        key: "URL",
        scope: Scope::Both,
        kind: SettingKind::Text,
        default: Some(DEFAULT_URL),
        doc: "The server: redis://[user:password@]host:port[/db], or unix:///path.",
    },
    Setting {
        key: "PREFIX",
        scope: Scope::Both,
        kind: SettingKind::Text,
        default: Some(""),
        doc: "Put before every key, so that actors can share a server without sharing keys.",
    },
    Setting {
        key: "TIMEOUT",
        scope: Scope::Both,
        kind: SettingKind::Duration,
        default: Some("2s"),
        doc: "Longest wait for the server, connecting included; a call's own deadline cuts sooner.",
    },
];

/// One binding's values, read.
pub(crate) struct Settings {
    pub(crate) url: String,
    pub(crate) prefix: String,
    pub(crate) timeout: Duration,
}

impl Settings {
    /// Reads the binding's values, over those of the provider.
    ///
    /// # Errors
    /// [`Code::Config`] naming the wrong value.
    pub(crate) fn read(binding: &Values, provider: &Values) -> Result<Self, CallError> {
        let values = binding.over(provider);
        let timeout = values.duration("TIMEOUT")?.unwrap_or(DEFAULT_TIMEOUT);
        if timeout.is_zero() {
            return Err(CallError::new(Code::Config, "TIMEOUT must be longer than 0"));
        }
        Ok(Self {
            url: values.get("URL").unwrap_or(DEFAULT_URL).to_owned(),
            prefix: values.get("PREFIX").unwrap_or_default().to_owned(),
            timeout,
        })
    }
}
