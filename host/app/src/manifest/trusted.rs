//! Whom the texts of a manifest trust and revoke, one after the other.

use std::sync::Arc;

use trellis_claims::TrustList;
use trellis_manifest::{Format, Manifest, ReadableTrust, SourceText, Wrong, readable_trust};
use trellis_providers_sdk::ProviderFactory;

use super::{Loader, Meant, Written, environment, wrong};
use crate::aside::aside;
use crate::failure::Failure;
use crate::readiness::Lasting;
use crate::trust::{self, Held};

impl Loader {
    /// Whom the last text that could be used trusts.
    pub(crate) fn trusted(&self) -> TrustList {
        self.trust.lock().clone()
    }

    /// Whom to hold against what runs before the keystore is asked; `None` when it need not be, or
    /// nothing can be read.
    pub(crate) async fn revocations(self: &Arc<Self>) -> Option<TrustList> {
        let loader = Arc::clone(self);
        let read = move || {
            let bytes = loader.bytes().ok()?;
            let name = loader.path.display().to_string();
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let source = SourceText::new(name, text, Format::of_path(&loader.path));
            let readable = readable_trust(&source, &environment);
            let asks = readable.issuers.is_empty() && !readable.revoked.is_empty();
            asks.then(|| loader.revoke(&readable).list)
        };
        aside(&self.turn, read).await.ok()?
    }

    pub(super) fn right(
        &self,
        source: SourceText,
        manifest: Arc<Manifest>,
    ) -> Result<Written, Failure> {
        let spec = &manifest.trust;
        let unsigned = self.allow_unsigned || spec.unsigned;
        if unsigned {
            tracing::warn!("unsigned modules are admitted; for development only");
        }
        let caps = unsigned.then(|| self.builtin_capabilities());
        // Before the lock: a keystore that hangs must not hold back what needs no keystore.
        let own = if spec.issuers.is_empty() {
            self.own.read()
        } else {
            self.own.ignore();
            Ok(None)
        };
        let own = match own {
            Ok(own) => own,
            Err(failure) => {
                let readable =
                    ReadableTrust { revoked: spec.revoked.clone(), ..ReadableTrust::default() };
                let trust = self.revoke(&readable).list;
                return Ok(Written { manifest: Err(failure), trust, rest: None });
            }
        };
        let mut known = self.trust.lock();
        let trust::Read { list, problems } = trust::of_right(spec, own.as_ref(), caps, &known)?;
        known.clone_from(&list);
        drop(known);
        *self.held.lock() = Held::of(&list, &spec.revoked);
        let text = Meant { manifest, source, wrong_keys: problems };
        Ok(Written { manifest: Ok(text), trust: list, rest: None })
    }

    /// What an unsigned module may use in development: whatever this host has.
    pub(super) fn builtin_capabilities(&self) -> Vec<String> {
        let contracts =
            |factory: &Arc<dyn ProviderFactory>| factory.descriptor().contracts.into_owned();
        let contracts = self.builtins.iter().flat_map(contracts);
        contracts.map(|contract| contract.id.to_string()).collect()
    }

    pub(super) fn wrong(&self, source: SourceText, found: Wrong) -> Written {
        let readable = readable_trust(&source, &environment);
        let read = self.revoke(&readable);
        let rest = found.rest.map(|rest| (source, rest));
        let manifest = Err(wrong(found.report.and(read.problems)));
        Written { manifest, trust: read.list, rest }
    }

    /// Revokes what can be read of a wrong text, until a right one says otherwise.
    fn revoke(&self, readable: &ReadableTrust) -> trust::Read {
        let mut known = self.trust.lock();
        let read = trust::of_wrong(readable, &known);
        known.clone_from(&read.list);
        drop(known);
        *self.held.lock() = Held::of(&read.list, &readable.revoked);
        read
    }

    /// What is trusted and revoked other than the text as it is now says.
    pub(crate) fn lasting_trust(&self) -> Vec<Lasting> {
        let held = self.held.lock().lasting();
        held.into_iter().chain(self.own.lasting()).collect()
    }
}
