use std::collections::BTreeMap;

use trellis_dispatch::Tally;
use trellis_manifest::{BindingSpec, Format, SourceText, read};

use super::super::besides::Ids;
use super::super::version::Replacement;
use super::super::watch::Terms;
use super::*;

const OWN: &str = "
actors: [{image: a.wasm, name: a}]
providers: [{builtin: keyvalue-embedded, name: s}]
bindings: [{actor: a, capability: c, values: {A: b}}]
";

fn manifest(text: &str) -> Manifest {
    let source = SourceText::new("a.yaml", text, Format::Yaml);
    read(&source, &|_| None).unwrap_or_else(|report| panic!("{report}"))
}

/// The binding of a contract that a manifest has, as one that is other.
fn rebound(
    own: Option<BindingSpec>,
    capability: &str,
    provider: &str,
) -> ((String, String), Rebound) {
    let text = format!(
        "actors: [a.wasm]\nproviders: [{{builtin: keyvalue-embedded, name: {provider}}}]\n\
         bindings: [{{actor: a, capability: {capability}, provider: {provider}}}]\n"
    );
    let now = Some(manifest(&text).bindings[0].value.clone());
    let one = |text: &str| vec![text.to_owned()];
    let name = "default".to_owned();
    let ids = Ids { actors: one("a"), contracts: one(capability), name: name.clone() };
    ((capability.to_owned(), name), Rebound { ids, own, now })
}

fn version(image: &str, instances: Option<u32>, capabilities: &[&str]) -> Arc<Version> {
    let own = manifest(OWN);
    let binding = |capability: &&str| {
        let own = (*capability == "c").then(|| own.bindings[0].value.clone());
        rebound(own, capability, "s")
    };
    let bindings: BTreeMap<_, _> = capabilities.iter().map(binding).collect();
    let besides = Besides { stopped: false, instances, bindings };
    Arc::new(Version {
        replacement: Replacement::Actor { name: "a".to_owned(), image: image.to_owned() },
        what: what(None, &besides),
        keeps: String::new(),
        besides,
        file: None,
        named: None,
        origin: 2,
        part: OnceLock::new(),
    })
}

/// An edit of what [`OWN`] has: another version, fewer instances, and two bindings.
fn edit() -> InForce {
    let terms = Terms { calls: 1, time: std::time::Duration::from_secs(1), errors_percent: 50 };
    InForce {
        version: version("/2.wasm", Some(3), &["c", "d"]),
        base: Entry::Actor(manifest(OWN).actors[0].value.clone()),
        file: None,
        base_part: None,
        before: Some(version("a.wasm", None, &["c"])),
        sound: Some(version("/1.wasm", None, &["c", "d"])),
        revision: 4,
        watched: Some((terms, Tally::default())),
        untried: false,
    }
}

fn ended_by(text: &str, is_other: bool) -> Option<Ended> {
    let there = manifest(text);
    let has = |name: &str| there.providers.iter().any(|it| it.value.name.value == name);
    ended((&Subject::actor("a"), &edit()), &there, is_other, has)
}

fn bound(version: &Version) -> Vec<&str> {
    version.besides.bindings.keys().map(|(contract, _)| &**contract).collect()
}

#[test]
fn what_the_manifest_leaves_alone_holds() {
    assert!(ended_by(OWN, false).is_none());
    let more = OWN.replace("actors: [", "actors: [b.wasm, ");
    assert!(ended_by(&more, false).is_none(), "that is somebody else's");
}

#[test]
fn an_entry_that_is_said_anew_leaves_the_bindings() {
    let scaled = OWN.replace("name: a}", "name: a, instances: {max: 3}}");
    for (text, is_other) in [(&*scaled, false), (OWN, true)] {
        let ended = ended_by(text, is_other).expect("the entry is another one");
        assert!(ended.entry, "{ended:?}");
        assert_eq!(ended.what, "limited to 3 instances");
        let left = ended.left.expect("its bindings are nobody else's");
        assert_eq!(bound(&left.version), ["c", "d"]);
        let Replacement::Actor { image, .. } = &left.version.replacement else { panic!() };
        assert_eq!((&**image, left.version.besides.instances), ("a.wasm", None));
        assert!(left.watched.is_none() && left.sound.is_none(), "that was the other version's");
        let Entry::Actor(base) = &left.base else { panic!("it is an actor") };
        assert_eq!(*base, manifest(text).actors[0].value, "it lies over what is said now");
    }
}

#[test]
fn a_binding_that_is_said_anew_leaves_the_rest() {
    let adopted = OWN.replace("{A: b}}", "{A: b}}, {actor: a, capability: d, provider: s}");
    let ended = ended_by(&adopted, false).expect("one is the manifest's by now");
    assert_eq!((ended.entry, &*ended.what), (false, "bound to d"));
    let left = ended.left.expect("the rest is not");
    assert_eq!((bound(&left.version), left.version.besides.instances), (vec!["c"], Some(3)));
    assert_eq!(left.version.what, "limited to 3 instances, bound to c");
    assert!(left.watched.is_some(), "its version is judged as before");
    // What it goes back to would be in the manifest's way as well.
    assert_eq!(left.sound.as_deref().map(bound), Some(vec!["c"]));
    assert_eq!(left.before.as_deref().map(bound), Some(vec!["c"]));
    // And where the manifest's own is another one, that of both.
    let changed = OWN.replace("{A: b}", "{A: z}");
    let left = ended_by(&changed, false).and_then(|it| it.left).expect("the rest");
    assert_eq!(bound(&left.version), ["d"]);
    assert!(left.before.is_none(), "nothing was other but that");
}

#[test]
fn what_a_binding_needs_and_is_gone_ends_that_alone() {
    let without = OWN.replace("providers: [{builtin: keyvalue-embedded, name: s}]", "");
    let ended = ended_by(&without, false).expect("it is gone");
    assert_eq!((ended.entry, &*ended.what), (false, "bound to c, bound to d"));
    let left = ended.left.expect("its version is there");
    assert_eq!((bound(&left.version).len(), left.version.besides.instances), (0, Some(3)));
}

#[test]
fn of_what_is_gone_nothing_is_left() {
    let ended = ended_by("actors: [b.wasm]\n", false).expect("it is gone");
    assert!(ended.entry && ended.left.is_none(), "{ended:?}");
}

#[test]
fn what_is_gone_back_to_fits_the_manifest_as_it_is() {
    let own = manifest(OWN);
    let (subject, base) = (Subject::actor("a"), Entry::Actor(own.actors[0].value.clone()));
    let of = |version: &Arc<Version>, text: &str| {
        fitting_over(version, (&subject, &base), &manifest(text))
    };
    let whole = version("/2.wasm", None, &["c", "d"]);
    assert!(of(&whole, OWN).is_some_and(|same| Arc::ptr_eq(&same, &whole)));
    let adopted = OWN.replace("{A: b}}", "{A: b}}, {actor: a, capability: d, provider: s}");
    assert_eq!(of(&whole, &adopted).as_deref().map(bound), Some(vec!["c"]));
    assert!(of(&version("a.wasm", None, &["d"]), &adopted).is_none(), "the manifest says it all");
}
