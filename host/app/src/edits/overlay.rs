//! A manifest with edits laid over it. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use trellis_artifacts::Imprint;
use trellis_control::{ComponentKind, EditEntry};
use trellis_dispatch::Tally;
use trellis_manifest::{ActorSpec, Manifest, Span, Spanned};
use trellis_supervisor::{Kept, Part, Prepared};

use super::base::Base;
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

    /// True when the manifest has no such entry.
    pub(crate) const fn is_addition(&self) -> bool {
        matches!(self.base, Entry::Absent)
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
            if is_other(edit) || self.lacks(edit, manifest) || !lay((subject, edit), &mut laid) {
                ended.push(subject.clone());
            }
        }
        (Arc::new(laid), ended)
    }

    /// True while an edit can be laid over a manifest, beside those that are in force.
    pub(crate) fn fits(&self, subject: &Subject, edit: &InForce, manifest: &Manifest) -> bool {
        !self.lacks(edit, manifest) && lay((subject, edit), &mut manifest.clone())
    }

    /// Says of what is prepared what is not to run, but for the edits that end.
    pub(crate) fn stop(&self, prepared: &mut Prepared, ended: &[Subject]) {
        let stopped = self.0.iter().filter(|(_, edit)| edit.version.besides.stopped);
        let stopped = stopped.filter(|(subject, _)| !ended.contains(subject));
        stopped.for_each(|(subject, _)| prepared.stops(subject.kind, &subject.name));
    }

    /// The place of an actor among all that are laid over a manifest; `None` of one that is not
    /// there, and of a provider.
    pub(crate) fn place(&self, base: &Base, subject: &Subject) -> Option<usize> {
        if subject.kind != ComponentKind::Actor {
            return None;
        }
        let own = base.manifest.actors.len();
        let mut names = base.names.iter().take(own);
        let place = names.position(|name| **name == *subject.name);
        let added = |(other, edit): &(&Subject, &Arc<InForce>)| {
            other.kind == ComponentKind::Actor && edit.is_addition()
        };
        let mut added = self.0.iter().filter(added);
        place.or_else(|| Some(own + added.position(|(other, _)| other == subject)?))
    }

    /// True when an edit binds to a provider that is not there any more.
    fn lacks(&self, edit: &InForce, manifest: &Manifest) -> bool {
        let is_there = |name: &str| {
            let mut own = manifest.providers.iter();
            let added = self.get(&Subject::provider(name)).is_some_and(|it| it.is_addition());
            added || own.any(|it| it.value.name.value == name)
        };
        edit.version.besides.providers().any(|name| !is_there(name))
    }
}

/// Lays an edit over its entry; false when there is no such entry, or one where there was none.
fn lay((subject, edit): (&Subject, &InForce), manifest: &mut Manifest) -> bool {
    let Version { replacement, besides, .. } = &*edit.version;
    if !besides.holds_over(manifest) {
        return false;
    }
    let laid = match &edit.base {
        base @ Entry::Actor(_) => {
            let found = manifest.actors.iter_mut().find(|it| base.is_actor(&it.value));
            let over = |entry: &ActorSpec| besides.over_actor(replacement.over_actor(entry));
            found.map(|it| it.value = over(&it.value)).is_some()
        }
        base @ Entry::Provider(_) => {
            let found = manifest.providers.iter_mut().find(|it| base.is_provider(&it.value));
            found.map(|it| it.value = replacement.over_provider(&it.value)).is_some()
        }
        Entry::Absent => add((subject, edit), manifest),
    };
    if laid {
        besides.rebind(manifest);
    }
    laid
}

/// Adds what the manifest does not have; false when it has something of that name.
fn add((subject, edit): (&Subject, &InForce), manifest: &mut Manifest) -> bool {
    let Version { replacement, besides, .. } = &*edit.version;
    let (name, nowhere) = (&*subject.name, Span::default());
    if let Some(actor) = replacement.to_actor()
        && manifest.actors.iter().all(|it| it.value.id() != name)
    {
        manifest.actors.push(Spanned::new(besides.over_actor(actor), nowhere));
        return true;
    }
    if let Some(provider) = replacement.to_provider(name)
        && manifest.providers.iter().all(|it| it.value.name.value != name)
    {
        manifest.providers.push(Spanned::new(provider, nowhere));
        return true;
    }
    false
}

#[cfg(test)]
mod tests {
    use std::sync::OnceLock;

    use trellis_manifest::{Format, SourceText, read};

    use super::super::besides::Besides;
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
                besides: Besides::default(),
                file: None,
                named: None,
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

    /// The same with a version that is other besides, of an entry that the manifest has or not.
    fn with(edit: InForce, base: Entry, besides: Besides) -> InForce {
        let Version { replacement, .. } = &*edit.version;
        let replacement = replacement.clone();
        let version = Version {
            replacement,
            besides,
            file: None,
            named: None,
            what: String::new(),
            keeps: String::new(),
            origin: 2,
            part: OnceLock::new(),
        };
        InForce { version: Arc::new(version), base, ..edit }
    }

    #[test]
    fn what_the_manifest_lacks_is_there_until_it_has_that_itself() {
        let own = manifest(
            "actors: [b.wasm]
",
        );
        let added = with(edit_of(&own, "/x/a.wasm"), Entry::Absent, Besides::default());
        let subject = Subject::actor("a");
        let overlay = Overlay::default().with(subject.clone(), Some(added));
        let (laid, ended) = overlay.over(&own, |_| false);
        assert_eq!((laid.actors.len(), laid.actors[1].value.id(), ended.len()), (2, "a", 0));
        let names = [Arc::from("b"), Arc::from("a")].into();
        let source = SourceText::new("a.yaml", "", Format::Yaml);
        let base = Base { manifest: Arc::clone(&own), source, names };
        let place = |overlay: &Overlay, name| overlay.place(&base, &Subject::actor(name));
        assert_eq!((place(&overlay, "b"), place(&overlay, "a")), (Some(0), Some(1)));
        assert_eq!(place(&Overlay::default(), "a"), None, "it goes");
        assert!(base.entry(&subject).is_err(), "it is no entry of the manifest");
        let has = manifest(
            "actors: [b.wasm, {image: other.wasm, name: a}]
",
        );
        let (laid, ended) = overlay.over(&has, |_| false);
        assert_eq!((laid.actors.len(), ended), (2, vec![subject]));
        assert_eq!(laid.actors[1].value.image.value, "other.wasm", "the manifest has its say");
    }

    #[test]
    fn a_binding_goes_with_its_provider() {
        use super::super::besides::{Ids, Rebound};

        let text = "actors: [a.wasm]\nproviders: [{builtin: keyvalue-embedded, name: s}]\n";
        let own = manifest(text);
        let bound = "actors: [a.wasm]\nproviders: [{builtin: keyvalue-embedded, name: s}]\n\
                     bindings: [{actor: a, capability: c, provider: s}]\n";
        let now = Some(manifest(bound).bindings[0].value.clone());
        let one = |text: &str| vec![text.to_owned()];
        let ids = Ids { actors: one("a"), contracts: one("c"), name: "default".to_owned() };
        let key = ("c".to_owned(), "default".to_owned());
        let bindings = [(key, Rebound { ids, own: None, now })].into();
        let besides = Besides { bindings, ..Besides::default() };
        let base = Entry::Actor(own.actors[0].value.clone());
        let edit = with(edit_of(&own, "a.wasm"), base, besides);
        let overlay = Overlay::default().with(Subject::actor("a"), Some(edit));
        let (laid, ended) = overlay.over(&own, |_| false);
        assert_eq!((laid.bindings.len(), ended.len()), (1, 0));
        let (laid, ended) = overlay.over(&manifest("actors: [a.wasm]\n"), |_| false);
        assert_eq!((laid.bindings.len(), ended.len()), (0, 1));
        let (laid, ended) = overlay.over(&manifest(bound), |_| false);
        assert_eq!((laid.bindings.len(), ended.len()), (1, 1), "the manifest has its own");
    }

    #[test]
    fn without_edits_a_manifest_is_not_copied() {
        let own = manifest("actors: [a.wasm]\n");
        let overlay = Overlay::default().with(Subject::actor("a"), None);
        assert!(Arc::ptr_eq(&overlay.over(&own, |_| false).0, &own));
    }
}
