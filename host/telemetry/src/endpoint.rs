//! Where something is sent.

use std::fmt;

use reqwest::Url;

/// The address of a receiver. Shown without what may be secret in it: a user and a query.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Endpoint(Url);

impl Endpoint {
    /// Reads an address as it is written.
    ///
    /// # Errors
    /// What it should be instead; the text itself may hold a password.
    pub(crate) fn read(text: &str) -> Result<Self, &'static str> {
        const FORM: &str = "an address such as `http://127.0.0.1:4318`";
        let url = Url::parse(text.trim()).map_err(|_| FORM)?;
        match url.scheme() {
            "http" | "https" if url.has_host() => Ok(Self(url)),
            _ => Err(FORM),
        }
    }

    /// The address below it at which a signal is received.
    pub(crate) fn of_signal(&self, signal: &str) -> Self {
        let mut url = self.0.clone();
        let base = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{base}/v1/{signal}"));
        Self(url)
    }

    pub(crate) const fn url(&self) -> &Url {
        &self.0
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = self.0.clone();
        // Neither fails for an address with a host.
        let _ = shown.set_username("");
        let _ = shown.set_password(None);
        shown.set_query(None);
        shown.set_fragment(None);
        f.write_str(shown.as_str())
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_are_received_below_the_address() {
        for (text, signal) in [
            ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
            ("https://otlp.example/base/", "https://otlp.example/base/v1/traces"),
        ] {
            let endpoint = Endpoint::read(text).expect("an address").of_signal("traces");
            assert_eq!(endpoint.to_string(), signal);
        }
    }

    #[test]
    fn what_is_secret_in_an_address_is_used_and_not_shown() {
        let text = "https://ada:canary@otlp.example/v1?key=canary#canary";
        let endpoint = Endpoint::read(text).expect("an address");
        for shown in [endpoint.to_string(), format!("{endpoint:?}")] {
            assert!(!shown.contains("canary") && !shown.contains("ada"), "{shown}");
        }
        assert!(endpoint.url().as_str().contains("ada:canary@"));
    }

    #[test]
    fn anything_else_is_no_address() {
        for text in ["", "127.0.0.1:4318", "localhost:4318", "unix:///x", "http://", "grpc://a:1"] {
            assert!(Endpoint::read(text).is_err(), "{text}");
        }
    }
}
