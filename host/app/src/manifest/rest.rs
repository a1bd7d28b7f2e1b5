//! What is wrong besides, when a text is wrong.

use std::sync::Arc;

use trellis_claims::TrustList;
use trellis_core::Code;
use trellis_manifest::{Report, TrustSpec};
use trellis_supervisor::{Kept, Lacks, Meaning};

use super::{For, Loader, Meant, Written, wrong};
use crate::aside::aside;
use crate::failure::Failure;
use crate::trust;

impl Loader {
    /// What a text means; of one that is wrong, what else is wrong in it and in what it names.
    ///
    /// # Errors
    /// Every problem at once.
    pub(crate) async fn understood(self: &Arc<Self>, written: Written) -> Result<Meant, Failure> {
        let (report, (source, rest)) = match (written.manifest, written.rest) {
            (Err(Failure::Manifest(report)), Some(rest)) => (report, rest),
            (manifest, _) => return manifest,
        };
        let loader = Arc::clone(self);
        let spec = rest.manifest.trust.clone();
        let trusts = move || loader.trusted_by(&spec).ok();
        let trust = if rest.lacks_trust { None } else { aside(&self.turn, trusts).await? };
        let (trust, wrong_keys) = trust.map_or((None, Vec::new()), |trust| match trust.problems {
            problems if problems.is_empty() => (Some(trust.list), problems),
            problems => (None, problems),
        });
        let lacks = Lacks { actors: rest.lacks_actors, providers: rest.lacks_providers };
        let checked = (&rest.manifest, &source, lacks);
        let list = trust.clone().unwrap_or_default();
        let more = self
            .check(checked, &list, (For::Starting, <(Kept, Meaning)>::default(), None))
            .await?
            .err();
        let more = more.iter().flat_map(Report::problems);
        // Without a list of trusted accounts, nothing can be said about these two.
        let unknown = |code: Code| trust.is_none() && matches!(code, Code::Issuer | Code::Unsigned);
        let mut problems = report.problems().to_vec();
        // Revocations that are none were told already.
        problems.extend(wrong_keys.into_iter().filter(|wrong| !report.problems().contains(wrong)));
        problems.extend(more.filter(|more| !unknown(more.code)).cloned());
        Err(wrong(Report::of(&source, problems)))
    }

    /// Whom a part of a wrong text trusts, if that is right. Blocks.
    fn trusted_by(&self, spec: &TrustSpec) -> Result<trust::Read, Failure> {
        let caps = (self.args.allow_unsigned || spec.unsigned).then(|| self.builtin_capabilities());
        let own = if spec.issuers.is_empty() { self.own.read()? } else { None };
        trust::of_right(spec, own.as_ref(), caps, &TrustList::default())
    }
}
