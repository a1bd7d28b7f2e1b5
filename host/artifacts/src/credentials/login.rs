//! A user of a registry.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// A user's name and password. Neither is ever shown.
pub struct Login {
    pub(super) username: String,
    pub(super) password: Zeroizing<String>,
}

impl Login {
    /// A user with a password.
    #[must_use]
    pub const fn new(username: String, password: Zeroizing<String>) -> Self {
        Self { username, password }
    }

    /// Both as HTTP and docker's file write them.
    pub(crate) fn encoded(&self) -> Zeroizing<String> {
        let both = Zeroizing::new(format!("{}:{}", self.username, *self.password));
        Zeroizing::new(STANDARD.encode(both.as_bytes()))
    }

    /// Reads what [`encoded`](Self::encoded) writes.
    pub(super) fn decoded(text: &str) -> Option<Self> {
        let both = Zeroizing::new(STANDARD.decode(text.trim()).ok()?);
        let both = std::str::from_utf8(&both).ok()?;
        let (username, password) = both.split_once(':')?;
        // Some programs pad it with zeros.
        let password = Zeroizing::new(password.trim_end_matches('\0').to_owned());
        Some(Self { username: username.to_owned(), password })
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Login(not shown)")
    }
}
