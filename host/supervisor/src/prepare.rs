//! From a manifest as written to a manifest as it can run, or everything that is wrong with it.

mod keys;
mod links;
mod modules;
mod unbound;
mod values;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use trellis_artifacts::{Artifacts, Wanted};
use trellis_claims::{Clock, TrustList, Verified};
use trellis_core::limits::ActorLimits;
use trellis_core::{BindingName, CallError, Code, Contract};
use trellis_engine::{Checker, Isolation, ModuleSource};
use trellis_manifest::{Manifest, Problem, ProviderKind, Report, SourceText, Spanned, TextPairs};
use trellis_providers_sdk::{Descriptor, ProviderFactory, Values};

/// What a manifest is checked against.
pub struct PrepareContext<'a> {
    /// The folder relative paths start from: the manifest's.
    pub folder: &'a Path,
    /// The providers this host has.
    pub builtins: &'a [Arc<dyn ProviderFactory>],
    /// The modules that were read and verified before.
    pub modules: Modules,
    /// Who may sign modules.
    pub trust: &'a TrustList,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// What checks the modules' code as well: for a check that is not followed by a start, which
    /// does it anyway.
    pub checker: Option<Arc<Checker>>,
    /// The keys actors had when they last ran, as far as that is known.
    pub keys: ActorKeys,
    /// True when an actor may have another key than it had.
    pub force: bool,
}

/// What is known of modules from one [`prepare()`] to the next. Cheap to clone.
pub type Modules = Artifacts<Verified>;

/// The keys of actors that keep data with a provider, by the actors' names.
pub type ActorKeys = BTreeMap<String, String>;

impl<'a> PrepareContext<'a> {
    /// A context in which nothing is known from before.
    pub fn new(
        folder: &'a Path,
        builtins: &'a [Arc<dyn ProviderFactory>],
        trust: &'a TrustList,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let (modules, keys) = (Modules::new(), ActorKeys::new());
        Self { folder, builtins, modules, trust, clock, checker: None, keys, force: false }
    }
}

/// A manifest whose modules verify, whose bindings are claimed and served, and whose values are
/// known. Only [`prepare`] makes one.
pub struct Prepared {
    pub(crate) actors: Vec<PreparedActor>,
    pub(crate) providers: Vec<PreparedProvider>,
    pub(crate) links: Vec<PreparedLink>,
    keys: ActorKeys,
    warnings: Vec<Problem>,
}

/// An actor that may run here.
#[derive(Clone)]
pub(crate) struct PreparedActor {
    pub(crate) name: Arc<str>,
    pub(crate) module: Wanted,
    pub(crate) verified: Verified,
    pub(crate) isolation: Isolation,
    pub(crate) limits: ActorLimits,
    /// Its settings in the manifest. No part of what runs: they reach it through a binding.
    pub(crate) values: Values,
}

/// A provider this host can make.
#[derive(Clone)]
pub(crate) struct PreparedProvider {
    pub(crate) name: Arc<str>,
    /// In the original manifests: the only binding name it serves.
    pub(crate) binding_name: Option<String>,
    pub(crate) factory: Arc<dyn ProviderFactory>,
    pub(crate) descriptor: Arc<Descriptor>,
    pub(crate) values: Values,
}

/// A binding whose actor claims it and whose provider serves it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct PreparedLink {
    pub(crate) actor: Arc<str>,
    pub(crate) contract: Arc<Contract>,
    pub(crate) binding: BindingName,
    pub(crate) provider: Arc<str>,
    /// Largest message in either direction, in bytes.
    pub(crate) payload_bytes_max: u32,
    pub(crate) values: Values,
}

impl Prepared {
    /// The keys of its actors that keep data with a provider: to be given to the next
    /// [`prepare`] once it runs.
    #[must_use]
    pub const fn keys(&self) -> &ActorKeys {
        &self.keys
    }

    /// What can run and was probably not meant, each at its place in the manifest.
    #[must_use]
    pub fn warnings(&self) -> &[Problem] {
        &self.warnings
    }
}

impl PreparedActor {
    /// Reads the module again and makes sure that it is the one that was verified: the checked
    /// file is not held in memory between checking and loading. Blocks.
    pub(crate) fn read(&self) -> Result<Bytes, CallError> {
        self.module.read_again(self.verified.digest())
    }

    /// True when `other` runs the same code under the same bounds.
    pub(crate) fn same_as(&self, other: &Self) -> bool {
        self.verified.digest() == other.verified.digest()
            && self.isolation == other.isolation
            && self.limits == other.limits
    }
}

/// The engine asks for the bytes again when an idle actor is called and its code is no longer
/// cached.
impl ModuleSource for PreparedActor {
    fn read(&self) -> std::io::Result<Bytes> {
        Self::read(self).map_err(std::io::Error::other)
    }
}

/// Checks a manifest against its modules and this host's providers.
///
/// Modules are read and verified on threads that may block; dropping the future abandons them.
///
/// # Errors
/// A [`Report`] with every problem at its place in the manifest.
pub async fn prepare(
    manifest: &Manifest,
    source: &SourceText,
    context: &PrepareContext<'_>,
) -> Result<Prepared, Report> {
    let mut problems = Vec::new();
    let actors = modules::prepare(manifest, context, &mut problems).await;
    let mut providers = prepare_providers(manifest, context, &mut problems);
    let mut links = links::prepare(manifest, &actors, &mut providers, context, &mut problems);
    values::prepare(manifest, (&mut providers, &mut links), context.folder, &mut problems);
    let links: Vec<_> = links.into_iter().map(|written| written.link).collect();
    let mut warnings = unbound::warnings(manifest, (&actors, &links), &providers, context);
    let keys = keys::of_stateful(&actors, &links, &providers);
    for changed in keys::changed(manifest, &actors, &keys, &context.keys) {
        if changed.is_unsigned || context.force {
            warnings.push(changed.problem);
        } else {
            problems.push(changed.problem);
        }
    }
    if !problems.is_empty() {
        return Err(Report::of(source, problems));
    }
    let actors = actors.into_iter().flatten().collect();
    let providers = providers.into_values().collect();
    Ok(Prepared { actors, providers, links, keys, warnings })
}

/// Providers by their name in the manifest.
pub(crate) type Providers = BTreeMap<Arc<str>, PreparedProvider>;

fn prepare_providers(
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
fn plain_provider(factory: &Arc<dyn ProviderFactory>) -> PreparedProvider {
    let descriptor = factory.descriptor();
    PreparedProvider {
        name: Arc::from(&*descriptor.name),
        binding_name: None,
        factory: Arc::clone(factory),
        descriptor: Arc::new(descriptor),
        values: Values::default(),
    }
}

fn plain_values(values: &TextPairs) -> Values {
    values.iter().map(|(key, value)| (key.value.clone(), value.value.clone())).collect()
}
