//! A manifest with edits laid over it. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use trellis_artifacts::Imprint;
use trellis_control::{ComponentKind, EditEntry};
use trellis_dispatch::Tally;
use trellis_manifest::Manifest;
use trellis_supervisor::{Kept, Part};

use super::subject::Subject;
use super::version::{Entry, Version};
use super::watch::Terms;

/// An edit that is in force.
#[derive(Clone, Debug)]
pub(crate) struct InForce {
    pub(crate) version: Arc<Version>,
    /// What the manifest said when it was made, and the file that this named.
    pub(crate) base: Entry,
    pub(crate) file: Option<Imprint>,
    /// That as it was prepared.
    pub(crate) base_part: Option<Part>,
    /// What was in force before; `None` is what the manifest says.
    pub(crate) before: Option<Arc<Version>>,
    /// What it is taken back to: the last before it that stood its watch.
    pub(crate) sound: Option<Arc<Version>>,
    /// The revision of what is wanted that it began with.
    pub(crate) revision: u64,
    /// When it is taken back, and how that fared which it replaced; `None` when it is not watched.
    pub(crate) watched: Option<(Terms, Tally)>,
}

impl InForce {
    /// True when the file that the manifest names holds something else since the edit was made:
    /// somebody released something there. Blocks.
    pub(crate) fn file_is_other(&self) -> bool {
        self.file.as_ref().is_some_and(Imprint::is_other)
    }

    /// True while a manifest has the entry over which it was laid.
    pub(crate) fn fits(&self, manifest: &Manifest) -> bool {
        let base = &self.base;
        match base {
            Entry::Actor(_) => manifest.actors.iter().any(|it| base.is_actor(&it.value)),
            Entry::Provider(_) => manifest.providers.iter().any(|it| base.is_provider(&it.value)),
        }
    }

    /// It, for everybody.
    pub(super) fn entry(&self, subject: &Subject) -> EditEntry {
        EditEntry {
            kind: subject.kind,
            name: subject.name.clone(),
            revision: self.revision,
            what: self.version.what.clone(),
        }
    }
}

/// All edits that are in force. Cheap to clone.
#[derive(Clone, Default, Debug)]
pub(crate) struct Overlay(BTreeMap<Subject, Arc<InForce>>);

impl Overlay {
    /// The same with another edit of something, or without one.
    pub(crate) fn with(mut self, subject: Subject, edit: Option<InForce>) -> Self {
        match edit {
            Some(edit) => self.0.insert(subject, Arc::new(edit)),
            None => self.0.remove(&subject),
        };
        self
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn get(&self, subject: &Subject) -> Option<&Arc<InForce>> {
        self.0.get(subject)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Subject, &Arc<InForce>)> {
        self.0.iter()
    }

    /// What of a manifest over which the edits were laid, but for those that end, was prepared when
    /// they were made.
    pub(crate) fn kept(&self, laid: &Manifest, ended: &[Subject]) -> Kept {
        let mut kept = Kept::default();
        for (subject, edit) in self.0.iter().filter(|(subject, _)| !ended.contains(subject)) {
            let Version { replacement, part, .. } = &*edit.version;
            match subject.kind {
                ComponentKind::Actor => {
                    let mut actors = laid.actors.iter();
                    let place = actors.position(|it| replacement.is_actor(&it.value));
                    place.into_iter().for_each(|place| kept.keep_actor(place, part.get()));
                }
                ComponentKind::Provider => kept.keep_provider(&subject.name, part.get()),
            }
        }
        kept
    }

    /// This manifest with the edits laid over it, and those that end: whose entry is another one
    /// than it was, or is gone; or whose file is (`is_other`).
    pub(crate) fn over(
        &self,
        manifest: &Arc<Manifest>,
        is_other: impl Fn(&InForce) -> bool,
    ) -> (Arc<Manifest>, Vec<Subject>) {
        if self.is_empty() {
            return (Arc::clone(manifest), Vec::new());
        }
        let mut laid = Manifest::clone(manifest);
        let mut ended = Vec::new();
        for (subject, edit) in &self.0 {
            if is_other(edit) || !lay(edit, &mut laid) {
                ended.push(subject.clone());
            }
        }
        (Arc::new(laid), ended)
    }
}

/// Lays an edit over its entry; false when there is no such entry.
fn lay(edit: &InForce, manifest: &mut Manifest) -> bool {
    let replacement = &edit.version.replacement;
    match &edit.base {
        base @ Entry::Actor(_) => {
            let found = manifest.actors.iter_mut().find(|it| base.is_actor(&it.value));
            found.map(|it| it.value = replacement.over_actor(&it.value)).is_some()
        }
        base @ Entry::Provider(_) => {
            let found = manifest.providers.iter_mut().find(|it| base.is_provider(&it.value));
            found.map(|it| it.value = replacement.over_provider(&it.value)).is_some()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::OnceLock;

    use trellis_manifest::{Format, SourceText, read};

    use super::super::version::Replacement;
    use super::*;

    fn manifest(text: &str) -> Arc<Manifest> {
        let source = SourceText::new("a.yaml", text, Format::Yaml);
        Arc::new(read(&source, &|_| None).unwrap_or_else(|report| panic!("{report}")))
    }

    fn edit_of(manifest: &Manifest, image: &str) -> InForce {
        let replacement = Replacement::Actor { name: "a".to_owned(), image: image.to_owned() };
        let (what, keeps) = (String::new(), String::new());
        InForce {
            version: Arc::new(Version {
                replacement,
                _file: None,
                what,
                keeps,
                origin: 2,
                part: OnceLock::new(),
            }),
            base: Entry::Actor(manifest.actors[0].value.clone()),
            file: None,
            base_part: None,
            before: None,
            sound: None,
            revision: 2,
            watched: None,
        }
    }

    #[test]
    fn an_edit_holds_until_the_entry_is_another_one() {
        let own = manifest("actors: [{image: a.wasm, limits: {call_time: 1s}}, b.wasm]\n");
        let subject = Subject::actor("a");
        let overlay = Overlay::default().with(subject.clone(), Some(edit_of(&own, "/x/2.wasm")));
        let (laid, ended) = overlay.over(&own, |_| false);
        assert!(ended.is_empty());
        let images = |manifest: &Manifest| -> Vec<String> {
            manifest.actors.iter().map(|it| it.value.image.value.clone()).collect()
        };
        assert_eq!(images(&laid), ["/x/2.wasm", "b.wasm"]);
        assert_eq!(laid.actors[0].value.id(), "a", "its name stays");
        assert_eq!(laid.actors[0].value.limits, own.actors[0].value.limits);

        // Moved, with another neighbor: it is the same entry.
        let moved = "\n\nactors:\n  - c.wasm\n  - {image: a.wasm, limits: {call_time: 1s}}\n";
        let (laid, ended) = overlay.over(&manifest(moved), |_| false);
        assert_eq!((images(&laid), ended.len()), (vec!["c.wasm".into(), "/x/2.wasm".into()], 0));

        for other in [
            "actors: [{image: a.wasm, limits: {call_time: 2s}}, b.wasm]\n",
            "actors: [{image: a3.wasm, limits: {call_time: 1s}}, b.wasm]\n",
            "actors: [b.wasm]\n",
        ] {
            let (laid, ended) = overlay.over(&manifest(other), |_| false);
            assert_eq!(ended, std::slice::from_ref(&subject), "{other}");
            assert!(!images(&laid).contains(&"/x/2.wasm".to_owned()), "{other}");
        }
        let (laid, ended) = overlay.over(&own, |_| true);
        assert_eq!((images(&laid), ended.len()), (images(&own), 1), "its file is another one");
    }

    #[test]
    fn without_edits_a_manifest_is_not_copied() {
        let own = manifest("actors: [a.wasm]\n");
        let overlay = Overlay::default().with(Subject::actor("a"), None);
        assert!(Arc::ptr_eq(&overlay.over(&own, |_| false).0, &own));
    }
}
