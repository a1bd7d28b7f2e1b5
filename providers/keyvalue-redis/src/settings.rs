//! What a manifest may say to this provider.

use std::time::Duration;

use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo};
use trellis_capabilities_keyvalue::Bounds;
use trellis_providers_sdk::{Keyspace, Scope, Setting, SettingKind, ValueError, Values};

/// Where Redis listens when nobody says otherwise.
const DEFAULT_URL: &str = "redis://127.0.0.1:6379";
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(2);

/// Every value, for the manifest check and the documentation.
pub(crate) const SETTINGS: &[Setting] = &[
    Setting::new(
        "URL",
        Scope::Both,
        SettingKind::Text,
        Some(DEFAULT_URL),
        "The server: redis://[user:password@]host:port[/db], or unix:///path.",
    ),
    Setting::new(
        "PREFIX",
        Scope::Both,
        SettingKind::Text,
        Some(""),
        "Put before every key, so that several hosts can share a server without sharing keys.",
    )
    .plain(),
    Setting::new(
        "TIMEOUT",
        Scope::Both,
        SettingKind::Duration,
        Some("2s"),
        "Longest wait for the server, connecting included; a call's own deadline cuts sooner.",
    ),
    Keyspace::NAMESPACE,
    Keyspace::SHARED,
    Setting::new(
        "OPERANDS_MAX",
        Scope::Both,
        SettingKind::Integer { min: 1, max: 4_096 },
        Some("1024"),
        "Most keys of one SetUnion or SetIntersection; more are refused with E_TOO_LARGE.",
    ),
    Setting::new(
        "ELEMENTS_MAX",
        Scope::Both,
        SettingKind::Integer { min: 1, max: 2_147_483_647 },
        Some("1000000"),
        "Most elements of a list or a set, and most that one operation looks at; more are refused \
         with E_TOO_LARGE.",
    ),
    Setting::new(
        "ANSWER_MAX",
        Scope::Both,
        SettingKind::Size,
        Some("16MiB"),
        "Largest answer of one operation; a larger one is refused with E_TOO_LARGE before it is \
         sent.",
    ),
];

/// One binding's values, read.
pub(crate) struct Settings {
    pub(crate) url: String,
    pub(crate) timeout: Duration,
    pub(crate) bounds: Bounds,
}

impl Settings {
    /// Reads a binding's values, already laid over those of the provider.
    ///
    /// # Errors
    /// Naming the wrong value.
    pub(crate) fn read(values: &Values) -> Result<Self, ValueError> {
        let timeout = values.duration("TIMEOUT")?.unwrap_or(DEFAULT_TIMEOUT);
        if timeout.is_zero() {
            return Err(ValueError::new("TIMEOUT", "TIMEOUT must be longer than 0"));
        }
        let url = values.get("URL").unwrap_or(DEFAULT_URL);
        address(url)?;
        Ok(Self { url: url.to_owned(), timeout, bounds: bounds(values)? })
    }
}

fn bounds(values: &Values) -> Result<Bounds, ValueError> {
    let number = |key, default| {
        let given = values.integer(key)?;
        Ok(given.map_or(default, |number| usize::try_from(number).unwrap_or(usize::MAX)))
    };
    let answer_bytes_max = values.size("ANSWER_MAX")?.unwrap_or(Bounds::ANSWER_BYTES_MAX);
    if answer_bytes_max == 0 {
        return Err(ValueError::new("ANSWER_MAX", "ANSWER_MAX must be more than 0 bytes"));
    }
    Ok(Bounds {
        operands_max: number("OPERANDS_MAX", Bounds::OPERANDS_MAX)?,
        elements_max: number("ELEMENTS_MAX", Bounds::ELEMENTS_MAX)?,
        answer_bytes_max,
    })
}

/// The server a URL means, and how to name it: by host and port alone, since a URL may hold a
/// password.
///
/// # Errors
/// When the URL is not one of a Redis server; the text does not repeat it.
pub(crate) fn address(url: &str) -> Result<(ConnectionInfo, String), ValueError> {
    // Looked at first: built without TLS, the library takes such a URL for a malformed one.
    let scheme = url.split(':').next().unwrap_or_default();
    if ["rediss", "valkeys"].iter().any(|secure| scheme.eq_ignore_ascii_case(secure)) {
        return Err(no_tls());
    }
    let info = url.into_connection_info().map_err(|_| wrong_url())?;
    let name = match info.addr() {
        ConnectionAddr::Tcp(host, port) => format!("{host}:{port}"),
        ConnectionAddr::Unix(path) => path.display().to_string(),
        _ => return Err(no_tls()),
    };
    Ok((info, name))
}

/// A URL that cannot be read.
pub(crate) fn wrong_url() -> ValueError {
    ValueError::new("URL", "URL is not the address of a Redis server")
        .help("write redis://[user:password@]host:port[/db]")
}

fn no_tls() -> ValueError {
    ValueError::new("URL", "URL asks for TLS (rediss://), which this provider does not speak")
        .help("use redis:// or unix://, or a proxy that speaks TLS to the server")
}
