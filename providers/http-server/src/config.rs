//! The values of a binding: what they mean, their defaults, their bounds.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use trellis_providers_sdk::{Scope, Setting, SettingKind, ValueError, Values};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

/// Where a binding listens and what it answers to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Config {
    /// Address and port as asked for; port 0 takes a free one.
    pub(crate) address: SocketAddr,
    /// Normalized host patterns; empty means every host.
    pub(crate) hosts: Vec<Host>,
    /// Path prefix without a trailing slash; empty means every path.
    pub(crate) path: String,
    /// Methods let through; empty means every method.
    pub(crate) methods: Vec<http::Method>,
    /// Bounds of one request.
    pub(crate) request: RequestLimits,
    /// Bounds of the port, shared by every binding on it.
    pub(crate) port: PortLimits,
}

/// A host name a binding answers to, in lower case.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(crate) enum Host {
    /// Exactly this name.
    Exact(String),
    /// Every name that ends in this text, which starts with a dot.
    Below(String),
}

/// Bounds of one request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct RequestLimits {
    /// Largest request body, in bytes.
    pub(crate) body_bytes_max: u64,
    /// Largest message the actor takes, in bytes: header and body together.
    pub(crate) message_bytes_max: u64,
    /// Longest wait for the actor's answer.
    pub(crate) time_max: Duration,
}

impl RequestLimits {
    /// Whether the actor takes the largest body, with nothing around it.
    pub(crate) const fn admits_largest_body(&self) -> bool {
        self.body_bytes_max < self.message_bytes_max
    }
}

/// Bounds that hold before a request's route is known, so that they belong to the port.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct PortLimits {
    /// Most header fields of one request.
    pub(crate) header_count_max: usize,
    /// Longest request line and header together, in bytes.
    pub(crate) header_bytes_max: usize,
    /// Longest time from the first byte of a request to the end of its header.
    pub(crate) header_time_max: Duration,
    /// Slowest body or answer, in bytes per second, once the grace is over.
    pub(crate) transfer_rate_min: u64,
    /// How long a body or an answer may be slower than that.
    pub(crate) transfer_grace: Duration,
    /// Longest time a connection may wait for its next request.
    pub(crate) idle_time_max: Duration,
    /// Most open connections.
    pub(crate) connections_max: usize,
    /// The form of the access log.
    pub(crate) access_log: AccessForm,
    /// Whether the access log tells queries.
    pub(crate) access_log_query: bool,
}

/// How the access log tells of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum AccessForm {
    Off,
    Common,
    Json,
}

impl PortLimits {
    /// The first value in which two bindings of one port differ, by its key.
    pub(crate) fn difference(&self, other: &Self) -> Option<&'static str> {
        let pairs = [
            ("HEADER_COUNT_MAX", self.header_count_max == other.header_count_max),
            ("HEADER_BYTES_MAX", self.header_bytes_max == other.header_bytes_max),
            ("HEADER_TIME_MAX", self.header_time_max == other.header_time_max),
            ("TRANSFER_RATE_MIN", self.transfer_rate_min == other.transfer_rate_min),
            ("TRANSFER_GRACE", self.transfer_grace == other.transfer_grace),
            ("IDLE_TIME_MAX", self.idle_time_max == other.idle_time_max),
            ("CONNECTIONS_MAX", self.connections_max == other.connections_max),
            ("ACCESS_LOG", self.access_log == other.access_log),
            ("ACCESS_LOG_QUERY", self.access_log_query == other.access_log_query),
        ];
        pairs.into_iter().find(|(_, same)| !same).map(|(key, _)| key)
    }
}

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
    ),
    setting(
        "HOSTS",
        SettingKind::Text,
        None,
        "Host names to answer to, separated by commas; `*.example.com` is every name below; \
         without it, every host.",
    ),
    setting(
        "PATH",
        SettingKind::Text,
        Some("/"),
        "Path prefix to answer to, matched at segment boundaries; the longest prefix wins.",
    ),
    setting(
        "METHODS",
        SettingKind::Text,
        None,
        "Methods to let through, separated by commas; without it, every method but CONNECT.",
    ),
    setting(
        "BODY_BYTES_MAX",
        SettingKind::Size,
        Some("16MiB"),
        "Largest request body; a larger one is answered with 413, and so is one that does not fit \
         into the actor's `limits.payload_bytes` with its header.",
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

impl Config {
    /// Reads a binding's values, already laid over the provider's.
    ///
    /// # Errors
    /// Naming the first value that cannot be used.
    pub(crate) fn read(values: &Values) -> Result<Self, ValueError> {
        let ip = address(values.get("ADDRESS"))?;
        let port = bounded(values.integer("PORT")?, "PORT", 8080, 0..=65_535)?;
        let port = u16::try_from(port).unwrap_or(u16::MAX);
        Ok(Self {
            address: SocketAddr::new(ip, port),
            hosts: csv(values.get("HOSTS")).map(host).collect::<Result<_, _>>()?,
            path: path(values.get("PATH").unwrap_or("/"))?,
            methods: csv(values.get("METHODS")).map(method).collect::<Result<_, _>>()?,
            request: RequestLimits {
                body_bytes_max: values.size("BODY_BYTES_MAX")?.unwrap_or(16 * MIB),
                message_bytes_max: u64::from(u32::MAX),
                time_max: time(values, "REQUEST_TIME_MAX", 30)?,
            },
            port: PortLimits::read(values)?,
        })
    }

    /// The same for an actor that takes messages of so many bytes.
    pub(crate) fn for_messages_of(mut self, bytes: u32) -> Self {
        self.request.message_bytes_max = u64::from(bytes);
        self
    }

    /// The pairs of host pattern and path a binding claims.
    pub(crate) fn claims(&self) -> impl Iterator<Item = (Option<&Host>, &str)> {
        let every = self.hosts.is_empty().then_some(None);
        self.hosts.iter().map(Some).chain(every).map(|host| (host, self.path.as_str()))
    }

    /// The path prefix as people write it.
    pub(crate) fn shown_path(&self) -> &str {
        if self.path.is_empty() { "/" } else { &self.path }
    }
}

impl PortLimits {
    fn read(values: &Values) -> Result<Self, ValueError> {
        let count = values.integer("HEADER_COUNT_MAX")?;
        let bytes = values.size("HEADER_BYTES_MAX")?;
        let connections = values.integer("CONNECTIONS_MAX")?;
        Ok(Self {
            header_count_max: usize_of(bounded(count, "HEADER_COUNT_MAX", 100, 1..=1_000)?),
            header_bytes_max: usize_of(bounded(bytes, "HEADER_BYTES_MAX", 16 * KIB, KIB..=MIB)?),
            header_time_max: time(values, "HEADER_TIME_MAX", 5)?,
            transfer_rate_min: values.size("TRANSFER_RATE_MIN")?.unwrap_or(KIB),
            transfer_grace: time(values, "TRANSFER_GRACE", 5)?,
            idle_time_max: time(values, "IDLE_TIME_MAX", 60)?,
            connections_max: usize_of(bounded(
                connections,
                "CONNECTIONS_MAX",
                2_000,
                1..=1_000_000,
            )?),
            access_log: access_form(values.get("ACCESS_LOG"))?,
            access_log_query: values.boolean("ACCESS_LOG_QUERY")?.unwrap_or(false),
        })
    }
}

fn usize_of(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn bounded(
    given: Option<u64>,
    key: &'static str,
    default: u64,
    bounds: std::ops::RangeInclusive<u64>,
) -> Result<u64, ValueError> {
    let number = given.unwrap_or(default);
    if bounds.contains(&number) {
        return Ok(number);
    }
    let (min, max) = bounds.into_inner();
    Err(ValueError::new(key, format!("{key} must be from {min} to {max}")))
}

fn time(values: &Values, key: &'static str, default_s: u64) -> Result<Duration, ValueError> {
    let time = values.duration(key)?.unwrap_or(Duration::from_secs(default_s));
    if time.is_zero() || time > Duration::from_secs(24 * 3_600) {
        return Err(ValueError::new(key, format!("{key} must be longer than 0 and at most 24h")));
    }
    Ok(time)
}

fn access_form(text: Option<&str>) -> Result<AccessForm, ValueError> {
    match text {
        None | Some("off") => Ok(AccessForm::Off),
        Some("common") => Ok(AccessForm::Common),
        Some("json") => Ok(AccessForm::Json),
        Some(_) => {
            Err(ValueError::new("ACCESS_LOG", "ACCESS_LOG must be one of off, common, json"))
        }
    }
}

fn csv(text: Option<&str>) -> impl Iterator<Item = &str> {
    text.unwrap_or_default().split(',').map(str::trim).filter(|part| !part.is_empty())
}

fn address(text: Option<&str>) -> Result<IpAddr, ValueError> {
    match text.map(str::trim) {
        None | Some("") => Ok(Ipv4Addr::UNSPECIFIED.into()),
        Some("localhost") => Ok(Ipv4Addr::LOCALHOST.into()),
        Some(text) => text.parse().map_err(|_| {
            let error = ValueError::new("ADDRESS", "ADDRESS must be an IP address");
            if text.starts_with('[') {
                error.help("write an IPv6 address without brackets and port, such as `::1`")
            } else {
                error.help("write one such as `127.0.0.1` or `::1`, without a port")
            }
        }),
    }
}

fn host(text: &str) -> Result<Host, ValueError> {
    let name = text.strip_prefix("*.").unwrap_or(text);
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    let label = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    let numeric = name.parse::<std::net::Ipv6Addr>().is_ok();
    if !(numeric || name.split('.').all(label)) {
        let error = ValueError::new("HOSTS", "HOSTS holds a text that is no host name");
        let help = "write names such as `example.com` or `*.example.com`, without scheme and port";
        return Err(error.help(help));
    }
    Ok(if text.starts_with("*.") { Host::Below(format!(".{name}")) } else { Host::Exact(name) })
}

fn path(text: &str) -> Result<String, ValueError> {
    let path = text.strip_suffix('/').unwrap_or(text);
    let segments = path.strip_prefix('/').map(|rest| rest.split('/'));
    let clean = |segment: &str| {
        !matches!(segment, "" | "." | "..")
            && segment.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'?' | b'#'))
    };
    let fits = path.is_empty() || segments.is_some_and(|mut segments| segments.all(clean));
    if text.is_empty() || !fits {
        let help = "write it from the first slash on, with percent-encoding where needed";
        return Err(
            ValueError::new("PATH", "PATH must be a path prefix such as `/` or `/api`").help(help)
        );
    }
    Ok(path.to_owned())
}

fn method(text: &str) -> Result<http::Method, ValueError> {
    let method = http::Method::from_bytes(text.as_bytes()).ok();
    method.filter(|method| *method != http::Method::CONNECT).ok_or_else(|| {
        ValueError::new("METHODS", "METHODS holds a text that is no method an actor can serve")
            .help("write names such as `GET, POST`; CONNECT is never let through")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(pairs: &[(&str, &str)]) -> Values {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    fn refused(pairs: &[(&str, &str)]) -> String {
        let error = Config::read(&values(pairs)).expect_err("must be refused");
        assert!(pairs.iter().any(|(key, _)| *key == error.key), "{error:?}");
        error.message
    }

    #[test]
    fn defaults_are_the_ones_written_in_the_settings() {
        let written = SETTINGS
            .iter()
            .filter_map(|setting| {
                Some((setting.key.to_string(), setting.default.as_ref()?.to_string()))
            })
            .collect();
        let plain = Config::read(&Values::default()).expect("defaults");
        assert_eq!(Config::read(&written).expect("written defaults"), plain);
        assert_eq!(plain.address.to_string(), "0.0.0.0:8080");
        assert!(plain.hosts.is_empty() && plain.path.is_empty() && plain.methods.is_empty());
    }

    #[test]
    fn hosts_paths_and_methods_are_normalized() {
        let config = Config::read(&values(&[
            ("HOSTS", " Api.Example.com., *.Example.org ,::1"),
            ("PATH", "/v1/things/"),
            ("METHODS", "GET, PURGE"),
            ("ADDRESS", "localhost"),
        ]))
        .expect("well-formed");
        let hosts = [
            Host::Exact("api.example.com".into()),
            Host::Below(".example.org".into()),
            Host::Exact("::1".into()),
        ];
        assert_eq!(config.hosts, hosts);
        assert_eq!(config.path, "/v1/things");
        assert_eq!(config.methods.len(), 2);
        assert_eq!(config.address.to_string(), "127.0.0.1:8080");
    }

    #[test]
    fn wrong_values_are_refused_by_name() {
        for (key, text) in [
            ("PORT", "65536"),
            ("ADDRESS", "example.com"),
            ("HOSTS", "example.com:80"),
            ("HOSTS", "*.*.com"),
            ("HOSTS", "a..b"),
            ("PATH", "api"),
            ("PATH", ""),
            ("PATH", "/a//b"),
            ("PATH", "/a/../b"),
            ("PATH", "/a?b"),
            ("METHODS", "GE T"),
            ("METHODS", "CONNECT"),
            ("HEADER_BYTES_MAX", "10"),
            ("IDLE_TIME_MAX", "0s"),
            ("CONNECTIONS_MAX", "0"),
            ("BODY_BYTES_MAX", "many"),
            ("ACCESS_LOG", "combined"),
            ("ACCESS_LOG_QUERY", "yes"),
        ] {
            let message = refused(&[(key, text)]);
            assert!(message.starts_with(key), "{key}={text}: {message}");
        }
    }
}
