//! From a manifest as written to a manifest as it can run, or everything that is wrong with it.

mod links;
mod modules;
mod values;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use trellis_claims::{Clock, TrustList, Verified};
use trellis_core::limits::ActorLimits;
use trellis_core::{BindingName, CallError, Code, Contract};
use trellis_engine::{Checker, Isolation, ModuleSource};
use trellis_manifest::{Manifest, Problem, ProviderKind, Report, SourceText, Spanned, TextPairs};
use trellis_providers_sdk::{Descriptor, ProviderFactory, Values};

/// What a manifest is checked against.
pub struct Ground<'a> {
    /// The folder relative paths start from: the manifest's.
    pub folder: &'a Path,
    /// The providers this host has.
    pub builtins: &'a [Arc<dyn ProviderFactory>],
    /// Who may sign modules.
    pub trust: &'a TrustList,
    /// What time it is.
    pub clock: &'a dyn Clock,
    /// What checks the modules' code as well: for a check that is not followed by a start, which
    /// does it anyway.
    pub checker: Option<&'a Checker>,
}

/// A manifest whose modules verify, whose bindings are claimed and served, and whose values are
/// known. Only [`prepare`] makes one.
pub struct Prepared {
    pub(crate) actors: Vec<PreparedActor>,
    pub(crate) providers: Vec<PreparedProvider>,
    pub(crate) links: Vec<PreparedLink>,
}

/// An actor that may run here.
#[derive(Clone)]
pub(crate) struct PreparedActor {
    pub(crate) name: Arc<str>,
    pub(crate) path: PathBuf,
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
    /// The module files the manifest names, to be watched for changes.
    pub fn module_paths(&self) -> impl Iterator<Item = &Path> {
        self.actors.iter().map(|actor| actor.path.as_path())
    }
}

impl PreparedActor {
    /// Reads the module again and makes sure that it is the one that was verified: the checked
    /// file is not held in memory between checking and loading.
    pub(crate) fn read(&self) -> Result<Bytes, CallError> {
        let bytes = modules::read_file(&self.path, self.limits.module_bytes_max)?;
        if trellis_claims::hash::digest(&bytes) != *self.verified.digest() {
            let message = format!(
                "{} changed while it was being loaded; it will be read again",
                self.path.display()
            );
            return Err(CallError::new(Code::Hash, message));
        }
        Ok(bytes)
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
/// # Errors
/// A [`Report`] with every problem at its place in the manifest.
pub fn prepare(
    manifest: &Manifest,
    source: &SourceText,
    ground: &Ground<'_>,
) -> Result<Prepared, Report> {
    let mut problems = Vec::new();
    let mut providers = prepare_providers(manifest, ground, &mut problems);
    let actors = modules::prepare(manifest, ground, &mut problems);
    let mut links = links::prepare(manifest, &actors, &mut providers, ground, &mut problems);
    values::prepare(manifest, (&mut providers, &mut links), ground.folder, &mut problems);
    let links = links.into_iter().map(|written| written.link).collect();
    if !problems.is_empty() {
        return Err(Report::of(source, problems));
    }
    let actors = actors.into_iter().flatten().collect();
    Ok(Prepared { actors, providers: providers.into_values().collect(), links })
}

/// Providers by their name in the manifest.
pub(crate) type Providers = BTreeMap<Arc<str>, PreparedProvider>;

fn prepare_providers(
    manifest: &Manifest,
    ground: &Ground<'_>,
    problems: &mut Vec<Problem>,
) -> Providers {
    let mut providers = Providers::new();
    for spec in manifest.providers.iter().map(|spec| &spec.value) {
        let ProviderKind::Builtin(wanted) = &spec.kind;
        let Some(provider) = builtin(ground.builtins, &wanted.value) else {
            problems.push(unknown_provider(wanted, ground.builtins));
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
