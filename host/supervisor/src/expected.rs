//! What a host is about to want: a manifest whose modules are still being read, or wait for a file
//! that is missing. Before the first manifest is applied, it is all there is to list.

use std::collections::BTreeMap;

use trellis_control::{
    ActorEntry, BindingEntry, BindingRef, Condition, Degraded, Overview, ProviderEntry, REDACTED,
};
use trellis_manifest::{
    ActorSpec, BindingSpec, Isolation, Manifest, ProviderKind, ProviderSpec, TextPairs,
};

/// What all of it waits for until somebody knows more.
const CHECK: &str = "the manifest to be checked";

/// Everything that a manifest names, as far as its text tells.
pub(crate) fn expected(manifest: &Manifest) -> Overview {
    let mut bindings: Vec<_> = manifest.bindings.iter().map(|it| binding(&it.value)).collect();
    bindings.sort_by(|one, other| one.binding.cmp(&other.binding));
    let actors = manifest.actors.iter().map(|it| actor(&it.value, &bindings));
    let mut actors: Vec<_> = actors.collect();
    actors.sort_by(|one, other| one.name.cmp(&other.name));
    let mut providers: Vec<_> = manifest.providers.iter().map(|it| provider(&it.value)).collect();
    providers.sort_by(|one, other| one.name.cmp(&other.name));
    Overview { actors, providers, bindings }
}

/// The same, of which nothing can be had for this reason.
pub(crate) fn refused(expected: &Overview, why: &Degraded) -> Overview {
    let Overview { mut actors, mut providers, mut bindings } = expected.clone();
    let refuse = |state: &mut Condition, reasons: &mut Vec<Degraded>, waits: &mut Vec<String>| {
        *reasons = vec![why.told()];
        *state = Condition::of(false, reasons);
        waits.clear();
    };
    for it in &mut actors {
        refuse(&mut it.state, &mut it.reasons, &mut it.waits_for);
    }
    for it in &mut providers {
        refuse(&mut it.state, &mut it.reasons, &mut it.waits_for);
    }
    for it in &mut bindings {
        refuse(&mut it.state, &mut it.reasons, &mut it.waits_for);
    }
    Overview { actors, providers, bindings }
}

/// Its claims are not known yet.
fn actor(spec: &ActorSpec, bindings: &[BindingEntry]) -> ActorEntry {
    let limits = spec.limits.values().map(|(limit, value)| (limit.name.to_owned(), value));
    let own = bindings.iter().filter(|it| it.binding.actor == spec.id());
    ActorEntry {
        name: spec.id().to_owned(),
        state: Condition::Starting,
        reasons: Vec::new(),
        waits_for: vec![CHECK.to_owned()],
        key: String::new(),
        issuer: None,
        revision: None,
        version: None,
        digest: String::new(),
        call_alias: None,
        capabilities: Vec::new(),
        expires_unix_s: None,
        isolation: match spec.isolation {
            Isolation::Reuse => trellis_control::Isolation::Reuse,
            Isolation::Fresh => trellis_control::Isolation::Fresh,
        },
        limits: limits.collect(),
        instances: None,
        addresses: Vec::new(),
        bindings: own.map(|it| it.binding.clone()).collect(),
        edit: None,
    }
}

fn provider(spec: &ProviderSpec) -> ProviderEntry {
    let (kind, implementation) = match &spec.kind {
        ProviderKind::Builtin(name) => (trellis_control::ProviderKind::Builtin, name),
        ProviderKind::Process(process) => {
            (trellis_control::ProviderKind::Process, process.program.written())
        }
        ProviderKind::Module(module) => (trellis_control::ProviderKind::Module, &module.file),
    };
    ProviderEntry {
        name: spec.name.value.clone(),
        state: Condition::Starting,
        reasons: Vec::new(),
        waits_for: vec![CHECK.to_owned()],
        kind,
        implementation: implementation.value.clone(),
        version: String::new(),
        signed: None,
        contracts: Vec::new(),
        values: redacted(&spec.values),
        process: None,
        edit: None,
    }
}

fn binding(spec: &BindingSpec) -> BindingEntry {
    let BindingSpec { actor, capability, name, provider, values } = spec;
    let (actor, contract) = (actor.value.clone(), capability.value.clone());
    BindingEntry {
        binding: BindingRef { actor, contract, name: name.value.clone() },
        provider: provider.as_ref().map(|it| it.value.clone()).unwrap_or_default(),
        state: Condition::Starting,
        reasons: Vec::new(),
        waits_for: vec![CHECK.to_owned()],
        values: redacted(values),
    }
}

/// Which of them may be secrets is not known yet.
fn redacted(values: &TextPairs) -> BTreeMap<String, String> {
    values.iter().map(|(key, _)| (key.value.clone(), REDACTED.to_owned())).collect()
}
