//! What a manifest that says something else leaves of an edit: each thing that is other ends when
//! the manifest's own text of that very thing becomes another one. Pure.

use std::sync::{Arc, OnceLock};

use trellis_manifest::Manifest;

use super::besides::{Besides, Rebound};
use super::in_force::InForce;
use super::subject::Subject;
use super::version::{Entry, Version};
use super::words::{keeps, what};

/// An edit that a manifest ends, or a part of one.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) subject: Subject,
    /// What ended, in words.
    pub(crate) what: String,
    /// All that was other about the entry itself is among that: its version, whether it runs, and
    /// its instances.
    pub(crate) entry: bool,
    /// What holds on.
    pub(crate) left: Option<InForce>,
}

/// What of an edit a manifest ends; `None` while it holds as a whole. Its file may be another one
/// (`is_other`), and what a binding of it needs may not be there.
pub(super) fn ended(
    (subject, edit): (&Subject, &InForce),
    manifest: &Manifest,
    is_other: bool,
    has_provider: impl Fn(&str) -> bool,
) -> Option<Ended> {
    let holds = |it: &Rebound| it.holds_over(manifest) && it.provider().is_none_or(&has_provider);
    let Version { besides, named, .. } = &*edit.version;
    let entry = is_other || !edit.base.is_in(subject, manifest);
    if !entry && besides.bindings.values().all(holds) {
        return None;
    }
    let (left, named) = match entry {
        true => (rebound(subject, edit, manifest, holds), named.as_ref()),
        false => (fitting(subject, edit, holds), None),
    };
    let gone = Besides {
        bindings: besides.only(|it| left.is_none() && entry || !holds(it)),
        stopped: entry && besides.stopped,
        instances: besides.instances.filter(|_| entry),
    };
    Some(Ended { subject: subject.clone(), what: what(named, &gone), entry, left })
}

/// A version that something goes back to, without the bindings of which the manifest says something
/// else by now; `None` when nothing is other any more.
pub(crate) fn fitting_over(
    version: &Arc<Version>,
    of: (&Subject, &Entry),
    manifest: &Manifest,
) -> Option<Arc<Version>> {
    version_fitting(version, of, |it| it.holds_over(manifest))
}

/// A version without the bindings that do not hold; `None` when nothing is other any more.
fn version_fitting(
    version: &Arc<Version>,
    (subject, base): (&Subject, &Entry),
    holds: impl Fn(&Rebound) -> bool,
) -> Option<Arc<Version>> {
    if version.besides.bindings.values().all(&holds) {
        return Some(Arc::clone(version));
    }
    let besides = Besides { bindings: version.besides.only(holds), ..version.besides.clone() };
    let own = base.as_replacement(&subject.name);
    if besides.is_nothing() && own.as_ref() == Some(&version.replacement) {
        return None;
    }
    let is_new = matches!(base, Entry::Absent);
    Some(Arc::new(version.with(besides, (subject, is_new))))
}

/// An edit without the bindings that do not hold, and what it goes back to without them.
fn fitting(
    subject: &Subject,
    edit: &InForce,
    holds: impl Fn(&Rebound) -> bool + Copy,
) -> Option<InForce> {
    let fits = |version: &Arc<Version>| version_fitting(version, (subject, &edit.base), holds);
    let version = fits(&edit.version)?;
    let before = edit.before.as_ref().and_then(fits);
    let sound = edit.sound.as_ref().and_then(fits);
    Some(InForce { version, before, sound, ..edit.clone() })
}

/// Its bindings that hold, over the entry as it is now; what that is, is still to be prepared.
fn rebound(
    subject: &Subject,
    edit: &InForce,
    manifest: &Manifest,
    holds: impl Fn(&Rebound) -> bool,
) -> Option<InForce> {
    let base = edit.base.again_in(subject, manifest)?;
    let besides = Besides { bindings: edit.version.besides.only(holds), ..Besides::default() };
    if besides.is_nothing() {
        return None;
    }
    let version = Version {
        what: what(None, &besides),
        keeps: keeps((subject, false), None, &besides),
        replacement: base.as_replacement(&subject.name)?,
        besides,
        file: None,
        named: None,
        origin: edit.version.origin,
        part: OnceLock::new(),
    };
    Some(InForce {
        version: Arc::new(version),
        base,
        file: None,
        base_part: None,
        before: None,
        sound: None,
        revision: edit.revision,
        watched: None,
        untried: false,
    })
}

#[cfg(test)]
mod tests;
