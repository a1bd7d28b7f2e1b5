//! Every value a manifest may say, for its check and for the documentation.

use std::borrow::Cow;

use trellis_providers_sdk::{Scope, Setting, SettingKind};

/// Every value the provider understands.
pub(crate) const SETTINGS: &[Setting] = &[
    setting(
        "PORT",
        SettingKind::Integer { min: 0, max: 65_535 },
        Some("8080"),
        "TCP port; 0 takes a free one, which the host prints.",
    ),
    setting(
        "ADDRESS",
        SettingKind::Text,
        Some("0.0.0.0"),
        "IP address to listen on; 0.0.0.0 is every IPv4 interface, 127.0.0.1 this machine only.",
    )
    .plain(),
    setting(
        "HOSTS",
        SettingKind::Text,
        None,
        "Host names to answer to, separated by commas; `*.example.com` is every name below; \
         without it, every host.",
    )
    .plain(),
    setting(
        "PATH",
        SettingKind::Text,
        Some("/"),
        "Path prefix to answer to, matched at segment boundaries; the longest prefix wins. It serves \
         everything below it; there are no patterns (`*`).",
    )
    .plain(),
    setting(
        "METHODS",
        SettingKind::Text,
        None,
        "Methods to let through, separated by commas: standard ones in any case, others in upper \
         case. Without it, every method but CONNECT.",
    )
    .plain(),
    setting(
        "BODY_BYTES_MAX",
        SettingKind::Size,
        Some("16MiB"),
        "Largest request body; a larger one is answered with 413, and so is one that does not fit \
         into the actor's `limits.payload_bytes` with its header.",
    ),
    Setting::new(
        "BODIES_BYTES_MAX",
        Scope::Provider,
        SettingKind::Size,
        Some("256MiB"),
        "Most memory for the request bodies of all connections, from their first bytes to the end \
         of their calls, without the first 16KiB of each; a body that finds none is answered with \
         503. No BODY_BYTES_MAX may be above it.",
    ),
    Setting::new(
        "ANSWERS_BYTES_MAX",
        Scope::Provider,
        SettingKind::Size,
        Some("256MiB"),
        "Most memory for the answers of all connections, until their clients have taken them, \
         without the first 16KiB of each; an answer that finds none is dropped and its request \
         answered with 503.",
    ),
    setting(
        "REQUEST_TIME_MAX",
        SettingKind::Duration,
        Some("30s"),
        "Longest wait for the actor, from the end of the request; then 504.",
    ),
    setting(
        "HEADER_COUNT_MAX",
        SettingKind::Integer { min: 1, max: 1_000 },
        Some("100"),
        "Most header fields of a request; more are answered with 431. The same for a whole port.",
    ),
    setting(
        "HEADER_BYTES_MAX",
        SettingKind::Size,
        Some("16KiB"),
        "Longest request line and header, 1KiB to 1MiB; then 431. The same for a whole port.",
    ),
    setting(
        "HEADER_TIME_MAX",
        SettingKind::Duration,
        Some("5s"),
        "Longest time from a request's first byte to the end of its header; then 408. The same \
         for a whole port.",
    ),
    setting(
        "TRANSFER_RATE_MIN",
        SettingKind::Size,
        Some("1KiB"),
        "Slowest request body (then 408) or answer (then cut), in bytes per second over each \
         TRANSFER_GRACE; 0 allows any. The same for a whole port.",
    ),
    setting(
        "TRANSFER_GRACE",
        SettingKind::Duration,
        Some("5s"),
        "How long a body or an answer may stand still or be slower than TRANSFER_RATE_MIN. The \
         same for a whole port.",
    ),
    setting(
        "IDLE_TIME_MAX",
        SettingKind::Duration,
        Some("60s"),
        "Longest time a connection may wait for its next request. The same for a whole port.",
    ),
    setting(
        "QUEUE_TIME_MAX",
        SettingKind::Duration,
        Some("24h"),
        "Most work, in processor time, before a request on a thread of the server that has had no \
         rest for a quarter of a second; then 503. The same for a whole port.",
    ),
    setting(
        "CONNECTIONS_MAX",
        SettingKind::Integer { min: 1, max: 1_000_000 },
        Some("2000"),
        "Most open connections; more are answered with 503. The same for a whole port.",
    ),
    setting(
        "ACCESS_LOG",
        SettingKind::Choice(Cow::Borrowed(ACCESS_FORMS)),
        Some("off"),
        "A line on standard output for each request: `common` is the Common Log Format with actor, \
         seconds and trace id behind it, `json` an object. The same for a whole port.",
    ),
    setting(
        "ACCESS_LOG_QUERY",
        SettingKind::Boolean,
        Some("false"),
        "Whether the access log tells the query of a request, which may hold secrets. The same \
         for a whole port.",
    ),
];

/// The words of `ACCESS_LOG`.
const ACCESS_FORMS: &[Cow<'static, str>] =
    &[Cow::Borrowed("off"), Cow::Borrowed("common"), Cow::Borrowed("json")];

const fn setting(
    key: &'static str,
    kind: SettingKind,
    default: Option<&'static str>,
    doc: &'static str,
) -> Setting {
    Setting::new(key, Scope::Both, kind, default, doc)
}
