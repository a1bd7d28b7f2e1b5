//! Bindings that name an actor by a call alias which several actors have.

use std::collections::{BTreeMap, HashSet};

use trellis_manifest::{BindingSpec, Manifest, Problem};

use super::parts::PreparedActor;
use super::warning::Warning;

/// What a binding of an alias that several actors have is for as long as it is there.
const DOUBTFUL: Option<&str> = Some("a binding may be meant for another actor");

/// Says of each such binding whose it is.
pub(super) fn warnings(manifest: &Manifest, actors: &[Option<PreparedActor>]) -> Vec<Warning> {
    let mut exact = HashSet::new();
    let mut aliases: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for actor in actors.iter().flatten() {
        let claims = actor.verified.claims();
        exact.extend([&*actor.name, claims.subject.as_str()]);
        if let Some(alias) = claims.call_alias.as_deref() {
            aliases.entry(alias).or_default().push(&actor.name);
        }
    }
    let bindings = manifest.bindings.iter().map(|binding| &binding.value);
    let by_alias = bindings.filter(|spec| !exact.contains(spec.actor.value.as_str()));
    let warning = |spec: &BindingSpec| {
        let [first, others @ ..] = &**aliases.get(spec.actor.value.as_str())? else { return None };
        let also = others.first()?;
        let message = format!(
            "actors `{first}` and `{also}` have the same call alias, `{}`: this binding is that of \
             `{first}`, which the manifest names first",
            spec.actor.value
        );
        let help = format!("name the actor that is meant: `actor: {first}` or `actor: {also}`");
        let problem = Problem::new(spec.actor.span, message).help(help);
        Some(Warning { problem, lasting: DOUBTFUL })
    };
    by_alias.filter_map(warning).collect()
}
