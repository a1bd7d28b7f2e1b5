//! A provider's archive, as a scenario describes it.

use trellis_archive::Target;
use trellis_claims::token::Provider;
use trellis_testkit::{Account, Site};

use crate::actor::Flaw;

/// A program that is packed, signed and put at `app/NAME.par`, beside the manifest.
#[derive(Clone)]
pub struct ArchiveFile {
    pub(crate) name: &'static str,
    program: Vec<u8>,
    capability: &'static str,
    target: Target,
    revision: Option<i32>,
    expires_in_s: Option<i64>,
    flaw: Option<Flaw>,
}

/// The archive of a provider that serves this contract on this machine.
#[must_use]
pub fn archive(
    name: &'static str,
    program: impl Into<Vec<u8>>,
    capability: &'static str,
) -> ArchiveFile {
    ArchiveFile {
        name,
        program: program.into(),
        capability,
        target: Target::here(),
        revision: None,
        expires_in_s: None,
        flaw: None,
    }
}

impl ArchiveFile {
    /// Its program is for another platform.
    ///
    /// # Panics
    /// When the text names none.
    #[must_use]
    pub fn built_for(mut self, target: &str) -> Self {
        self.target = Target::parse(target).expect("a platform");
        self
    }

    /// Sets its revision.
    #[must_use]
    pub const fn revision(mut self, revision: i32) -> Self {
        self.revision = Some(revision);
        self
    }

    /// Its claims expire this many seconds from now.
    #[must_use]
    pub const fn expires_in_s(mut self, seconds: i64) -> Self {
        self.expires_in_s = Some(seconds);
        self
    }

    /// Makes it in a wrong way.
    #[must_use]
    pub const fn with(mut self, flaw: Flaw) -> Self {
        self.flaw = Some(flaw);
        self
    }

    /// Makes it and writes it to its place.
    pub(crate) fn put(&self, site: &Site) {
        site.put(&format!("app/{}.par", self.name), self.sealed(site.account()));
    }

    fn sealed(&self, account: &Account) -> Vec<u8> {
        let seal = |account: &Account| {
            let expires = self
                .expires_in_s
                .map(|seconds| trellis_testkit::now_unix_s().saturating_add_signed(seconds));
            let program = (self.target.clone(), self.program.clone());
            account.seal((self.name, self.claims()), program, expires)
        };
        match self.flaw {
            None => seal(account),
            // A program that nobody packed.
            Some(Flaw::Unsigned) => self.program.clone(),
            Some(Flaw::Stranger) => seal(&Account::default()),
            Some(Flaw::Tampered) => {
                let mut sealed = seal(account);
                // The sum at the end of what is compressed.
                let sum = sealed.len() - 8;
                sealed[sum] ^= 1;
                sealed
            }
        }
    }

    fn claims(&self) -> Provider {
        Provider {
            name: Some(self.name.to_owned()),
            contract: Some(self.capability.to_owned()),
            vendor: "Acme".to_owned(),
            revision: self.revision,
            version: None,
            target_hashes: [].into(),
            config_schema: None,
        }
    }
}
