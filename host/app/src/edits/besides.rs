//! What an edit changes besides what something is: whether it runs, how many instances it has, and
//! what it is bound to. Pure.

use std::collections::BTreeMap;

use trellis_manifest::{ActorSpec, BindingSpec, Manifest, Span, Spanned};

/// What is other than the manifest says, besides the module or the implementation.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct Besides {
    /// It does not run.
    pub(crate) stopped: bool,
    /// Of an actor: so many instances at once, at most.
    pub(crate) instances: Option<u32>,
    /// Of an actor: the bindings that are other ones, by their contracts and names.
    pub(crate) bindings: BTreeMap<(String, String), Rebound>,
}

/// A binding that is other than the manifest says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Rebound {
    pub(super) ids: Ids,
    /// What the manifest has, and had when this was made.
    pub(super) own: Option<BindingSpec>,
    /// What is there instead; `None` is nothing.
    pub(super) now: Option<BindingSpec>,
}

/// By what a manifest may name a binding.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Ids {
    pub(super) actors: Vec<String>,
    pub(super) contracts: Vec<String>,
    pub(super) name: String,
}

impl Ids {
    /// Where a manifest has it.
    pub(super) fn place_in(&self, manifest: &Manifest) -> Option<usize> {
        manifest.bindings.iter().position(|it| self.is(&it.value))
    }

    /// What a manifest has of it.
    pub(super) fn find<'a>(&self, manifest: &'a Manifest) -> Option<&'a BindingSpec> {
        manifest.bindings.get(self.place_in(manifest)?).map(|it| &it.value)
    }

    fn is(&self, spec: &BindingSpec) -> bool {
        spec.name.value == self.name
            && self.actors.contains(&spec.actor.value)
            && self.contracts.contains(&spec.capability.value)
    }
}

impl Rebound {
    /// True when a manifest says of it what it said when this was made.
    pub(super) fn holds_over(&self, manifest: &Manifest) -> bool {
        self.ids.find(manifest) == self.own.as_ref()
    }

    /// The provider that it names.
    pub(super) fn provider(&self) -> Option<&str> {
        self.now.as_ref()?.provider.as_ref().map(|it| it.value.as_str())
    }
}

impl Besides {
    /// True when the manifest says all of it.
    pub(crate) fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// What it binds, by contract and name.
    pub(crate) fn bound(&self) -> impl Iterator<Item = (&str, &str)> {
        let bound = self.bindings.iter().filter(|(_, it)| it.now.is_some());
        bound.map(|((contract, name), _)| (&**contract, &**name))
    }

    /// The contracts that it takes a binding to away, each by its first id.
    pub(super) fn unbound(&self) -> impl Iterator<Item = &str> {
        let unbound = self.bindings.iter().filter(|(_, it)| it.now.is_none());
        unbound.map(|((contract, _), _)| &**contract)
    }

    /// True when all that is other than `before` is that bindings are not there any more.
    pub(super) fn only_unbinds(&self, before: Option<&Self>) -> bool {
        let nothing = Self::default();
        let before = before.unwrap_or(&nothing);
        let as_before = Self { bindings: before.bindings.clone(), ..self.clone() } == *before;
        let is_known = |key| self.bindings.contains_key(key);
        let mut bindings = self.bindings.iter();
        as_before
            && before.bindings.keys().all(is_known)
            && bindings.all(|(key, it)| it.now.is_none() || before.bindings.get(key) == Some(it))
    }

    /// Those of its bindings that are meant.
    pub(super) fn only(
        &self,
        is_meant: impl Fn(&Rebound) -> bool,
    ) -> BTreeMap<(String, String), Rebound> {
        let meant = self.bindings.iter().filter(|(_, it)| is_meant(it));
        meant.map(|(key, it)| (key.clone(), it.clone())).collect()
    }

    /// Puts these bindings in the place of those that a manifest has.
    pub(super) fn rebind(&self, manifest: &mut Manifest) {
        for Rebound { ids, now, .. } in self.bindings.values() {
            match (ids.place_in(manifest), now) {
                (Some(place), Some(now)) => manifest.bindings[place].value = now.clone(),
                (Some(place), None) => drop(manifest.bindings.remove(place)),
                (None, Some(now)) => {
                    manifest.bindings.push(Spanned::new(now.clone(), Span::default()));
                }
                (None, None) => {}
            }
        }
    }

    /// The entry of an actor with as many instances.
    pub(super) fn over_actor(&self, mut entry: ActorSpec) -> ActorSpec {
        if let Some(most) = self.instances {
            entry.limits.instances_max = most;
            entry.limits.instances_min = entry.limits.instances_min.min(most);
        }
        entry
    }
}

#[cfg(test)]
mod tests {
    use trellis_manifest::{Format, SourceText, read};

    use super::*;

    fn manifest(text: &str) -> Manifest {
        let source = SourceText::new("a.yaml", text, Format::Yaml);
        read(&source, &|_| None).unwrap_or_else(|report| panic!("{report}"))
    }

    const TEXT: &str = "
actors: [{image: a.wasm, name: a}]
providers: [{builtin: keyvalue-embedded, name: s}]
bindings: [{actor: MKEY, capability: 'k:v', values: {A: b}}, {actor: a, capability: other}]
";

    fn rebound(own: Option<BindingSpec>, now: Option<BindingSpec>) -> Besides {
        let actors = vec!["a".to_owned(), "MKEY".to_owned()];
        let contracts = vec!["key:value".to_owned(), "k:v".to_owned()];
        let ids = Ids { actors, contracts, name: "default".to_owned() };
        let key = ("key:value".to_owned(), "default".to_owned());
        let bindings = BTreeMap::from([(key, Rebound { ids, own, now })]);
        Besides { bindings, ..Besides::default() }
    }

    fn holds(besides: &Besides, manifest: &Manifest) -> bool {
        besides.bindings.values().all(|it| it.holds_over(manifest))
    }

    #[test]
    fn a_binding_is_found_however_it_is_written_and_only_that() {
        let own = manifest(TEXT);
        let spec = own.bindings[0].value.clone();
        let mut other = spec.clone();
        other.values.clear();
        let bound = rebound(Some(spec.clone()), Some(other.clone()));
        assert!(holds(&bound, &own));
        let mut laid = own.clone();
        bound.rebind(&mut laid);
        assert_eq!((laid.bindings.len(), &laid.bindings[0].value), (2, &other));
        let mut laid = own.clone();
        rebound(Some(spec.clone()), None).rebind(&mut laid);
        assert_eq!(laid.bindings.len(), 1);
        let mut laid = manifest("actors: [{image: a.wasm, name: a}]\n");
        rebound(None, Some(other)).rebind(&mut laid);
        assert_eq!(laid.bindings.len(), 1);
        assert!(!holds(&rebound(None, None), &own), "the manifest has one by now");
        let changed = manifest(&TEXT.replace("A: b", "A: c"));
        assert!(!holds(&rebound(Some(spec), None), &changed));
    }

    #[test]
    fn fewer_instances_than_are_kept_are_kept() {
        let text = "actors: [{image: a.wasm, name: a, instances: {min: 4, max: 8}}]\n";
        let entry = manifest(text).actors[0].value.clone();
        let limits = |instances| {
            let besides = Besides { instances, ..Besides::default() };
            let limits = besides.over_actor(entry.clone()).limits;
            (limits.instances_min, limits.instances_max)
        };
        assert_eq!(limits(None), (4, 8));
        assert_eq!(limits(Some(2)), (2, 2));
        assert_eq!(limits(Some(16)), (4, 16));
    }
}
