//! The bindings a manifest wants: claimed by their actor, served by a provider, values known.

use std::sync::Arc;

use trellis_core::{BindingName, Code, Contract};
use trellis_manifest::{BindingSpec, Manifest, Problem};
use trellis_providers_sdk::{Scope, Values};

use super::{
    Ground, PreparedActor, PreparedLink, PreparedProvider, Providers, builtin, check_values,
    plain_values,
};
use crate::world::LinkKey;

/// The contract that needs no binding: an actor that claims it gets it, as in waSCC.
const SELF_BINDING: &str = "wascc:extras";
/// The built-in provider that serves it.
const SELF_BINDING_PROVIDER: &str = "extras";

/// Checks every binding and adds those that need not be written.
pub(super) fn prepare(
    manifest: &Manifest,
    actors: &[Option<PreparedActor>],
    providers: &mut Providers,
    ground: &Ground<'_>,
    problems: &mut Vec<Problem>,
) -> Vec<PreparedLink> {
    let mut links: Vec<PreparedLink> = Vec::new();
    for binding in &manifest.bindings {
        let spec = &binding.value;
        let link = match one(spec, manifest, actors, providers) {
            Ok(Some(link)) => link,
            Ok(None) => continue,
            Err(problem) => {
                problems.push(*problem);
                continue;
            }
        };
        if links.iter().any(|other| LinkKey::of(other) == LinkKey::of(&link)) {
            let sentence = format!(
                "`{}` is already bound to {} under the name `{}`",
                link.actor, link.contract.id, link.binding
            );
            problems
                .push(Problem::new(binding.span, sentence).help("give one of them another `name`"));
            continue;
        }
        let settings = providers[&link.provider].descriptor.settings;
        check_values(&spec.values, &link.values, (Scope::Binding, settings), problems);
        links.push(link);
    }
    self_bind(actors, providers, ground, &mut links);
    links
}

/// `Ok(None)` when the binding hangs on an actor that already has a problem of its own.
fn one(
    spec: &BindingSpec,
    manifest: &Manifest,
    actors: &[Option<PreparedActor>],
    providers: &Providers,
) -> Result<Option<PreparedLink>, Box<Problem>> {
    let Some(actor) = find_actor(&spec.actor.value, actors) else {
        if actors.iter().any(Option::is_none) {
            return Ok(None);
        }
        let names: Vec<_> = actors.iter().flatten().map(|actor| &*actor.name).collect();
        let mut problem = Problem::unknown(spec.actor.span, "actor", &spec.actor.value, names);
        if manifest.actors.is_empty() {
            problem = problem.help("list the actor under `actors` first");
        }
        return Err(Box::new(problem));
    };
    let (provider, contract) = find_provider(spec, providers)?;
    let claimed = actor.verified.claims().caps.iter().any(|cap| contract.answers_to(cap));
    if !claimed {
        let sentence = format!(
            "actor `{}` is not authorized to use capability {}: its claims do not list it",
            actor.name, contract.id
        );
        let cure = format!("sign it again with `--cap {}`", contract.id);
        return Err(Box::new(
            Problem::new(spec.capability.span, sentence).code(Code::Denied).help(cure),
        ));
    }
    Ok(Some(PreparedLink {
        actor: Arc::clone(&actor.name),
        contract: Arc::new(contract),
        binding: BindingName::new(&spec.name.value),
        provider,
        values: plain_values(&spec.values),
    }))
}

/// By its name in the manifest, its key, or its call alias.
fn find_actor<'a>(name: &str, actors: &'a [Option<PreparedActor>]) -> Option<&'a PreparedActor> {
    let claims = |actor: &'a PreparedActor| actor.verified.claims();
    let actors = || actors.iter().flatten();
    actors()
        .find(|actor| &*actor.name == name || claims(actor).subject.as_str() == name)
        .or_else(|| actors().find(|actor| claims(actor).call_alias.as_deref() == Some(name)))
}

fn find_provider(
    spec: &BindingSpec,
    providers: &Providers,
) -> Result<(Arc<str>, Contract), Box<Problem>> {
    let serving: Vec<_> = (providers.values())
        .filter_map(|provider| Some((provider, serves(provider, &spec.capability.value)?)))
        .collect();
    if let Some(wanted) = &spec.provider {
        let known = providers.keys().map(|name| &**name);
        if !providers.contains_key(wanted.value.as_str()) {
            return Err(Box::new(Problem::unknown(wanted.span, "provider", &wanted.value, known)));
        }
        let found = serving.iter().find(|(provider, _)| *provider.name == *wanted.value);
        let sentence =
            format!("provider `{}` does not serve {}", wanted.value, spec.capability.value);
        return found
            .map(|(provider, contract)| (Arc::clone(&provider.name), (*contract).clone()))
            .ok_or_else(|| Box::new(Problem::new(wanted.span, sentence)));
    }
    match serving.as_slice() {
        [(provider, contract)] => Ok((Arc::clone(&provider.name), (*contract).clone())),
        [] => {
            let sentence = format!("no provider here serves {}", spec.capability.value);
            let served: Vec<_> = (providers.values())
                .flat_map(|provider| &provider.descriptor.contracts)
                .map(|contract| contract.id.as_str())
                .collect();
            let help = format!("add one under `providers`; served are: {}", served.join(", "));
            Err(Box::new(
                Problem::new(spec.capability.span, sentence).code(Code::NotFound).help(help),
            ))
        }
        several => {
            // In the original manifests a provider may say which binding name it serves.
            let mut named = several.iter().filter(|(provider, _)| {
                provider.binding_name.as_deref() == Some(spec.name.value.as_str())
            });
            if let (Some((provider, contract)), None) = (named.next(), named.next()) {
                return Ok((Arc::clone(&provider.name), (*contract).clone()));
            }
            let names: Vec<_> = several.iter().map(|(provider, _)| &*provider.name).collect();
            let sentence = format!("several providers serve {}", spec.capability.value);
            let help = format!("name one: `provider: {}`", names.join("` or `provider: "));
            Err(Box::new(Problem::new(spec.capability.span, sentence).help(help)))
        }
    }
}

fn serves<'a>(provider: &'a PreparedProvider, capability: &str) -> Option<&'a Contract> {
    provider.descriptor.contracts.iter().find(|contract| contract.answers_to(capability))
}

fn self_bind(
    actors: &[Option<PreparedActor>],
    providers: &mut Providers,
    ground: &Ground<'_>,
    links: &mut Vec<PreparedLink>,
) {
    let Some(made) = builtin(ground.builtins, SELF_BINDING_PROVIDER) else { return };
    let Some(contract) = serves(&made, SELF_BINDING).map(|contract| Arc::new(contract.clone()))
    else {
        return;
    };
    let claims = |actor: &PreparedActor| {
        actor.verified.claims().caps.iter().any(|cap| contract.answers_to(cap))
    };
    for actor in actors.iter().flatten().filter(|actor| claims(actor)) {
        if links.iter().any(|link| link.actor == actor.name && link.contract.id == contract.id) {
            continue;
        }
        let serving = providers.values().find(|provider| serves(provider, SELF_BINDING).is_some());
        let provider = Arc::clone(serving.map_or(&made.name, |provider| &provider.name));
        providers.entry(Arc::clone(&provider)).or_insert_with(|| made.clone());
        links.push(PreparedLink {
            actor: Arc::clone(&actor.name),
            contract: Arc::clone(&contract),
            binding: BindingName::default(),
            provider,
            values: Values::default(),
        });
    }
}
