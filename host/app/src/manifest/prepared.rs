//! What a manifest wants, once everything it names was checked.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::task::spawn_blocking;
use trellis_core::{BindingName, CallError, Code};
use trellis_manifest::{Manifest, Problem, Report, SourceText, Span};
use trellis_supervisor::{Kept, Lacks, Prepared};

use super::loaded::Loaded;
use super::{For, Loader, Meant, wrong};
use crate::edits::{Base, Ended, InForce, Laid, Overlay, Subject, Version};
use crate::failure::Failure;
use crate::readiness::Lasting;
use crate::record::Damage;
use crate::settings::StartSettings;

impl Loader {
    /// Checks everything a right text names. When that is right too, what it says of trust counts;
    /// whom that trusts again is for the caller to [enforce](Self::trusted).
    ///
    /// # Errors
    /// Every problem at once.
    pub(crate) async fn prepare(
        &self,
        text: Meant,
        purpose: For,
        edits: &Overlay,
    ) -> Result<Loaded, Failure> {
        let Meant { manifest, source, trust, wrong_values } = text;
        let Laid { manifest: laid, left, ended } = laid_over(&manifest, edits).await?;
        // What an edit brought was checked when it was made; but not whether it may still run.
        let kept = left.kept(&laid);
        let checked = (&*laid, &source, Lacks::default());
        let kept = (kept, left.meaning());
        let prepared = self.check(checked, &trust, (purpose, kept, None)).await?;
        if !wrong_values.is_empty() {
            return Err(wrong(with_problems(&source, wrong_values, prepared.err())));
        }
        let mut prepared = prepared.map_err(|report| wrong(with_edits_named(&report, edits)))?;
        left.stop(&mut prepared);
        let loaded = self.loaded((manifest, source), prepared)?;
        self.trust(trust);
        Ok(Loaded { ended, ..loaded })
    }

    /// The same of a manifest that is applied, with other edits. All that is `kept` is as it was
    /// prepared, whatever its files and tags are by now; whom it trusts stays as it is. The actor
    /// that is `forced` may have another key than it had.
    ///
    /// # Errors
    /// Every problem at once.
    pub(crate) async fn prepare_again(
        &self,
        base: &Base,
        (kept, forced): (Kept, Option<&Subject>),
        edits: &Overlay,
    ) -> Result<Loaded, Failure> {
        let Base { manifest, source, .. } = base.clone();
        // What their files say is for who reads the manifest.
        let Laid { manifest: laid, ended, .. } = edits.over(&manifest, |_| false);
        if let Some(Ended { subject, what, .. }) = ended.first() {
            return Err(Failure::call(subject.to_string(), needed((subject, what), edits)));
        }
        let trust = self.trusted();
        let purpose = (For::Changing, (kept, edits.meaning()), forced);
        let prepared = self.check((&*laid, &source, Lacks::default()), &trust, purpose).await?;
        let mut prepared = prepared.map_err(wrong)?;
        edits.stop(&mut prepared);
        self.loaded((manifest, source), prepared)
    }

    /// What there is to know of a manifest that can run.
    fn loaded(
        &self,
        (manifest, source): (Arc<Manifest>, SourceText),
        prepared: Prepared,
    ) -> Result<Loaded, Failure> {
        let damage = self.record.damage();
        if let Some(damage) = &damage {
            damage.check(prepared.runs(), &self.record.known())?;
        }
        let told = prepared.warnings().iter().map(|warning| warning.problem.clone()).collect();
        let warnings = Report::of(&source, told);
        let seen = prepared.images().iter().chain(prepared.notes());
        let notes = Report::of(&source, seen.cloned().collect());
        let lasting = prepared.warnings().iter().filter_map(Lasting::of);
        let lasting = lasting.chain(damage.as_ref().map(Damage::lasting)).collect();
        let parts = Arc::new(prepared.parts());
        let names = prepared.actor_names().cloned().collect();
        let base = Base { manifest, source, names };
        let (ended, changes, edit) = (Vec::new(), Vec::new(), None);
        Ok(Loaded { base, prepared, parts, warnings, notes, lasting, ended, changes, edit })
    }

    /// Where the host keeps what it compiled, and the files of edits.
    pub(crate) fn cache(&self, manifest: &Manifest) -> Option<PathBuf> {
        StartSettings::of(&self.args, &manifest.host).cache
    }
}

/// A manifest with edits laid over it: files are looked at.
async fn laid_over(manifest: &Arc<Manifest>, edits: &Overlay) -> Result<Laid, Failure> {
    if edits.is_empty() {
        return Ok(edits.over(manifest, |_| false));
    }
    let (manifest, edits) = (Arc::clone(manifest), edits.clone());
    let laying = spawn_blocking(move || edits.over(&manifest, InForce::file_is_other));
    laying.await.map_err(|_| {
        let error = CallError::new(Code::Internal, "the host failed on an edit; its log says why");
        Failure::call("the edits", error)
    })
}

/// That an edit would be left without what it needs: a provider that goes, or is gone.
fn needed((subject, what): (&Subject, &str), edits: &Overlay) -> CallError {
    let Subject { name, .. } = subject;
    let edit = edits.get(subject);
    let bound = edit.into_iter().flat_map(|edit| edit.version.besides.bound());
    let ways: Vec<_> = bound
        .map(|(contract, binding)| match binding {
            BindingName::DEFAULT => format!("`trellis unbind {name} {contract}`"),
            binding => format!("`trellis unbind {name} {contract} --name {binding}`"),
        })
        .collect();
    let text = format!(
        "{subject} is {what} by an edit, to a provider that would not be there: start that \
         provider, bind {name} to another one, or take that back first, with {} or `trellis \
         rollback {name} --to-manifest`",
        ways.join(" or ")
    );
    CallError::new(Code::Conflict, text)
}

/// The same, with what to do where an edit is in the way of a manifest: whoever wrote that may know
/// nothing of it.
fn with_edits_named(report: &Report, edits: &Overlay) -> Report {
    let named = |problem: &Problem| {
        let (subject, edit) = edits.iter().find(|of| is_of(problem, *of))?;
        let Version { replacement, what, named, .. } = &*edit.version;
        let message = match replacement.file().filter(|_| named.is_some()) {
            Some(file) => problem.message.replace(file, what),
            None => problem.message.clone(),
        };
        let revision = edit.revision;
        let help = format!(
            "{subject} is {what} by an edit (revision {revision}); `trellis rollback {}` takes it \
             back",
            subject.name
        );
        Some(Problem { message, help: Some(help), ..problem.clone() })
    };
    let problems = report.problems().iter();
    let problems = problems.map(|problem| named(problem).unwrap_or_else(|| problem.clone()));
    Report::of(report.source_text(), problems.collect())
}

/// True when a problem is that of an edit: it names its file, or stands nowhere in the text, as
/// what an edit adds does.
fn is_of(problem: &Problem, (_, edit): (&Subject, &Arc<InForce>)) -> bool {
    let Version { replacement, besides, named, .. } = &*edit.version;
    let file = replacement.file().filter(|_| named.is_some());
    let adds = edit.is_addition() || !besides.bindings.is_empty();
    file.is_some_and(|file| problem.message.contains(file))
        || adds && problem.span == Span::default()
}

/// Wrong keys, and what else is wrong. Issuers that are not trusted are left out: a wrong key may
/// be the reason.
fn with_problems(source: &SourceText, mut problems: Vec<Problem>, more: Option<Report>) -> Report {
    let more = more.iter().flat_map(Report::problems);
    problems.extend(more.filter(|more| more.code != Code::Issuer).cloned());
    Report::of(source, problems)
}
