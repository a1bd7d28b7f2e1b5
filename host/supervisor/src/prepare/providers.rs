//! The providers a manifest wants: known to this host, with their values as written.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use trellis_core::{Code, nearest_name};
use trellis_manifest::{Manifest, Problem, ProviderKind, ProviderSpec, Spanned, TextPairs};
use trellis_providers_sdk::{ProviderFactory, Values};

use super::context::PrepareContext;
use super::kept::Keep;
use super::module_providers::Served;
use super::parts::PreparedProvider;
use super::processes;

/// Providers by their name in the manifest.
pub(super) type Providers = BTreeMap<Arc<str>, PreparedProvider>;

/// The providers of a manifest, and what is doubtful about them.
pub(super) struct Found {
    pub(super) known: Providers,
    /// The names of those that are mistyped, and stand for what they probably mean: so that one
    /// mistake neither hides another nor makes one.
    pub(super) guessed: BTreeSet<Arc<str>>,
    /// True when there is one of which nothing is known.
    pub(super) lacks: bool,
    /// True when that is, or may be, a program or a module, which may serve what no host knows.
    pub(super) lacks_a_program: bool,
}

pub(super) async fn prepare(
    manifest: &Manifest,
    mut served: Served,
    context: &PrepareContext<'_>,
    problems: &mut Vec<Problem>,
) -> Found {
    let mut providers = Providers::new();
    let (mut guessed, mut lacks) = (BTreeSet::new(), context.lacks.providers);
    // An entry with a mistake in its text may be one of a program or a module.
    let mut lacks_a_program = context.lacks.providers;
    let mut programs = processes::find(manifest, context).await;
    for spec in manifest.providers.iter().map(|spec| &spec.value) {
        let name: Arc<str> = Arc::from(spec.name.value.as_str());
        let provider = match &spec.kind {
            ProviderKind::Builtin(wanted) => match builtin(context.builtins, &wanted.value) {
                Some(provider) => provider,
                None => {
                    problems.push(unknown_provider(wanted, context.builtins));
                    let Some(guess) = meant(context.builtins, &wanted.value) else {
                        lacks = true;
                        continue;
                    };
                    guessed.insert(Arc::clone(&name));
                    guess
                }
            },
            ProviderKind::Process(_) | ProviderKind::Module(_) => {
                let program = || {
                    let program = programs.remove(&*name)?;
                    Some(program.map(|it| PreparedProvider {
                        claims: it.claims,
                        resolved: it.resolved,
                        ..PreparedProvider::plain(&it.factory)
                    }))
                };
                let kept = || Some(vouched(context.kept.provider(&name)?, spec, context));
                match served.remove(&*name).or_else(kept).or_else(program) {
                    Some(Ok(provider)) => provider,
                    Some(Err(problem)) => {
                        problems.push(problem);
                        (lacks, lacks_a_program) = (true, true);
                        continue;
                    }
                    None => continue,
                }
            }
        };
        let values = plain_values(&spec.values);
        let binding_name = spec.binding_name.as_ref().map(|name| name.value.clone());
        let prepared =
            PreparedProvider { name: Arc::clone(&name), binding_name, values, ..provider };
        providers.insert(name, prepared);
    }
    Found { known: providers, guessed, lacks, lacks_a_program }
}

/// One that was prepared before, if it may run.
fn vouched(
    kept: &Keep<PreparedProvider>,
    spec: &ProviderSpec,
    context: &PrepareContext<'_>,
) -> Result<PreparedProvider, Problem> {
    let checked = match (&kept.part.claims, kept.is_asked) {
        (Some(claims), true) => claims.recheck(context.trust, &*context.clock),
        _ => Ok(()),
    };
    let written = spec.kind.written();
    let text = |why: &str| format!("{}: {why}", written.value);
    checked.map(|()| PreparedProvider::clone(&kept.part)).map_err(|error| {
        let problem = Problem::new(written.span, text(error.message()));
        problem.code(error.code()).help(error.code().cure())
    })
}

/// The provider that a mistyped name probably means.
fn meant(builtins: &[Arc<dyn ProviderFactory>], name: &str) -> Option<PreparedProvider> {
    let names: Vec<_> = builtins.iter().map(|factory| factory.descriptor().name).collect();
    builtin(builtins, nearest_name(name, names.iter().map(|name| &**name))?)
}

fn unknown_provider(wanted: &Spanned<String>, builtins: &[Arc<dyn ProviderFactory>]) -> Problem {
    let names: Vec<_> = builtins.iter().map(|factory| factory.descriptor().name).collect();
    let known = names.iter().map(|name| &**name);
    Problem::unknown(wanted.span, "built-in provider", &wanted.value, known).code(Code::NotFound)
}

fn builtin(builtins: &[Arc<dyn ProviderFactory>], name: &str) -> Option<PreparedProvider> {
    let factory = builtins.iter().find(|factory| factory.descriptor().name == name)?;
    Some(PreparedProvider::plain(factory))
}

pub(super) fn plain_values(values: &TextPairs) -> Values {
    values.iter().map(|(key, value)| (key.value.clone(), value.value.clone())).collect()
}
