//! Which provider a binding means. What is mistyped stands for what it probably means, once that
//! was reported, so that the rest of the binding is checked as well.

use std::sync::Arc;

use trellis_core::{Code, Contract, nearest_contract, nearest_name};
use trellis_manifest::{BindingSpec, Problem, Spanned};
use trellis_providers_sdk::Descriptor;

use super::context::PrepareContext;
use super::parts::PreparedProvider;
use super::providers::Found;

type Serving = (Arc<str>, Contract);

/// The provider of a binding and the contract that it serves; `None` after a problem was reported,
/// here or of what the binding names.
pub(super) fn find_provider(
    spec: &BindingSpec,
    (providers, context): (&Found, &PrepareContext<'_>),
    problems: &mut Vec<Problem>,
) -> Option<Serving> {
    match &spec.provider {
        Some(wanted) => named(spec, wanted, providers, problems),
        None => serving(spec, (providers, context), problems),
    }
}

/// The provider that a binding names.
fn named(
    spec: &BindingSpec,
    wanted: &Spanned<String>,
    providers: &Found,
    problems: &mut Vec<Problem>,
) -> Option<Serving> {
    let known = &providers.known;
    // A provider without a name of its own is called what it is, and that may be mistyped.
    let called = |it: &&PreparedProvider| {
        providers.guessed.contains(&it.name) && it.descriptor.name == wanted.value
    };
    let provider = known.get(wanted.value.as_str()).or_else(|| known.values().find(called));
    if let Some(provider) = provider {
        let contract = contract(spec, &provider.descriptor.contracts, problems, |near| {
            let served: Vec<_> =
                provider.descriptor.contracts.iter().map(|contract| contract.id.as_str()).collect();
            let sentence =
                format!("provider `{}` does not serve {}", wanted.value, spec.capability.value);
            let help = format!("{near}it serves {}", served.join(", "));
            Problem::new(wanted.span, sentence).help(help)
        })?;
        return Some((Arc::clone(&provider.name), contract));
    }
    if providers.lacks {
        return None;
    }
    let names = || known.keys().map(|name| &**name);
    problems.push(Problem::unknown(wanted.span, "provider", &wanted.value, names()));
    let meant = known.get(nearest_name(&wanted.value, names())?)?;
    let contract = meant.descriptor.contract(&spec.capability.value)?;
    Some((Arc::clone(&meant.name), contract.clone()))
}

/// The one of these contracts that a binding means; after `wrong` was reported, which is told the
/// nearest one, that.
fn contract(
    spec: &BindingSpec,
    contracts: &[Contract],
    problems: &mut Vec<Problem>,
    wrong: impl FnOnce(&str) -> Problem,
) -> Option<Contract> {
    let wanted = &spec.capability.value;
    if let Some(contract) = contracts.iter().find(|contract| contract.answers_to(wanted)) {
        return Some(contract.clone());
    }
    let ids = contracts.iter().flat_map(|it| std::iter::once(&it.id).chain(it.aliases.iter()));
    let ids: Vec<_> = ids.map(|id| id.as_str()).collect();
    let near = nearest_contract(wanted, ids.iter().copied());
    problems.push(wrong(&near.map_or_else(String::new, |near| format!("did you mean `{near}`? "))));
    let near = near?;
    contracts.iter().find(|contract| contract.answers_to(near)).cloned()
}

/// The only provider that serves what a binding wants.
fn serving(
    spec: &BindingSpec,
    (providers, context): (&Found, &PrepareContext<'_>),
    problems: &mut Vec<Problem>,
) -> Option<Serving> {
    let wanted = &spec.capability.value;
    let serves = |provider: &&PreparedProvider| provider.descriptor.contract(wanted).is_some();
    let mut serving: Vec<_> = providers.known.values().filter(serves).collect();
    if serving.len() > 1 {
        serving.retain(|provider| !providers.guessed.contains(&provider.name));
    }
    // The choice was made before any of those came that edits bring.
    let came = |provider: &PreparedProvider| context.meaning.came(&provider.name);
    if let Some(first) = serving.iter().map(|provider| came(provider)).min() {
        serving.retain(|provider| came(provider) == first);
    }
    match serving.as_slice() {
        [one] => Some((Arc::clone(&one.name), one.descriptor.contract(wanted)?.clone())),
        [] => unserved(spec, (providers, context), problems),
        several => {
            // In the original manifests a provider may say which binding name it serves.
            let mut named = several.iter().filter(|provider| {
                provider.binding_name.as_deref() == Some(spec.name.value.as_str())
            });
            if let (Some(one), None) = (named.next(), named.next()) {
                return Some((Arc::clone(&one.name), one.descriptor.contract(wanted)?.clone()));
            }
            let names: Vec<_> = several.iter().map(|provider| &*provider.name).collect();
            let sentence = format!("several providers serve {wanted}");
            let help = format!("name one: `provider: {}`", names.join("` or `provider: "));
            problems.push(Problem::new(spec.capability.span, sentence).help(help));
            None
        }
    }
}

/// A capability that no provider of the manifest serves: one of the host may, or it is mistyped.
fn unserved(
    spec: &BindingSpec,
    (providers, context): (&Found, &PrepareContext<'_>),
    problems: &mut Vec<Problem>,
) -> Option<Serving> {
    let wanted = &spec.capability;
    let sentence = format!("no provider here serves {}", wanted.value);
    let problem = Problem::new(wanted.span, sentence).code(Code::NotFound);
    let builtins: Vec<Descriptor> =
        context.builtins.iter().map(|factory| factory.descriptor()).collect();
    if let Some(one) = builtins.iter().find(|one| one.contract(&wanted.value).is_some()) {
        // It may be the one of which nothing is known.
        if !providers.lacks {
            let help = format!("add `{{builtin: {}}}` under `providers`", one.name);
            problems.push(problem.help(help));
        }
        return None;
    }
    let contracts: Vec<_> = builtins.iter().flat_map(|one| one.contracts.to_vec()).collect();
    let known = || contracts.iter().map(|contract| contract.id.as_str());
    if providers.lacks_a_program && nearest_contract(&wanted.value, known()).is_none() {
        // Nothing is like it, so it is probably what that program serves.
        return None;
    }
    let meant = contract(spec, &contracts, problems, |near| {
        let served: Vec<_> = (providers.known.values())
            .flat_map(|provider| provider.descriptor.contracts.iter())
            .map(|contract| contract.id.as_str())
            .collect();
        let served = match &*served {
            [] => "add a provider that does under `providers`".to_owned(),
            served => format!("served are: {}", served.join(", ")),
        };
        problem.help(format!("{near}{served}"))
    })?;
    let id = meant.id.as_str();
    let mut serving =
        providers.known.values().filter(|provider| provider.descriptor.contract(id).is_some());
    match (serving.next(), serving.next()) {
        (Some(one), None) => Some((Arc::clone(&one.name), meant)),
        _ => None,
    }
}
