//! Steps lead from one manifest to another, in an order that can be taken.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use trellis_manifest::{
    ActorSpec, BindingSpec, Format, HostSpec, Manifest, ProviderSpec, SourceText, Spanned, Step,
    TextPairs, TrustSpec, diff, read,
};

/// What runs, as whoever takes the steps would hold it. Each step must find what it names.
#[derive(Clone, PartialEq, Debug)]
struct Model {
    identity: (Option<Spanned<String>>, TextPairs),
    trust: TrustSpec,
    host: HostSpec,
    actors: BTreeMap<String, ActorSpec>,
    providers: BTreeMap<String, ProviderSpec>,
    bindings: BTreeMap<(String, String, String), BindingSpec>,
}

fn key(binding: &BindingSpec) -> (String, String, String) {
    let (actor, capability, name) = binding.id();
    (actor.to_owned(), capability.to_owned(), name.to_owned())
}

impl Model {
    fn of(manifest: &Manifest) -> Self {
        let Manifest { name, labels, trust, actors, providers, bindings, host } = manifest.clone();
        Self {
            identity: (name, labels),
            trust,
            host,
            actors: actors.into_iter().map(|it| (it.id().to_owned(), it.value)).collect(),
            providers: providers.into_iter().map(|it| (it.name.value.clone(), it.value)).collect(),
            bindings: bindings.into_iter().map(|it| (key(&it), it.value)).collect(),
        }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::SetIdentity { name, labels } => self.identity = (name, labels),
            Step::SetTrust(trust) => self.trust = trust,
            Step::SetHost(host) => self.host = host,
            Step::StartProvider(new) => {
                let old = self.providers.insert(new.name.value.clone(), new.value);
                assert_eq!(old, None, "started twice");
            }
            Step::ReplaceProvider(new) => {
                let old = self.providers.insert(new.name.value.clone(), new.value);
                assert!(old.is_some(), "replaced nothing");
            }
            Step::StartActor(new) => {
                assert_eq!(self.actors.insert(new.id().to_owned(), new.value), None, "twice");
            }
            Step::ReplaceActor { old, new } => {
                assert!(self.actors.remove(&old).is_some(), "replaced nothing");
                assert_eq!(self.actors.insert(new.id().to_owned(), new.value), None, "twice");
            }
            Step::Unbind(old) => {
                assert_eq!(self.bindings.remove(&key(&old)), Some(old.value), "unbound nothing");
            }
            Step::Rebind(new) => {
                assert!(self.bindings.insert(key(&new), new.value).is_some(), "rebound nothing");
            }
            Step::Bind(new) => {
                assert_eq!(self.bindings.insert(key(&new), new.value), None, "bound twice");
            }
            Step::StopActor(id) => assert!(self.actors.remove(&id).is_some(), "stopped nothing"),
            Step::StopProvider(name) => {
                assert!(self.providers.remove(&name).is_some(), "stopped nothing");
            }
        }
    }
}

fn manifest(text: &str) -> Manifest {
    let source = SourceText::new("app.yaml", text, Format::Yaml);
    read(&source, &|_| None).unwrap_or_else(|report| panic!("{text}\n{report}"))
}

/// A manifest of a few names, so that two of them often have parts in common.
fn any_manifest() -> impl Strategy<Value = Manifest> {
    let actor = (0..4_u8, 0..3_u8, 0..3_u8);
    let actors = prop::collection::vec(actor, 0..4);
    let providers = prop::collection::btree_map(0..3_u8, 0..3_u8, 0..3);
    let bindings = prop::collection::btree_map((0..3_u8, 0..2_u8), 0..3_u8, 0..5);
    let settings = (0..2_u8, 0..2_u8, 0..2_u8);
    (actors, providers, bindings, settings).prop_map(|(actors, providers, bindings, settings)| {
        let mut text = format!(
            "name: n{}\ntrust: {{issuers: [A{}]}}\nhost: {{drain: {}}}\n",
            settings.0, settings.1, settings.2
        );
        text.push_str("actors:\n");
        let (mut names, mut images) = (BTreeSet::new(), BTreeSet::new());
        for (name, image, max) in actors {
            // 0 stands for an actor without a name.
            if images.insert(image) && (name == 0 || names.insert(name)) {
                let name = if name == 0 { String::new() } else { format!("name: a{name}, ") };
                let max = max + 1;
                text += &format!("- {{image: i{image}, {name}instances: {{max: {max}}}}}\n");
            }
        }
        text.push_str("providers:\n");
        for (name, value) in providers {
            text += &format!("- {{builtin: b, name: p{name}, values: {{V: {value}}}}}\n");
        }
        text.push_str("bindings:\n");
        for ((actor, capability), value) in bindings {
            text += &format!(
                "- {{actor: a{actor}, capability: c{capability}, values: {{V: {value}}}}}\n"
            );
        }
        manifest(&text)
    })
}

proptest! {
    #[test]
    fn the_steps_lead_from_actual_to_desired(actual in any_manifest(), desired in any_manifest()) {
        let mut model = Model::of(&actual);
        diff(&actual, &desired).into_iter().for_each(|step| model.take(step));
        prop_assert_eq!(model, Model::of(&desired));
        prop_assert_eq!(diff(&desired, &desired), []);
    }

    #[test]
    fn what_did_not_change_gets_no_step(before in any_manifest(), changed in any_manifest()) {
        let mut after = before.clone();
        after.trust = changed.trust;
        let expected = usize::from(before.trust != after.trust);
        prop_assert_eq!(diff(&before, &after).len(), expected);
    }
}

#[test]
fn new_things_start_before_old_ones_stop() {
    let actual = manifest(
        "
actors: [{image: old.wasm}, {image: kept.wasm, name: kept}, {image: same.wasm, name: before}]
providers: [{builtin: logging}, {builtin: keyvalue-embedded, name: store}]
bindings:
  - {actor: kept, capability: wascc:logging}
  - {actor: kept, capability: wascc:keyvalue, values: {A: 1}}
",
    );
    let desired = manifest(
        "
# A comment and another order are no change.
providers: [{name: store, builtin: keyvalue-redis}, {builtin: http-server}]
actors: [{name: after, image: same.wasm}, {image: new.wasm}, {image: kept-2.wasm, name: kept}]
bindings:
  - {actor: kept, capability: wascc:http_server}
  - {actor: kept, capability: wascc:keyvalue, values: {A: 2}}
",
    );
    let steps = diff(&actual, &desired);
    let named: Vec<String> = steps
        .iter()
        .map(|step| match step {
            Step::StartProvider(new) => format!("start provider {}", new.name),
            Step::ReplaceProvider(new) => format!("replace provider {}", new.name),
            Step::StartActor(new) => format!("start actor {}", new.id()),
            Step::ReplaceActor { old, new } => format!("replace actor {old} by {}", new.image),
            Step::Unbind(old) => format!("unbind {:?}", old.id()),
            Step::Rebind(new) => format!("rebind {:?}", new.id()),
            Step::Bind(new) => format!("bind {:?}", new.id()),
            Step::StopActor(id) => format!("stop actor {id}"),
            Step::StopProvider(name) => format!("stop provider {name}"),
            other => format!("{other:?}"),
        })
        .collect();
    assert_eq!(
        named,
        [
            "start provider http-server",
            "replace provider store",
            "start actor new.wasm",
            "replace actor kept by kept-2.wasm",
            "replace actor before by same.wasm",
            "unbind (\"kept\", \"wascc:logging\", \"default\")",
            "rebind (\"kept\", \"wascc:keyvalue\", \"default\")",
            "bind (\"kept\", \"wascc:http_server\", \"default\")",
            "stop actor old.wasm",
            "stop provider logging",
        ]
    );
}
