//! The state of a host.

use std::fmt;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use trellis_core::Code;
use trellis_core::date::span;

use crate::lifecycle::Component;
use crate::name::Name;
use crate::told::for_everybody;

/// What runs, and what is not as it should be.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct Status {
    /// The names of the running actors.
    pub actors: Vec<Name>,
    /// The running providers.
    pub providers: Vec<ProviderStatus>,
    /// Every address where an actor takes work from outside.
    pub addresses: Vec<Address>,
    /// When the claims of running actors end, of those whose claims do.
    pub expiries: Vec<Expiry>,
    /// Where each actor and provider is in its life, those included that are wanted and do not run.
    #[serde(default)]
    pub components: Vec<Component>,
    /// What is wanted and not so, or so and not well; empty when all is well.
    pub degraded: Vec<Degraded>,
}

/// One running provider.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ProviderStatus {
    /// Its name in the manifest.
    pub name: String,
    /// What it is, such as `keyvalue-redis`.
    pub implementation: String,
}

/// Where an actor takes work from outside.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Address {
    /// What to open, such as `http://127.0.0.1:8081/api`.
    pub url: String,
    /// The socket address behind it; an unspecified one takes requests from every network.
    pub socket: SocketAddr,
    /// The actor's name in the manifest.
    pub actor: Name,
}

/// When an actor's claims end.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Expiry {
    /// The actor's name in the manifest.
    pub actor: Name,
    /// In seconds since 1970.
    pub unix_s: u64,
}

/// One thing that is not as it should be.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Degraded {
    /// What, such as `actor counter` or `binding of counter to wascc:keyvalue`.
    pub what: String,
    /// The stable code of the reason.
    #[serde(with = "crate::code")]
    pub code: Code,
    /// Why, as a sentence.
    pub why: String,
    /// Since when, in seconds since 1970.
    pub since_unix_s: u64,
    /// When it is tried again, in seconds since 1970; `None` when only another manifest, or the
    /// thing itself, can change it.
    pub retry_unix_s: Option<u64>,
}

impl Degraded {
    /// The same in one line, and without the user and the password of a URL: whoever reaches the
    /// admin address reads it.
    #[must_use]
    pub fn told(&self) -> Self {
        Self { why: for_everybody(&self.why), ..self.clone() }
    }

    /// How long it lasts and when it is tried again, for people.
    #[must_use]
    pub fn timing(&self, now_unix_s: u64) -> String {
        let since = span(now_unix_s.saturating_sub(self.since_unix_s));
        match self.retry_unix_s {
            Some(at) => {
                let wait = span(at.saturating_sub(now_unix_s));
                format!("for {since}; next try in {wait}")
            }
            None => format!("for {since}"),
        }
    }
}

impl fmt::Display for Degraded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} [{}]", self.what, self.why, self.code.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_secret_is_told() {
        for (why, told) in [
            ("down:\n  redis://:secret@db:6379/0 refused", "down: redis://***@db:6379/0 refused"),
            ("(redis://me:p@ss@db)", "(redis://***@db)"),
            ("http://a.example/x?y=@z", "http://a.example/x?y=@z"),
            ("no answer within 2000 ms", "no answer within 2000 ms"),
        ] {
            let (what, why) = ("provider store".to_owned(), why.to_owned());
            let degraded =
                Degraded { what, code: Code::Provider, why, since_unix_s: 0, retry_unix_s: None };
            assert_eq!(degraded.told().why, told);
        }
    }

    #[test]
    fn a_status_survives_json_with_codes_as_users_know_them() {
        let degraded = Degraded {
            what: "binding of late to wascc:http_server".into(),
            code: Code::Address,
            why: "127.0.0.1:80 is taken".into(),
            since_unix_s: 100,
            retry_unix_s: Some(104),
        };
        assert_eq!(degraded.timing(102), "for 2 s; next try in 2 s");
        assert_eq!(degraded.timing(300_000), "for 3 days; next try in 0 s");
        assert!(degraded.to_string().ends_with("is taken [E_ADDRESS]"), "{degraded}");
        let status = Status { degraded: vec![degraded], ..Status::default() };
        let json = serde_json::to_string(&status).expect("it is data");
        assert!(json.contains(r#""code":"E_ADDRESS""#), "{json}");
        assert_eq!(serde_json::from_str::<Status>(&json).expect("it reads back"), status);
        let unknown = json.replace("E_ADDRESS", "E_NOTHING");
        assert!(serde_json::from_str::<Status>(&unknown).is_err());
    }
}
