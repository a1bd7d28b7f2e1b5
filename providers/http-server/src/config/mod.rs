//! The values of a binding: where it listens, what it answers to, what bounds it.

pub(crate) mod limits;
pub(crate) mod matching;
pub(crate) mod settings;

use std::net::SocketAddr;

use trellis_providers_sdk::{ValueError, Values};

use limits::{PortLimits, RequestLimits, bounded};
use matching::{Host, address, csv, host, method, path};

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
            request: RequestLimits::read(values)?,
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

#[cfg(test)]
mod tests {
    use super::settings::SETTINGS;
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
            ("METHODS", "get, PURGE"),
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
        let purge = http::Method::from_bytes(b"PURGE").expect("a token");
        assert_eq!(config.methods, [http::Method::GET, purge]);
        assert_eq!(config.address.to_string(), "127.0.0.1:8080");
    }

    #[test]
    fn the_largest_body_fits_into_the_memory_for_all() {
        let small = Config::read(&values(&[("BODIES_BYTES_MAX", "1MiB")])).expect("well-formed");
        assert_eq!(small.request.body_bytes_max, 1 << 20, "the default gives way");
        let both = [("BODIES_BYTES_MAX", "1GiB"), ("BODY_BYTES_MAX", "1GiB")];
        assert!(Config::read(&values(&both)).is_ok());
        let message = refused(&[("BODIES_BYTES_MAX", "1MiB"), ("BODY_BYTES_MAX", "2MiB")]);
        assert!(message.contains("BODIES_BYTES_MAX (1048576 bytes)"), "{message}");
    }

    #[test]
    fn a_mistyped_method_is_refused_with_the_nearest() {
        let help = |text: &str| {
            let error = Config::read(&values(&[("METHODS", text)])).expect_err(text);
            error.help.unwrap_or_else(|| panic!("{text}: {}", error.message))
        };
        for (text, near) in
            [("GTE", "GET"), ("Psot", "POST"), ("DELET", "DELETE"), ("HEADS", "HEAD")]
        {
            assert!(
                help(text).contains(&format!("did you mean `{near}`?")),
                "{text}: {}",
                help(text)
            );
        }
        assert!(help("purge").contains("upper case"), "{}", help("purge"));
        assert!(help("GE T").contains("GET, HEAD, POST"), "{}", help("GE T"));
        let standard = values(&[("METHODS", "Get, hEAD,post,Put,delete,options,trace,patch")]);
        assert_eq!(Config::read(&standard).expect("all are standard").methods.len(), 8);
        for other in ["PURGE", "PROPFIND", "LOCK", "MOVE", "REPORT", "SEARCH", "QUERY", "M-SEARCH"]
        {
            assert!(Config::read(&values(&[("METHODS", other)])).is_ok(), "{other}");
        }
    }

    #[test]
    fn what_is_wrong_is_shown_with_what_to_write() {
        for (key, text, part, cure) in [
            ("METHODS", "GET POST", "GET POST", "separate them by commas: `GET, POST`"),
            ("METHODS", "PUT, GET;HEAD", "GET;HEAD", "`GET, HEAD`"),
            ("METHODS", "GTE", "GTE", "did you mean `GET`?"),
            (
                "HOSTS",
                "a.test b.test",
                "a.test b.test",
                "separate them by commas: `a.test, b.test`",
            ),
            ("HOSTS", "x.test, a.test:80", "a.test:80", "without scheme and port"),
            ("ADDRESS", "example.com", "example.com", "without a port"),
            ("PATH", "/a/*", "/a/*", "a path serves everything below it"),
            ("PATH", "/a/*", "/a/*", "write `/a`"),
            ("PATH", "/*", "/*", "write `/`"),
            ("PATH", "*", "*", "write `/`"),
            ("PATH", "/a*", "/a*", "write `/`"),
            ("PATH", "/a/{id}/b", "/a/{id}/b", "write `/a`"),
            ("PATH", "api", "api", "from the first slash on"),
        ] {
            let error = Config::read(&values(&[(key, text)])).expect_err(text);
            let shown = error.shown.clone().unwrap_or_default();
            let how = if matches!(key, "ADDRESS" | "PATH") { ", not" } else { ":" };
            assert_eq!(shown, format!("{how} `{part}`"), "{key}={text}");
            let quoted = format!("`{text}`");
            assert!(!error.message.contains(&quoted), "the sentence alone tells no value");
            assert!(error.help.as_ref().is_some_and(|help| help.contains(cure)), "{error:?}");
        }
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
            ("METHODS", "connect"),
            ("METHODS", "GTE"),
            ("METHODS", "Delte"),
            ("METHODS", "purge"),
            ("HEADER_BYTES_MAX", "10"),
            ("IDLE_TIME_MAX", "0s"),
            ("CONNECTIONS_MAX", "0"),
            ("BODY_BYTES_MAX", "many"),
            ("BODY_BYTES_MAX", "257MiB"),
            ("BODIES_BYTES_MAX", "0"),
            ("ANSWERS_BYTES_MAX", "0"),
            ("ACCESS_LOG", "combined"),
            ("ACCESS_LOG_QUERY", "yes"),
        ] {
            let message = refused(&[(key, text)]);
            assert!(message.starts_with(key), "{key}={text}: {message}");
        }
    }
}
