//! The providers a manifest wants: known to this host, with their values as written.

use std::collections::BTreeMap;
use std::sync::Arc;

use trellis_core::Code;
use trellis_manifest::{Manifest, Problem, ProviderKind, Spanned, TextPairs};
use trellis_providers_sdk::{ProviderFactory, Values};

use super::context::PrepareContext;
use super::parts::PreparedProvider;

/// Providers by their name in the manifest.
pub(super) type Providers = BTreeMap<Arc<str>, PreparedProvider>;

pub(super) fn prepare(
    manifest: &Manifest,
    context: &PrepareContext<'_>,
    problems: &mut Vec<Problem>,
) -> Providers {
    let mut providers = Providers::new();
    for spec in manifest.providers.iter().map(|spec| &spec.value) {
        let ProviderKind::Builtin(wanted) = &spec.kind;
        let Some(provider) = builtin(context.builtins, &wanted.value) else {
            problems.push(unknown_provider(wanted, context.builtins));
            continue;
        };
        let values = plain_values(&spec.values);
        let name: Arc<str> = Arc::from(spec.name.value.as_str());
        let binding_name = spec.binding_name.as_ref().map(|name| name.value.clone());
        let prepared =
            PreparedProvider { name: Arc::clone(&name), binding_name, values, ..provider };
        providers.insert(name, prepared);
    }
    providers
}

fn unknown_provider(wanted: &Spanned<String>, builtins: &[Arc<dyn ProviderFactory>]) -> Problem {
    let names: Vec<_> = builtins.iter().map(|factory| factory.descriptor().name).collect();
    let known = names.iter().map(|name| &**name);
    Problem::unknown(wanted.span, "built-in provider", &wanted.value, known).code(Code::NotFound)
}

fn builtin(builtins: &[Arc<dyn ProviderFactory>], name: &str) -> Option<PreparedProvider> {
    let factory = builtins.iter().find(|factory| factory.descriptor().name == name)?;
    Some(plain_provider(factory))
}

/// A provider under its own name and without values.
pub(super) fn plain_provider(factory: &Arc<dyn ProviderFactory>) -> PreparedProvider {
    let descriptor = factory.descriptor();
    PreparedProvider {
        name: Arc::from(&*descriptor.name),
        binding_name: None,
        factory: Arc::clone(factory),
        descriptor: Arc::new(descriptor),
        values: Values::default(),
    }
}

pub(super) fn plain_values(values: &TextPairs) -> Values {
    values.iter().map(|(key, value)| (key.value.clone(), value.value.clone())).collect()
}
