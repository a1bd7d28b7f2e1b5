//! Edits of what an actor is bound to.

use std::collections::BTreeMap;

use trellis_core::{CallError, Code, nearest_contract, nearest_name};
use trellis_manifest::{BindingSpec, Span, TextPairs};
use trellis_supervisor::Parts;

use super::base::Base;
use super::besides::{Ids, Rebound};
use super::next::{Drafted, Now, check_name};
use super::provider::changed;
use super::version::brought;

/// The provider that is asked for, the values to set and those to take away.
type How<'a> = (Option<&'a str>, &'a BTreeMap<String, String>, &'a [String]);

/// A binding that somebody asks for, as it is now.
struct Asked {
    /// Its contract and its name.
    key: (String, String),
    ids: Ids,
    /// What the manifest has.
    own: Option<BindingSpec>,
    /// What there is; `None` is nothing that is written anywhere.
    now: Option<BindingSpec>,
}

/// An actor is to use a capability.
///
/// # Errors
/// [`Code::Message`] when several providers serve it, or not the one that is named, or for a value
/// that is not there to take away; [`Code::NotFound`] when nothing serves it, or nothing has that
/// name.
pub(super) fn bind(
    now: Now<'_>,
    (capability, name): (&str, &str),
    (provider, set, unset): How<'_>,
    (base, parts): (&Base, &Parts),
) -> Result<Drafted, CallError> {
    let Asked { key, ids, own, now: before } = asked(&now, (capability, name), (base, parts))?;
    let of = |spec: &BindingSpec| spec.provider.as_ref().map(|it| it.value.clone());
    let had = before.as_ref().and_then(of);
    provider.map_or(Ok(()), |named| check_serves((capability, &key.0), named, parts))?;
    let provider = match provider.map(str::to_owned).or_else(|| had.clone()) {
        None => the_only_one((capability, &key.0), before.is_some(), parts)?,
        named => named,
    };
    // The values of one provider mean nothing to another.
    let meant = parts.provider_of((&now.subject.name, &key.0, &key.1)).map(str::to_owned);
    let stays = provider.is_none() || provider == had.or(meant);
    let values = before.filter(|_| stays).map(|it| it.values).unwrap_or_default();
    // It stands nowhere in the manifest.
    let at = Span::default();
    let spec = BindingSpec {
        actor: brought(now.subject.name.clone(), at),
        capability: brought(key.0.clone(), at),
        name: brought(key.1.clone(), at),
        provider: provider.map(|name| brought(name, at)),
        values: changed(values, (set, unset), at)?,
    };
    let mut besides = now.besides();
    if own.as_ref().is_some_and(|own| means(own, &spec)) {
        besides.bindings.remove(&key);
    } else {
        besides.bindings.insert(key, Rebound { ids, own, now: Some(spec) });
    }
    Ok(now.with(besides))
}

/// An actor is to use a capability no more.
///
/// # Errors
/// [`Code::NotFound`] for a capability that there is not; [`Code::Message`] for one that needs no
/// binding.
pub(super) fn unbind(
    now: Now<'_>,
    (capability, name): (&str, &str),
    (base, parts): (&Base, &Parts),
) -> Result<Drafted, CallError> {
    let Asked { key, ids, own, now: before } = asked(&now, (capability, name), (base, parts))?;
    let actor = &now.subject.name;
    let is_implicit = parts.serving(capability).any(|(_, implicit)| implicit);
    if before.is_none() && is_implicit && parts.claims_any(actor, &ids.contracts) {
        let text = format!(
            "actor {actor} has no binding to {capability} that could be taken away: its claims \
             list it, and the host itself serves it; sign the actor without it and `trellis \
             update` it"
        );
        return Err(CallError::new(Code::Message, text));
    }
    let mut besides = now.besides();
    match own {
        None => drop(besides.bindings.remove(&key)),
        own => drop(besides.bindings.insert(key, Rebound { ids, own, now: None })),
    }
    Ok(now.with(besides))
}

/// What there is of a binding.
fn asked(
    now: &Now<'_>,
    (capability, name): (&str, &str),
    (base, parts): (&Base, &Parts),
) -> Result<Asked, CallError> {
    check_name("the name of a binding", name)?;
    let contracts = parts.ids_of(capability);
    let Some(contract) = contracts.first().cloned() else {
        return Err(unserved(capability, parts));
    };
    let key = (contract, name.to_owned());
    let (actors, name) = (parts.names_of(&now.subject.name), name.to_owned());
    let ids = Ids { actors, contracts, name };
    let own = ids.find(&base.manifest).cloned();
    let besides = now.besides();
    let now = match besides.bindings.get(&key) {
        Some(rebound) => rebound.now.clone(),
        None => own.clone(),
    };
    Ok(Asked { key, ids, own, now })
}

/// The provider of a binding that names none: the only one that serves the contract. The host's own
/// has no name, and one that the manifest's own binding leaves out needs none.
fn the_only_one(
    (capability, contract): (&str, &str),
    is_bound: bool,
    parts: &Parts,
) -> Result<Option<String>, CallError> {
    let serving = serving(contract, parts);
    if is_bound || serving.len() < 2 {
        return Ok(one_of(&serving).filter(|_| !is_bound));
    }
    let text = format!(
        "several providers serve {capability}: {}; `--provider` says which",
        serving.join(", ")
    );
    Err(CallError::new(Code::Message, text))
}

/// A provider that is named has to be there, and to serve the contract.
fn check_serves(
    (capability, contract): (&str, &str),
    named: &str,
    parts: &Parts,
) -> Result<(), CallError> {
    if parts.serving(contract).any(|(name, _)| name == named) {
        return Ok(());
    }
    let serving = match &*serving(contract, parts) {
        [] => String::new(),
        serving => format!("; {capability} is served by {}", serving.join(", ")),
    };
    if parts.providers().any(|name| name == named) {
        let text = format!("provider {named} does not serve {capability}{serving}");
        return Err(CallError::new(Code::Message, text));
    }
    let near = nearest_name(named, parts.providers());
    let near = near.map_or_else(String::new, |near| format!(" (did you mean `{near}`?)"));
    Err(CallError::new(Code::NotFound, format!("there is no provider `{named}`{near}{serving}")))
}

/// The providers that serve a contract and are written somewhere.
fn serving<'a>(contract: &str, parts: &'a Parts) -> Vec<&'a str> {
    let serving = parts.serving(contract).filter(|(_, implicit)| !implicit);
    serving.map(|(name, _)| name).collect()
}

fn one_of(serving: &[&str]) -> Option<String> {
    match serving {
        [one] => Some((*one).to_owned()),
        _ => None,
    }
}

/// True when both say the same of a binding.
fn means(one: &BindingSpec, other: &BindingSpec) -> bool {
    let sorted = |values: &TextPairs| {
        let pairs = values.iter().map(|(key, value)| (key.value.clone(), value.value.clone()));
        pairs.collect::<BTreeMap<_, _>>()
    };
    let provider = |spec: &BindingSpec| spec.provider.as_ref().map(|it| it.value.clone());
    provider(one) == provider(other) && sorted(&one.values) == sorted(&other.values)
}

fn unserved(capability: &str, parts: &Parts) -> CallError {
    let near = nearest_contract(capability, parts.contracts());
    let near = near.map_or_else(String::new, |near| format!(" (did you mean `{near}`?)"));
    let text = format!(
        "no provider here serves {capability}{near}; `trellis start provider NAME --to builtin:…` \
         adds one"
    );
    CallError::new(Code::NotFound, text)
}
