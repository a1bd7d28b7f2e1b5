//! What the modules are that a manifest lists as providers: each is asked, unless it is known.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::join_all;
use trellis_core::{CallError, Code};
use trellis_engine::Isolation;
use trellis_manifest::{Manifest, Problem, ProviderKind, ProviderModuleSpec, ProviderSpec};
use trellis_providers_sdk::Values;
use trellis_targets::module::{ModuleProviders, ProviderModule};

use super::context::PrepareContext;
use super::located::Located;
use super::modules::{Module, Named, at};
use super::parts::{PreparedActor, PreparedProvider};
use super::proof::Proof;

/// The modules of a manifest by their provider's name, or why one is of no use.
pub(super) type Served = BTreeMap<String, Result<PreparedProvider, Problem>>;

/// Asks all of them at once. Each was verified before: of the others nothing runs.
pub(super) async fn find(
    manifest: &Manifest,
    modules: Vec<Module>,
    context: &PrepareContext<'_>,
) -> Served {
    let specs = manifest.providers.iter().filter_map(|spec| match &spec.value.kind {
        ProviderKind::Module(module) => Some((&spec.value, &**module)),
        ProviderKind::Builtin(_) | ProviderKind::Process(_) => None,
    });
    let asked = specs.zip(modules).map(|((spec, module), proven)| async move {
        if let Some(kept) = context.kept.provider(&spec.name.value) {
            let found = proven.map(|_| PreparedProvider::clone(&kept.part));
            return (spec.name.value.clone(), found);
        }
        let prepared = proven.map(|proven| prepared(spec, module, proven, context));
        let found = match (prepared, &context.module_providers) {
            (Ok(prepared), Some(providers)) => ask(spec, Arc::new(prepared), providers).await,
            (Ok(_), None) => {
                Err(Problem::new(module.file.span, "no modules are asked here what they serve"))
            }
            (Err(problem), _) => Err(problem),
        };
        (spec.name.value.clone(), found)
    });
    join_all(asked).await.into_iter().collect()
}

/// What a provider that is a module is called: by that bindings tell it from the actors.
pub(super) fn check_names(
    manifest: &Manifest,
    actors: &[Option<PreparedActor>],
    problems: &mut Vec<Problem>,
) {
    for spec in manifest.providers.iter().map(|spec| &spec.value) {
        let name = &spec.name;
        let mut actors = actors.iter().flatten();
        let is_taken = actors.any(|actor| *actor.name == *name.value);
        if matches!(spec.kind, ProviderKind::Module(_)) && is_taken {
            let text = format!("an actor is called `{}` as well", name.value);
            problems.push(Problem::new(name.span, text).help("give one of them another `name`"));
        }
    }
}

async fn ask(
    spec: &ProviderSpec,
    module: Arc<PreparedActor>,
    providers: &ModuleProviders,
) -> Result<PreparedProvider, Problem> {
    let asked = ProviderModule {
        digest: *module.verified.digest(),
        limits: module.limits.clone(),
        file: Arc::clone(&module) as Arc<_>,
    };
    let factory = providers.factory(&module.name, asked).await;
    let factory = factory.map_err(|error| unusable(spec, &error))?;
    Ok(PreparedProvider { module: Some(module), ..PreparedProvider::plain(&factory) })
}

fn prepared(
    spec: &ProviderSpec,
    module: &ProviderModuleSpec,
    (found, proof): (Located, Proof),
    context: &PrepareContext<'_>,
) -> PreparedActor {
    let (Located { module: wanted, resolved, held }, Proof { verified, code }) = (found, proof);
    PreparedActor {
        name: Arc::from(spec.name.value.as_str()),
        module: wanted,
        resolved,
        held,
        modules: context.modules.clone(),
        is_provider: true,
        verified,
        code,
        isolation: Isolation::Reuse,
        limits: module.limits.clone(),
        // Those of the provider: they reach it with its bindings.
        values: Values::default(),
        loses: Vec::new(),
        may_be_older: false,
        replays: None,
    }
}

/// Why a module cannot be a provider.
fn unusable(spec: &ProviderSpec, error: &CallError) -> Problem {
    let Some(module) = Named::of(&spec.kind) else {
        return Problem::new(spec.name.span, error.message().to_owned()).code(error.code());
    };
    let text = format!("{}: {}", module.image.value, error.message());
    let error = CallError::new(error.code(), text);
    let problem = at(module, &error);
    match error.code() {
        Code::Provider => problem.help(
            "a provider answers `GetCapabilityDescriptor` with what it serves; \
             docs/portable-providers.md says how",
        ),
        _ => problem,
    }
}
