//! A manifest with edits laid over it. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use trellis_control::ComponentKind;
use trellis_manifest::{ActorSpec, Manifest, Span, Spanned};
use trellis_supervisor::{Came, Kept, Meaning, Prepared};

use super::base::Base;
use super::ended::{Ended, ended};
use super::in_force::InForce;
use super::subject::Subject;
use super::version::{Entry, Replacement, Version};

/// A manifest with edits laid over it.
pub(crate) struct Laid {
    pub(crate) manifest: Arc<Manifest>,
    /// What holds of them.
    pub(crate) left: Overlay,
    /// What ended of them.
    pub(crate) ended: Vec<Ended>,
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

    /// What of a manifest over which the edits were laid was prepared when they were made.
    pub(crate) fn kept(&self, laid: &Manifest) -> Kept {
        let mut kept = Kept::default();
        for (subject, edit) in &self.0 {
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

    /// This manifest with what holds of the edits laid over it: what it, or a file that it names
    /// (`is_other`), says otherwise by now ends.
    pub(crate) fn over(
        &self,
        manifest: &Arc<Manifest>,
        is_other: impl Fn(&InForce) -> bool,
    ) -> Laid {
        let mut left = self.clone();
        if self.is_empty() {
            return Laid { manifest: Arc::clone(manifest), left, ended: Vec::new() };
        }
        let mut laid = Manifest::clone(manifest);
        let mut all_ended = Vec::new();
        for (subject, edit) in &self.0 {
            let ended = self.ended((subject, edit), manifest, is_other(edit));
            let holds = ended.as_ref().map_or(Some(&**edit), |ended| ended.left.as_ref());
            holds.into_iter().for_each(|edit| lay((subject, edit), &mut laid));
            if let Some(ended) = ended {
                left = left.with(subject.clone(), ended.left.clone());
                all_ended.push(ended);
            }
        }
        Laid { manifest: Arc::new(laid), left, ended: all_ended }
    }

    /// True while an edit can be laid over a manifest, beside those that are in force.
    pub(crate) fn fits(&self, subject: &Subject, edit: &InForce, manifest: &Manifest) -> bool {
        self.ended((subject, edit), manifest, false).is_none()
    }

    /// What of an edit a manifest ends.
    fn ended(
        &self,
        edit: (&Subject, &InForce),
        manifest: &Manifest,
        is_other: bool,
    ) -> Option<Ended> {
        ended(edit, manifest, is_other, |name| {
            let mut own = manifest.providers.iter();
            let added = self.get(&Subject::provider(name)).is_some_and(|it| it.is_addition());
            added || own.any(|it| it.value.name.value == name)
        })
    }

    /// What they mean beyond what a manifest says over which they are laid.
    pub(crate) fn meaning(&self) -> Meaning {
        let mut meaning = Meaning::default();
        for (subject, edit) in &self.0 {
            match (&edit.base, &edit.version.replacement) {
                (Entry::Absent, Replacement::Provider { .. }) => {
                    meaning.comes(&subject.name, Came::Added);
                }
                (Entry::Provider(own), Replacement::Provider { kind, .. }) if own.kind != *kind => {
                    meaning.comes(&subject.name, Came::Changed);
                }
                _ => {}
            }
            let unbound = edit.version.besides.unbound();
            unbound.for_each(|contract| meaning.unbinds(&subject.name, contract));
        }
        meaning
    }

    /// Says of what is prepared what is not to run.
    pub(crate) fn stop(&self, prepared: &mut Prepared) {
        let stopped = self.0.iter().filter(|(_, edit)| edit.version.besides.stopped);
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
}

/// Lays an edit that holds over its entry.
fn lay((subject, edit): (&Subject, &InForce), manifest: &mut Manifest) {
    let Version { replacement, besides, .. } = &*edit.version;
    let (name, nowhere) = (&*subject.name, Span::default());
    match &edit.base {
        base @ Entry::Actor(_) => {
            let found = manifest.actors.iter_mut().find(|it| base.is_actor(&it.value));
            let over = |entry: &ActorSpec| besides.over_actor(replacement.over_actor(entry));
            found.into_iter().for_each(|it| it.value = over(&it.value));
        }
        base @ Entry::Provider(_) => {
            let found = manifest.providers.iter_mut().find(|it| base.is_provider(&it.value));
            found.into_iter().for_each(|it| it.value = replacement.over_provider(&it.value));
        }
        Entry::Absent => {
            let actor = replacement.to_actor().map(|it| besides.over_actor(it));
            manifest.actors.extend(actor.map(|it| Spanned::new(it, nowhere)));
            let provider = replacement.to_provider(name);
            manifest.providers.extend(provider.map(|it| Spanned::new(it, nowhere)));
        }
    }
    besides.rebind(manifest);
}

#[cfg(test)]
mod tests {
    use std::sync::OnceLock;

    use trellis_manifest::{Format, SourceText, read};

    use super::super::besides::Besides;
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
            untried: false,
        }
    }

    #[test]
    fn an_edit_holds_until_the_entry_is_another_one() {
        let own = manifest("actors: [{image: a.wasm, limits: {call_time: 1s}}, b.wasm]\n");
        let subject = Subject::actor("a");
        let overlay = Overlay::default().with(subject.clone(), Some(edit_of(&own, "/x/2.wasm")));
        let Laid { manifest: laid, ended, .. } = overlay.over(&own, |_| false);
        assert!(ended.is_empty());
        let images = |manifest: &Manifest| -> Vec<String> {
            manifest.actors.iter().map(|it| it.value.image.value.clone()).collect()
        };
        assert_eq!(images(&laid), ["/x/2.wasm", "b.wasm"]);
        assert_eq!(laid.actors[0].value.id(), "a", "its name stays");
        assert_eq!(laid.actors[0].value.limits, own.actors[0].value.limits);

        // Moved, with another neighbor: it is the same entry.
        let moved = "\n\nactors:\n  - c.wasm\n  - {image: a.wasm, limits: {call_time: 1s}}\n";
        let Laid { manifest: laid, ended, .. } = overlay.over(&manifest(moved), |_| false);
        assert_eq!((images(&laid), ended.len()), (vec!["c.wasm".into(), "/x/2.wasm".into()], 0));

        for other in [
            "actors: [{image: a.wasm, limits: {call_time: 2s}}, b.wasm]\n",
            "actors: [{image: a3.wasm, limits: {call_time: 1s}}, b.wasm]\n",
            "actors: [b.wasm]\n",
        ] {
            let Laid { manifest: laid, ended, .. } = overlay.over(&manifest(other), |_| false);
            let ended: Vec<_> = ended.iter().map(|it| &it.subject).collect();
            assert_eq!(ended, [&subject], "{other}");
            assert!(!images(&laid).contains(&"/x/2.wasm".to_owned()), "{other}");
        }
        let Laid { manifest: laid, ended, .. } = overlay.over(&own, |_| true);
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
        let Laid { manifest: laid, ended, .. } = overlay.over(&own, |_| false);
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
        let Laid { manifest: laid, ended, .. } = overlay.over(&has, |_| false);
        assert_eq!((laid.actors.len(), ended.len()), (2, 1));
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
        let Laid { manifest: laid, ended, .. } = overlay.over(&own, |_| false);
        assert_eq!((laid.bindings.len(), ended.len()), (1, 0));
        let Laid { manifest: laid, ended, .. } =
            overlay.over(&manifest("actors: [a.wasm]\n"), |_| false);
        assert_eq!((laid.bindings.len(), ended.len()), (0, 1));
        let Laid { manifest: laid, ended, .. } = overlay.over(&manifest(bound), |_| false);
        assert_eq!((laid.bindings.len(), ended.len()), (1, 1), "the manifest has its own");
    }

    #[test]
    fn without_edits_a_manifest_is_not_copied() {
        let own = manifest("actors: [a.wasm]\n");
        let overlay = Overlay::default().with(Subject::actor("a"), None);
        assert!(Arc::ptr_eq(&overlay.over(&own, |_| false).manifest, &own));
    }
}
