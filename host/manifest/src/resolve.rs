//! From what was written to a manifest that holds together.

use std::collections::HashSet;

use trellis_core::BindingName;
use trellis_limits::{ActorLimits, HostLimits};

use crate::admin::{Admin, users};
use crate::form::{Count, List, Name, Part, Stated, Text};
use crate::keyed::Keyed;
use crate::kind::{Given, provider_kind};
use crate::module_limits::module_limits;
use crate::originals;
use crate::report::{Problem, Problems, quoted};
use crate::rest::Whole;
use crate::shape::{
    Actor, ActorKeys, Binding, Calls, Host, Provider, Registry, Root, Trust, Unsigned,
};
use crate::source::{Span, Spanned};
use crate::spec::{
    ActorSpec, BindingSpec, HostSpec, Manifest, ProviderKind, ProviderSpec, RegistrySpec, TrustSpec,
};
use crate::telemetry::telemetry;

/// The manifest that `written` means, to be run only if no problem was reported.
pub(crate) fn resolve(written: Root, problems: &mut Problems) -> (Manifest, Whole) {
    let whole_actors = written.actors.0.as_ref().is_some_and(|list| list.0.whole);
    let actors = actors(items(written.actors), problems);
    let whole_providers = written.providers.0.as_ref().is_some_and(|list| list.0.whole);
    let written_providers = items(written.providers);
    let count = written_providers.len();
    let providers = providers(written_providers, problems);
    let whole =
        Whole { actors: whole_actors, providers: whole_providers && providers.len() == count };
    let bindings = bindings(items(written.bindings), problems);
    let manifest = Manifest {
        name: written.name.0.flatten().map(|name| name.0),
        labels: written.labels.0.unwrap_or_default().0,
        trust: written.trust.0.flatten().map(|it| trust(it.0)).unwrap_or_default(),
        actors,
        providers,
        bindings,
        registries: written.registries.0.map(registries).unwrap_or_default(),
        host: written.host.0.flatten().map(|it| host(it, problems)).unwrap_or_default(),
    };
    (manifest, whole)
}

fn items<T, const NEEDED: bool>(list: Part<Stated<T, NEEDED>>) -> Vec<Spanned<T>> {
    list.0.map(|list| list.0.items).unwrap_or_default()
}

fn trust(written: Trust) -> TrustSpec {
    let keys = |list: List<Text>| list.items.into_iter().map(|key| key.value).collect();
    TrustSpec {
        issuers: keys(written.issuers.0),
        revoked: keys(written.revoked.0),
        unsigned: matches!(written.unsigned, Some(Unsigned::Allow)),
    }
}

fn registries(written: Keyed<Registry>) -> Vec<RegistrySpec> {
    let registry = |(name, written): (Text, Registry)| RegistrySpec {
        name,
        insecure: written.insecure.is_some_and(|insecure| insecure.0),
    };
    written.0.into_iter().map(registry).collect()
}

fn host(written: Host, problems: &mut Problems) -> HostSpec {
    let default = HostSpec::default();
    let count = |written: Option<Count<1>>, default| written.map_or(default, |count| count.0.value);
    let limits = default.limits;
    let limits = HostLimits {
        instances_total_max: count(written.instances_total, limits.instances_total_max),
        modules_resident_max: count(written.modules_resident, limits.modules_resident_max),
        host_calls_in_flight_max: count(
            written.host_calls_in_flight,
            limits.host_calls_in_flight_max,
        ),
    };
    let (admin, admin_users) = match written.admin {
        Some(Admin(admin)) => (admin.address, users(admin.users, problems)),
        None => (None, Vec::new()),
    };
    HostSpec {
        limits,
        admin,
        admin_users,
        socket: written.socket.unwrap_or(default.socket),
        drain: written.drain.unwrap_or(default.drain),
        cache: written.cache.unwrap_or(default.cache),
        open_calls: matches!(written.calls, Some(Calls::Open)),
        telemetry: written.telemetry.map(telemetry),
    }
}

fn actors(written: Vec<Spanned<Actor>>, problems: &mut Problems) -> Vec<Spanned<ActorSpec>> {
    let (mut ids, mut images) = (HashSet::new(), HashSet::new());
    let mut specs = Vec::with_capacity(written.len());
    for Spanned { value: Actor(actor), span } in written {
        let spec = actor_spec(actor, problems);
        if !images.insert(spec.image.clone()) {
            let message = format!("the image {} is listed twice", quoted(&spec.image));
            problems.push(
                Problem::new(spec.image.span, message)
                    .help("a host runs each module once; raise its `instances` instead"),
            );
        } else if !ids.insert(spec.id().to_owned()) {
            let place = spec.name.as_ref().unwrap_or(&spec.image).span;
            let message = format!("the actor {} is listed twice", quoted(spec.id()));
            problems.push(Problem::new(place, message).help("give each its own `name`"));
        }
        specs.push(Spanned::new(spec, span));
    }
    specs
}

fn actor_spec(written: ActorKeys, problems: &mut Problems) -> ActorSpec {
    let own = (written.instances.as_ref(), &written.limits);
    let (limits, written_limits) = module_limits(ActorLimits::default(), own, problems);
    if let Some(Name(name)) = &written.name
        && is_key(name, 'M')
    {
        problems.push(
            Problem::new(name.span, "an actor's name cannot look like an actor key")
                .help("a name of this form could be mistaken for another actor's key"),
        );
    }
    ActorSpec {
        image: written.image,
        name: written.name.map(|name| name.0),
        isolation: written.isolation.unwrap_or_default(),
        limits,
        written_limits,
        values: written.values.0,
    }
}

fn providers(
    written: Vec<Spanned<Provider>>,
    problems: &mut Problems,
) -> Vec<Spanned<ProviderSpec>> {
    let mut seen = HashSet::new();
    let mut specs = Vec::with_capacity(written.len());
    for Spanned { value: provider, span } in written {
        let Some(spec) = provider_spec(provider, span, problems) else { continue };
        if !seen.insert(spec.name.clone()) {
            let message = format!("the provider {} is listed twice", quoted(&spec.name));
            problems.push(
                Problem::new(spec.name.span, message)
                    .help("give each its own `name`, and name the `provider` in bindings"),
            );
        }
        specs.push(Spanned::new(spec, span));
    }
    specs
}

fn provider_spec(written: Provider, span: Span, problems: &mut Problems) -> Option<ProviderSpec> {
    let original = written.path.is_some();
    let given = Given {
        builtin: written.builtin,
        process: written.process,
        archive: written.archive,
        module: written.module,
        path: written.path,
    };
    let (kind, default_name) = provider_kind(given, span, problems)?;
    let mut values = written.values.0;
    let implied = match &kind {
        ProviderKind::Builtin(builtin) if original => originals::implied_values(builtin),
        _ => &[],
    };
    for (key, text) in implied {
        if !values.iter().any(|(written, _)| written.value == *key) {
            let implied = |text: &str| Spanned::new(text.to_owned(), default_name.span);
            values.push((implied(key), implied(text)));
        }
    }
    let binding_name = written.binding_name.map(|Name(name)| name);
    if let Some(name) = binding_name.as_ref().filter(|_| !original) {
        problems.push(
            Problem::new(name.span, "`binding_name` goes with `path` or `image_ref` only")
                .help("give the provider a `name`, and use it as `provider` of the binding"),
        );
    }
    let name = match (written.name, &binding_name) {
        (Some(Name(name)), _) => name,
        // Originals load one library several times, once for each binding name.
        (None, Some(binding)) if *binding.value != *BindingName::DEFAULT => {
            Spanned::new(format!("{}/{}", *default_name, **binding), binding.span)
        }
        _ => default_name,
    };
    Some(ProviderSpec {
        name,
        kind,
        binding_name: original.then(|| binding_name.unwrap_or_else(|| self::default_name(span))),
        values,
    })
}

fn bindings(written: Vec<Spanned<Binding>>, problems: &mut Problems) -> Vec<Spanned<BindingSpec>> {
    let mut seen = HashSet::new();
    let mut specs = Vec::with_capacity(written.len());
    for Spanned { value: binding, span } in written {
        let provider = binding.provider.map(|Name(provider)| provider);
        // The originals name a provider by its key; here it is found by its contract.
        let provider = provider.filter(|provider| !is_key(provider, 'V'));
        let spec = BindingSpec {
            actor: binding.actor.0,
            capability: binding.capability.0,
            name: binding.name.map_or_else(|| default_name(span), |name| name.0),
            provider,
            values: binding.values.0,
        };
        if !seen.insert((spec.actor.clone(), spec.capability.clone(), spec.name.clone())) {
            let (actor, capability) = (quoted(&spec.actor), quoted(&spec.capability));
            let message = format!(
                "{actor} is bound to {capability} twice under the name {}",
                quoted(&spec.name)
            );
            problems.push(
                Problem::new(spec.actor.span, message)
                    .help("keep one, or give them different `name`s"),
            );
        }
        specs.push(Spanned::new(spec, span));
    }
    specs
}

fn default_name(span: Span) -> Text {
    Spanned::new(BindingName::DEFAULT.to_owned(), span)
}

/// True for text that has the form of a public nkey and begins with `prefix`.
fn is_key(text: &str, prefix: char) -> bool {
    let base32 = |c: char| matches!(c, 'A'..='Z' | '2'..='7');
    text.len() == 56 && text.starts_with(prefix) && text.chars().all(base32)
}
