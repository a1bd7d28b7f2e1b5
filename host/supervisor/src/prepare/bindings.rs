//! The bindings a manifest wants: claimed by their actor, served by a provider.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use trellis_core::{BindingName, Code, Contract, Direction};
use trellis_limits::ActorLimits;
use trellis_manifest::{ActorSpec, BindingSpec, Manifest, Problem, Span, Spanned};
use trellis_providers_sdk::{ProviderFactory, Values};

use super::context::PrepareContext;
use super::parts::{PreparedActor, PreparedBinding, PreparedProvider};
use super::providers::{Found, Providers, plain_values};
use super::serving::find_provider;

/// A binding, with where the manifest says so.
pub(super) struct Written<'a> {
    pub(super) binding: PreparedBinding,
    /// `None` for one that need not be written.
    pub(super) spec: Option<&'a BindingSpec>,
    /// Its place, or that of the actor it comes with.
    pub(super) span: Span,
}

/// Checks every binding and adds those that need not be written.
pub(super) fn prepare<'a>(
    manifest: &'a Manifest,
    actors: &[Option<PreparedActor>],
    providers: &mut Found,
    context: &PrepareContext<'_>,
    problems: &mut Vec<Problem>,
) -> Vec<Written<'a>> {
    let mut bindings: Vec<Written<'a>> = Vec::with_capacity(manifest.bindings.len());
    let modules: Vec<_> = providers.known.values().filter_map(|it| it.module.clone()).collect();
    let callers = callers(manifest, actors, &modules);
    let names = Names::of((actors, &modules), context);
    let mut seen = HashSet::new();
    for wanted in &manifest.bindings {
        let spec = &wanted.value;
        let Some(binding) = one(spec, &names, (&*providers, context), problems) else { continue };
        if !seen.insert(binding.key()) {
            let sentence = format!(
                "`{}` is already bound to {} under the name `{}`",
                binding.actor, binding.contract.id, binding.name
            );
            problems
                .push(Problem::new(wanted.span, sentence).help("give one of them another `name`"));
            continue;
        }
        bindings.push(Written { binding, spec: Some(spec), span: wanted.span });
    }
    for factory in context.builtins.iter().filter(|factory| factory.descriptor().implicit) {
        bind_claimed(factory, &callers, &mut providers.known, &mut bindings, problems);
    }
    bindings
}

/// What a binding wants. With a problem of its own, or of its actor, nothing of the manifest runs:
/// the binding is then made as far as it can be, so that its values are checked with all others.
fn one(
    spec: &BindingSpec,
    names: &Names<'_>,
    (providers, context): (&Found, &PrepareContext<'_>),
    problems: &mut Vec<Problem>,
) -> Option<PreparedBinding> {
    let actor = names.find(&spec.actor.value);
    // One that is not known may be an actor that has a problem of its own.
    if actor.is_none() && names.whole {
        problems.push(unknown_actor(spec, names));
    }
    let (provider, contract) = find_provider(spec, (providers, context), problems)?;
    problems.extend(actor.and_then(|actor| unclaimed(spec, actor, &contract)));
    problems.extend(actor.and_then(|actor| uncalled(spec, actor, &contract)));
    let mut values = plain_values(&spec.values);
    if let Some(actor) = actor.filter(|_| providers.known[&provider].descriptor.actor_values) {
        values = values.over(&actor.values);
    }
    let limits = || ActorLimits::default().payload_bytes_max;
    let name = || Arc::from(spec.actor.value.as_str());
    Some(PreparedBinding {
        actor: actor.map_or_else(name, |actor| Arc::clone(&actor.name)),
        contract: Arc::new(contract),
        name: BindingName::new(&spec.name.value),
        provider,
        payload_bytes_max: actor.map_or_else(limits, |actor| actor.limits.payload_bytes_max),
        values,
    })
}

fn unknown_actor(spec: &BindingSpec, names: &Names<'_>) -> Problem {
    let known = names.in_order.iter().copied();
    let problem = Problem::unknown(spec.actor.span, "actor", &spec.actor.value, known);
    if names.in_order.is_empty() {
        return problem.help("list the actor under `actors` first");
    }
    problem
}

fn unclaimed(spec: &BindingSpec, actor: &PreparedActor, contract: &Contract) -> Option<Problem> {
    if actor.verified.claims().caps.iter().any(|cap| contract.answers_to(cap)) {
        return None;
    }
    let sentence = format!(
        "actor `{}` is not authorized to use capability {}: its claims do not list it",
        actor.name, contract.id
    );
    let cure = format!("sign it again with `--cap {}`, or remove the binding", contract.id);
    Some(Problem::new(spec.capability.span, sentence).code(Code::Denied).help(cure))
}

/// A provider that is a module asks for capabilities as an actor does. But only actors are called
/// by providers.
fn uncalled(spec: &BindingSpec, actor: &PreparedActor, contract: &Contract) -> Option<Problem> {
    let mut operations = contract.operations.iter();
    let brings_calls = operations.any(|operation| operation.direction == Direction::ToActor);
    if !actor.is_provider || !brings_calls {
        return None;
    }
    let (name, id) = (&actor.name, &contract.id);
    let sentence = format!("`{name}` is a provider, and {id} brings calls to actors alone");
    let help = "bind an actor to it, or remove the binding";
    Some(Problem::new(spec.actor.span, sentence).help(help))
}

/// The actors of a manifest, and its providers that are modules, by everything a binding may call
/// them.
struct Names<'a> {
    in_order: Vec<&'a str>,
    /// By name and by key.
    exact: HashMap<&'a str, &'a PreparedActor>,
    aliases: HashMap<&'a str, &'a PreparedActor>,
    /// False when an actor is missing because it has a problem of its own.
    whole: bool,
}

impl<'a> Names<'a> {
    fn of(
        (actors, modules): (&'a [Option<PreparedActor>], &'a [Arc<PreparedActor>]),
        context: &PrepareContext<'_>,
    ) -> Self {
        let mut names = Self {
            in_order: Vec::with_capacity(actors.len()),
            exact: HashMap::with_capacity(2 * actors.len()),
            aliases: HashMap::new(),
            whole: !context.lacks.actors && actors.iter().all(Option::is_some),
        };
        for actor in actors.iter().flatten() {
            let claims = actor.verified.claims();
            names.in_order.push(&actor.name);
            names.exact.entry(&actor.name).or_insert(actor);
            names.exact.entry(claims.subject.as_str()).or_insert(actor);
            if let Some(alias) = claims.call_alias.as_deref() {
                names.aliases.entry(alias).or_insert(actor);
            }
        }
        for module in modules {
            names.exact.entry(&module.name).or_insert(module);
        }
        names
    }

    /// By its name in the manifest or its key, else by its call alias.
    fn find(&self, name: &str) -> Option<&'a PreparedActor> {
        self.exact.get(name).or_else(|| self.aliases.get(name)).copied()
    }
}

/// Who may be bound without a word in the manifest.
struct Caller<'a> {
    actor: &'a PreparedActor,
    /// Where it stands.
    span: Span,
    /// The first of its own values.
    value: Option<&'a Spanned<String>>,
}

/// The actors, and the providers that are modules.
fn callers<'a>(
    manifest: &'a Manifest,
    actors: &'a [Option<PreparedActor>],
    modules: &'a [Arc<PreparedActor>],
) -> Vec<Caller<'a>> {
    let actors = manifest.actors.iter().zip(actors).filter_map(|(spec, actor)| {
        let ActorSpec { image, values, .. } = &spec.value;
        let value = values.first().map(|(key, _)| key);
        Some(Caller { actor: actor.as_ref()?, span: image.span, value })
    });
    let modules = modules.iter().map(|module| {
        let mut specs = manifest.providers.iter();
        let spec = specs.find(|spec| *spec.value.name.value == *module.name);
        Caller { actor: module, span: spec.map_or_else(Span::default, |it| it.span), value: None }
    });
    actors.chain(modules).collect()
}

/// Binds every actor that claims a contract of an implicit provider and is not bound to it yet: to
/// the provider of the manifest that serves the contract, or else to one nobody wrote.
fn bind_claimed(
    factory: &Arc<dyn ProviderFactory>,
    callers: &[Caller<'_>],
    providers: &mut Providers,
    bindings: &mut Vec<Written<'_>>,
    problems: &mut Vec<Problem>,
) {
    let descriptor = factory.descriptor();
    for contract in descriptor.contracts.iter() {
        let contract = Arc::new(contract.clone());
        let bound: HashSet<Arc<str>> = (bindings.iter())
            .filter(|written| written.binding.contract.id == contract.id)
            .map(|written| Arc::clone(&written.binding.actor))
            .collect();
        for Caller { actor, span, value } in callers {
            if bound.contains(&actor.name) {
                continue;
            }
            if !actor.verified.claims().caps.iter().any(|cap| contract.answers_to(cap)) {
                let unread = value.filter(|_| descriptor.actor_values);
                problems.extend(unread.map(|key| unreadable(actor, key, &contract)));
                continue;
            }
            let binding = PreparedBinding {
                actor: Arc::clone(&actor.name),
                contract: Arc::clone(&contract),
                name: BindingName::default(),
                provider: implicit_provider(factory, &contract, providers),
                payload_bytes_max: actor.limits.payload_bytes_max,
                values: if descriptor.actor_values {
                    actor.values.clone()
                } else {
                    Values::default()
                },
            };
            bindings.push(Written { binding, spec: None, span: *span });
        }
    }
}

/// Settings given to an actor that may not read them.
fn unreadable(actor: &PreparedActor, key: &Spanned<String>, contract: &Contract) -> Problem {
    let sentence = format!(
        "actor `{}` cannot read its `values`: its claims do not list {}",
        actor.name, contract.id
    );
    let cure = format!("sign it again with `--cap {}`, or leave out `values`", contract.id);
    Problem::new(key.span, sentence).code(Code::Denied).help(cure)
}

/// The name of the provider that serves an implicit contract; added when there is none.
fn implicit_provider(
    factory: &Arc<dyn ProviderFactory>,
    contract: &Contract,
    providers: &mut Providers,
) -> Arc<str> {
    let id = contract.id.as_str();
    if let Some(serving) = providers.values().find(|it| it.descriptor.contract(id).is_some()) {
        return Arc::clone(&serving.name);
    }
    let mut made = PreparedProvider::plain(factory);
    // A manifest may have given the name to a provider of another kind.
    while providers.contains_key(&made.name) {
        made.name = Arc::from(format!("{} (implicit)", made.name));
    }
    let name = Arc::clone(&made.name);
    providers.insert(Arc::clone(&name), made);
    name
}
