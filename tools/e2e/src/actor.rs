//! A signed module, as a scenario describes it.

use trellis_testkit::{Account, Site};

/// A module that is signed and put at `app/NAME.wasm`, beside the manifest.
#[derive(Clone)]
pub struct ActorFile {
    pub(crate) name: &'static str,
    folder: &'static str,
    module: Vec<u8>,
    caps: Vec<&'static str>,
    calls: Vec<&'static str>,
    call_alias: Option<&'static str>,
    expires_in_s: Option<i64>,
    begins_in_s: Option<i64>,
    key_of: &'static str,
    revision: Option<i32>,
    provider: bool,
    flaw: Option<Flaw>,
}

/// What is wrong with how a module is signed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flaw {
    /// It is not signed.
    Unsigned,
    /// An unknown issuer signed it.
    Stranger,
    /// A byte was changed after signing.
    Tampered,
}

/// A module that claims `wascc:http_server`, as most actors here do.
#[must_use]
pub fn actor(name: &'static str, module: impl Into<Vec<u8>>) -> ActorFile {
    ActorFile {
        name,
        folder: "app",
        module: module.into(),
        caps: vec!["wascc:http_server"],
        calls: Vec::new(),
        call_alias: None,
        expires_in_s: None,
        begins_in_s: None,
        key_of: name,
        revision: None,
        provider: false,
        flaw: None,
    }
}

/// A module that is a provider, and claims nothing else.
#[must_use]
pub fn provider(name: &'static str, module: impl Into<Vec<u8>>) -> ActorFile {
    ActorFile { caps: Vec::new(), provider: true, ..actor(name, module) }
}

impl ActorFile {
    /// Puts it in `dist/`, where this repository's manifests look for it.
    #[must_use]
    pub const fn in_dist(mut self) -> Self {
        self.folder = "dist";
        self
    }

    /// Adds a capability to its claims.
    #[must_use]
    pub fn cap(mut self, capability: &'static str) -> Self {
        self.caps.push(capability);
        self
    }

    /// Allows it to call this actor.
    #[must_use]
    pub fn calls(mut self, callee: &'static str) -> Self {
        self.calls.push(callee);
        self
    }

    /// Lets others call it by this name.
    #[must_use]
    pub const fn alias(mut self, alias: &'static str) -> Self {
        self.call_alias = Some(alias);
        self
    }

    /// Its claims expire this many seconds from now.
    #[must_use]
    pub const fn expires_in_s(mut self, seconds: i64) -> Self {
        self.expires_in_s = Some(seconds);
        self
    }

    /// Its claims begin this many seconds from now.
    #[must_use]
    pub const fn begins_in_s(mut self, seconds: i64) -> Self {
        self.begins_in_s = Some(seconds);
        self
    }

    /// Gives it the key of this name. With a name that is not its own, that is another developer's
    /// key.
    #[must_use]
    pub const fn key_of(mut self, name: &'static str) -> Self {
        self.key_of = name;
        self
    }

    /// Sets its revision.
    #[must_use]
    pub const fn revision(mut self, revision: i32) -> Self {
        self.revision = Some(revision);
        self
    }

    /// Signs it in a wrong way.
    #[must_use]
    pub const fn with(mut self, flaw: Flaw) -> Self {
        self.flaw = Some(flaw);
        self
    }

    /// Signs it and writes it to its place.
    pub(crate) fn put(&self, site: &Site) {
        site.put(&format!("{}/{}.wasm", self.folder, self.name), self.signed(site.account()));
    }

    fn signed(&self, account: &Account) -> Vec<u8> {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let mut draft = account.draft(self.key_of);
        draft.name = Some(self.name.to_owned());
        draft.revision = self.revision.or(draft.revision);
        draft.caps = owned(&self.caps);
        draft.calls = owned(&self.calls);
        draft.provider = self.provider;
        draft.call_alias = self.call_alias.map(str::to_owned);
        draft.expires = self.expires_in_s.map(from_now);
        draft.not_before = self.begins_in_s.map(from_now);
        match self.flaw {
            None => account.sign(&self.module, &draft),
            Some(Flaw::Unsigned) => self.module.clone(),
            Some(Flaw::Stranger) => Account::default().sign(&self.module, &draft),
            Some(Flaw::Tampered) => {
                let mut signed = account.sign(&self.module, &draft);
                // The last byte of the code: the token, in the section after it, does not change.
                let middle = self.module.len() - 1;
                signed[middle] ^= 1;
                signed
            }
        }
    }
}

fn from_now(seconds: i64) -> u64 {
    trellis_testkit::now_unix_s().saturating_add_signed(seconds)
}
