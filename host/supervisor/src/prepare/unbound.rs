//! Capabilities that an actor claims and nothing binds.

use std::collections::BTreeSet;
use std::sync::Arc;

use trellis_claims::PublicKey;
use trellis_core::Code;
use trellis_manifest::{Manifest, Problem};
use trellis_providers_sdk::{Descriptor, ProviderFactory};

use super::context::PrepareContext;
use super::parts::{PreparedActor, PreparedBinding, PreparedProvider};
use super::providers::Providers;
use super::warning::Warning;

/// Says of each signed actor what it claims and cannot use. Legal, since claims may be wider than
/// one application needs, and a common reason why a call is denied.
pub(super) fn warnings(
    manifest: &Manifest,
    (actors, bindings): (&[Option<PreparedActor>], &[PreparedBinding]),
    providers: &Providers,
    context: &PrepareContext<'_>,
) -> Vec<Warning> {
    let bound: BTreeSet<(&str, &str)> =
        bindings.iter().map(|binding| (&*binding.actor, binding.contract.id.as_str())).collect();
    let builtins = context.builtins.iter().map(|factory| (factory, factory.descriptor()));
    // Those of the manifest as well: a program serves what no host knows.
    let wanted = providers.values().map(|it| (&it.factory, Descriptor::clone(&it.descriptor)));
    let known: Vec<_> = builtins.chain(wanted).collect();
    let (mut warnings, meaning) = (Vec::new(), &context.meaning);
    for (spec, actor) in manifest.actors.iter().zip(actors) {
        // What an unsigned module may use is decided by the host, not by who made it.
        let Some(actor) = actor.as_ref().filter(|actor| !actor.verified.is_unsigned()) else {
            continue;
        };
        let name = &*actor.name;
        for cap in &actor.verified.claims().caps {
            // Under waSCC's rule the key of an actor that may be called.
            if PublicKey::parse(cap).is_ok() {
                continue;
            }
            let serving = known.iter().find_map(|(factory, descriptor)| {
                Some((*factory, descriptor.contract(cap)?.id.as_str()))
            });
            let is_meant = |id: &str| bound.contains(&(name, id)) || meaning.is_unbound(name, id);
            if serving.is_some_and(|(_, id)| is_meant(id)) {
                continue;
            }
            let sentence = format!("actor `{name}` claims {cap}, and nothing binds it");
            let help = match serving {
                Some((factory, id)) => cure(name, id, factory, providers),
                None => "no provider of this host serves it; is the contract's name right?".into(),
            };
            let problem = Problem::new(spec.value.image.span, sentence).code(Code::Denied);
            warnings.push(Warning::of_useless_claim(problem.help(help)));
        }
    }
    warnings
}

fn cure(
    actor: &str,
    contract: &str,
    factory: &Arc<dyn ProviderFactory>,
    providers: &Providers,
) -> String {
    let binding = |more: &str| {
        format!("`{{actor: {actor}, capability: '{contract}'{more}}}` under `bindings`")
    };
    let serves = |it: &&PreparedProvider| it.descriptor.contract(contract).is_some();
    let serving: Vec<_> = providers.values().filter(serves).map(|it| &*it.name).collect();
    match &serving[..] {
        [] => {
            let name = factory.descriptor().name;
            format!("add {} and a provider such as `{{builtin: {name}}}`", binding(""))
        }
        [_] => format!("add {}, or sign the actor without the capability", binding("")),
        [first, others @ ..] => format!(
            "add {} (or {}), or sign the actor without the capability",
            binding(&format!(", provider: {first}")),
            others.join(", ")
        ),
    }
}
