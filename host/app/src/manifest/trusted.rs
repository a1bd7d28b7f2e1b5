//! Whom the texts of a manifest trust and revoke, one after the other.

use std::sync::Arc;

use trellis_claims::TrustList;
use trellis_manifest::{
    BYTES_MAX, Format, Manifest, ReadableTrust, SourceText, Wrong, readable_trust, readable_users,
    unrevoked,
};
use trellis_providers_sdk::ProviderFactory;

use super::{Loader, Meant, Written, environment, wrong};
use crate::aside::aside;
use crate::failure::Failure;
use crate::readiness::Lasting;
use crate::telemetry;
use crate::trust::{self, Held};
use crate::users::{TextUsers, Users};

impl Loader {
    /// Whom the last manifest that was right trusts, as far as no text trusts fewer since then.
    pub(crate) fn trusted(&self) -> TrustList {
        self.trust.lock().clone()
    }

    /// Whom to hold against what runs, and who is still a user, before the keystore is asked;
    /// `None` when it need not be, or nothing can be read.
    pub(crate) async fn revocations(self: &Arc<Self>) -> Option<(TrustList, TextUsers)> {
        let loader = Arc::clone(self);
        let read = move || {
            let bytes = loader.bytes().ok()?;
            let name = loader.path().display().to_string();
            let source = SourceText::from_bytes(name, bytes, Format::of_path(loader.path()));
            let source = source.unwrap_or_else(|report| report.source_text().clone());
            let readable = readable_trust(&source, &environment);
            let users = readable_users(&source, &environment);
            let takes_away = !readable.revoked.is_empty() || users.is_some();
            let asks = readable.issuers.is_empty() && takes_away;
            asks.then(|| (loader.revoke(&readable).list, TextUsers::of_wrong(users)))
        };
        aside(&self.turn, read).await.ok()?
    }

    pub(super) fn right(
        &self,
        source: SourceText,
        manifest: Arc<Manifest>,
    ) -> Result<Written, Failure> {
        let spec = &manifest.trust;
        let unsigned = self.args.allow_unsigned || spec.unsigned;
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
        let users = TextUsers::of_right(&manifest.host.admin_users);
        let own = match own {
            Ok(own) => own,
            Err(failure) => {
                let readable =
                    ReadableTrust { revoked: spec.revoked.clone(), ..ReadableTrust::default() };
                let trust = self.revoke(&readable).list;
                return Ok(Written { manifest: Err(failure), trust, users, rest: None });
            }
        };
        let mut known = self.trust.lock();
        let trust::Read { list, mut problems } = trust::of_right(spec, own.as_ref(), caps, &known)?;
        problems.extend(Users::problems(&manifest.host.admin_users));
        problems.extend(telemetry::problems(manifest.host.telemetry.as_ref()));
        // What the text names may still be wrong, so nobody is trusted again for it.
        let narrowed = list.clone().narrowed_by(&known);
        known.clone_from(&narrowed);
        drop(known);
        *self.held.lock() = Held::of(&narrowed, &spec.revoked);
        let text = Meant { manifest, source, trust: list, wrong_values: problems };
        Ok(Written { manifest: Ok(text), trust: narrowed, users, rest: None })
    }

    /// A manifest is right as a whole, so what it says of trust counts and nothing else does.
    pub(super) fn trust(&self, list: TrustList) {
        *self.trust.lock() = list;
        *self.held.lock() = Held::default();
    }

    /// What an unsigned module may use in development: whatever this host has.
    pub(super) fn builtin_capabilities(&self) -> Vec<String> {
        let contracts =
            |factory: &Arc<dyn ProviderFactory>| factory.descriptor().contracts.into_owned();
        let contracts = self.builtins.iter().flat_map(contracts);
        contracts.map(|contract| contract.id.to_string()).collect()
    }

    /// What can be used of a wrong text, which may be only the beginning of its file.
    pub(super) fn wrong(&self, source: SourceText, found: Wrong, is_cut: bool) -> Written {
        let readable = readable_trust(&source, &environment);
        let trust::Read { list, mut problems } = self.revoke(&readable);
        problems.extend(unrevoked(&source, &readable).into_iter().map(trust::not_revoked));
        if is_cut {
            problems.push(trust::not_read(&source, BYTES_MAX));
        }
        let users = TextUsers::of_wrong(readable_users(&source, &environment));
        let rest = found.rest.map(|rest| (source, rest));
        let manifest = Err(wrong(found.report.and(problems)));
        Written { manifest, trust: list, users, rest }
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
