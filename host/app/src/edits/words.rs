//! Edits in words: never a value, which may be a secret.

use trellis_control::ComponentKind;
use trellis_core::BindingName;
use trellis_manifest::BindingSpec;

use super::besides::{Besides, Rebound};
use super::subject::Subject;

/// What a replacement is, in words.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Named {
    pub(crate) what: String,
    /// What the manifest's entry would say, with all that is other than it says now.
    pub(crate) keeps: String,
    /// Of a provider what implements it, as it was asked for, where the manifest has another one.
    pub(crate) to: Option<String>,
}

/// What something is by an edit.
pub(super) fn what(named: Option<&Named>, besides: &Besides) -> String {
    let Besides { stopped, instances, bindings } = besides;
    let named = named.map(|named| named.what.clone());
    let instances = instances.map(|most| format!("limited to {most} instances"));
    let bound = bindings.iter().map(|((contract, name), it)| {
        let word = if it.now.is_some() { "bound" } else { "not bound" };
        let called = if name == BindingName::DEFAULT { "" } else { &format!(" as {name}") };
        format!("{word} to {contract}{called}")
    });
    let all = named.into_iter().chain(instances).chain(bound);
    all.chain(stopped.then(|| "stopped".to_owned())).collect::<Vec<_>>().join(", ")
}

/// What the manifest would have to say to keep it, after "to keep it,".
pub(super) fn keeps(
    (subject, is_new): (&Subject, bool),
    named: Option<&Named>,
    besides: &Besides,
) -> String {
    let Besides { stopped, instances, bindings } = besides;
    let own = named.map(|named| named.keeps.clone());
    let instances = instances.map(|most| format!("`instances: {{max: {most}}}`"));
    // Without its name it would be another one.
    let name = is_new.then(|| format!("`name: {}`", subject.name));
    let entry: Vec<_> = own.into_iter().chain(instances).chain(name).collect();
    let entry = (!entry.is_empty()).then(|| entry.join(" and "));
    let list = match subject.kind {
        ComponentKind::Actor => "actors",
        ComponentKind::Provider => "providers",
    };
    let entry = match (stopped, entry, is_new) {
        (true, _, false) => Some(format!("take {subject} out of the manifest")),
        (true, _, true) => Some(format!("leave {subject} out of the manifest")),
        (false, Some(entry), false) => {
            Some(format!("write {entry} in the manifest's entry of {subject}"))
        }
        (false, Some(entry), true) => {
            Some(format!("write {entry} in an entry of the manifest's `{list}`"))
        }
        (false, None, _) => None,
    };
    // Of what is not there nothing else is to be said.
    let bindings = bindings.iter().filter(|_| !stopped).map(|((contract, _), it)| match it {
        Rebound { now: Some(now), own: None, .. } => {
            format!("write `{}` under the manifest's `bindings`", written(now))
        }
        Rebound { now: Some(now), own: Some(_), .. } => {
            let written = written(now);
            format!("write `{written}` in the place of its binding under the manifest's `bindings`")
        }
        Rebound { now: None, .. } => {
            format!("take its binding to {contract} out of the manifest")
        }
    });
    entry.into_iter().chain(bindings).collect::<Vec<_>>().join("; ")
}

/// A binding as a manifest has it.
fn written(spec: &BindingSpec) -> String {
    let BindingSpec { actor, capability, name, provider, values } = spec;
    let named = (name.value != BindingName::DEFAULT).then(|| format!("name: {}", name.value));
    let provider = provider.as_ref().map(|it| format!("provider: {}", it.value));
    let keys: Vec<_> = values.iter().map(|(key, _)| format!("{}: …", key.value)).collect();
    let values = (!keys.is_empty()).then(|| format!("values: {{{}}}", keys.join(", ")));
    let ends = [format!("actor: {}", actor.value), format!("capability: {}", capability.value)];
    let all = ends.into_iter().chain(named).chain(provider).chain(values);
    format!("{{{}}}", all.collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_what_a_manifest_can_say() {
        let (actor, to) = (Subject::actor("a"), None);
        let named = Named { what: "/a".into(), keeps: "`x`".into(), to };
        let scaled = Besides { instances: Some(3), ..Besides::default() };
        assert_eq!(what(Some(&named), &scaled), "/a, limited to 3 instances");
        let told = keeps((&actor, false), Some(&named), &scaled);
        let entry = "write `x` and `instances: {max: 3}` in the manifest's entry of actor a";
        assert_eq!(told, entry);
        let told = keeps((&actor, true), Some(&named), &scaled);
        let entry = "write `x` and `instances: {max: 3}` and `name: a` in an entry of the";
        assert_eq!(told, format!("{entry} manifest's `actors`"), "or it would be another one");
        let stopped = Besides { stopped: true, ..scaled };
        assert_eq!(what(None, &stopped), "limited to 3 instances, stopped");
        assert_eq!(keeps((&actor, false), None, &stopped), "take actor a out of the manifest");
        assert_eq!(keeps((&actor, true), None, &stopped), "leave actor a out of the manifest");
    }
}
