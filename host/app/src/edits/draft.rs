//! From what is asked for to what it would put in the place of what the manifest says.

use std::collections::BTreeMap;

use trellis_control::{ComponentKind, Edit};
use trellis_core::{CallError, Code};
use trellis_limits::ActorLimits;
use trellis_manifest::{
    ProcessLimitsSpec, ProcessSpec, ProgramSpec, ProviderKind, ProviderModuleSpec, Span, Spanned,
    TextPairs,
};

use super::base::Base;
use super::book::Book;
use super::subject::Subject;
use super::version::{Entry, Replacement, brought};

/// What an edit would put in place.
pub(crate) struct Drafted {
    pub(crate) subject: Subject,
    pub(crate) base: Entry,
    pub(crate) next: Next,
}

/// Where it comes from.
pub(crate) enum Next {
    /// It is new; with what it is and what the manifest would say, in words.
    New { replacement: Replacement, what: String, keeps: String },
    /// It was in force before, by this revision or the one before the edit in force.
    Former(Option<u64>),
}

/// What an edit asks for, of a manifest with the edits that are in force.
///
/// # Errors
/// [`Code::NotFound`] for what the manifest does not have, [`Code::Message`] for what makes no
/// sense.
pub(crate) fn draft(edit: &Edit, base: &Base, book: &Book) -> Result<Drafted, CallError> {
    match edit {
        Edit::Actor { name, image } => {
            let subject = Subject::actor(name.clone());
            let replacement = Replacement::Actor { name: name.clone(), image: image.clone() };
            let next =
                Next::New { replacement, what: image.clone(), keeps: format!("`image: {image}`") };
            Ok(Drafted { base: base.entry(&subject)?, subject, next })
        }
        Edit::Provider { name, to, set, unset } => {
            let subject = Subject::provider(name.clone());
            let entry = base.entry(&subject)?;
            let now = book.overlay().get(&subject).map(|it| it.version.replacement.clone());
            let next = provider((&entry, now.as_ref()), to.as_deref(), (set, unset))?;
            Ok(Drafted { subject, base: entry, next })
        }
        Edit::Rollback { kind, name, to } => {
            let subject = named(*kind, name, base)?;
            Ok(Drafted { base: base.entry(&subject)?, subject, next: Next::Former(*to) })
        }
    }
}

/// What has that name.
fn named(kind: Option<ComponentKind>, name: &str, base: &Base) -> Result<Subject, CallError> {
    let (actor, provider) = (Subject::actor(name), Subject::provider(name));
    match kind {
        Some(ComponentKind::Actor) => Ok(actor),
        Some(ComponentKind::Provider) => Ok(provider),
        None if base.has(&actor) && base.has(&provider) => {
            let text = format!("there is an actor and a provider `{name}`; say which of the two");
            Err(CallError::new(Code::Message, text))
        }
        None if base.has(&provider) => Ok(provider),
        None if base.has(&actor) => Ok(actor),
        None => Err(base.unknown_to_all(name)),
    }
}

/// A provider with other values, or as something else.
fn provider(
    (entry, now): (&Entry, Option<&Replacement>),
    to: Option<&str>,
    (set, unset): (&BTreeMap<String, String>, &[String]),
) -> Result<Next, CallError> {
    let Entry::Provider(spec) = entry else {
        return Err(CallError::new(Code::Internal, "the entry is no provider's"));
    };
    let (kind, values) = match now {
        Some(Replacement::Provider { kind, values }) => (kind, values),
        _ => (&spec.kind, &spec.values),
    };
    let at = spec.name.span;
    let (kind, mut values) = match to {
        None => (kind.clone(), values.clone()),
        // The values of another implementation have nothing to do with these.
        Some(to) => (kind_of(to, kind, at)?, TextPairs::new()),
    };
    for key in unset {
        let before = values.len();
        values.retain(|(known, _)| known.value != *key);
        if values.len() == before {
            let text = format!("there is no value `{key}` to take away");
            return Err(CallError::new(Code::Message, text));
        }
    }
    for (key, value) in set {
        let value = brought(value.clone(), at);
        match values.iter_mut().find(|(known, _)| known.value == *key) {
            Some((_, known)) => *known = value,
            None => values.push((brought(key.clone(), at), value)),
        }
    }
    let (what, keeps) = words(to, &values);
    Ok(Next::New { replacement: Replacement::Provider { kind, values }, what, keeps })
}

/// What it is, and what the manifest would say: of values their names alone.
fn words(to: Option<&str>, values: &TextPairs) -> (String, String) {
    let names: Vec<_> = values.iter().map(|(key, _)| key.value.as_str()).collect();
    let what = match (to, names.is_empty()) {
        (Some(to), true) => to.to_owned(),
        (Some(to), false) => format!("{to} with {}", names.join(", ")),
        (None, _) => format!("the values {}", names.join(", ")),
    };
    let kind = to.and_then(|to| to.split_once(':')).map(|(kind, it)| format!("`{kind}: {it}`"));
    let named: Vec<_> = names.iter().map(|name| format!("{name}: …")).collect();
    let values = format!("`values: {{{}}}`", named.join(", "));
    (what, kind.into_iter().chain([values]).collect::<Vec<_>>().join(" and "))
}

/// What implements a provider, as one word. What the manifest says of the same kind holds on.
fn kind_of(to: &str, now: &ProviderKind, at: Span) -> Result<ProviderKind, CallError> {
    let (kind, what) = to.split_once(':').unwrap_or((to, ""));
    let what = Some(what).filter(|what| !what.is_empty());
    let text = |what: &str| brought(what.to_owned(), at);
    match (kind, what) {
        ("builtin", Some(name)) => Ok(ProviderKind::Builtin(text(name))),
        ("module", Some(file)) => Ok(ProviderKind::Module(Box::new(module(text(file), now)))),
        ("archive", Some(file)) => Ok(process(ProgramSpec::Archive(text(file)), now)),
        ("process", Some(command)) => Ok(process(ProgramSpec::Command(text(command)), now)),
        _ => {
            let text = format!(
                "a provider is `builtin:NAME`, `module:PATH`, `archive:PATH` or `process:PATH`, \
                 not `{to}`"
            );
            Err(CallError::new(Code::Message, text))
        }
    }
}

fn module(file: Spanned<String>, now: &ProviderKind) -> ProviderModuleSpec {
    if let ProviderKind::Module(module) = now {
        return ProviderModuleSpec { file, ..ProviderModuleSpec::clone(module) };
    }
    let limits = ActorLimits { instances_min: 1, instances_max: 1, ..ActorLimits::default() };
    ProviderModuleSpec { file, limits, written_limits: Vec::new() }
}

fn process(program: ProgramSpec, now: &ProviderKind) -> ProviderKind {
    let spec = match now {
        ProviderKind::Process(process) => ProcessSpec { program, ..ProcessSpec::clone(process) },
        ProviderKind::Builtin(_) | ProviderKind::Module(_) => ProcessSpec {
            program,
            args: Vec::new(),
            folder: None,
            environment: Vec::new(),
            limits: ProcessLimitsSpec::default(),
        },
    };
    ProviderKind::Process(Box::new(spec))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use trellis_manifest::{Format, SourceText, read};

    use super::*;

    fn base() -> Base {
        let text = "actors: [{image: a.wasm, name: a}]
providers:
  - {builtin: keyvalue-embedded, name: store, values: {PATH: x, CACHE: 1MiB}}
  - {builtin: http-server, name: a}
";
        let source = SourceText::new("a.yaml", text, Format::Yaml);
        let manifest = read(&source, &|_| None).unwrap_or_else(|report| panic!("{report}"));
        Base { manifest: Arc::new(manifest), source, names: [Arc::from("a")].into() }
    }

    fn store(to: Option<&str>, set: &[(&str, &str)], unset: &[&str]) -> Edit {
        let pair = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        Edit::Provider {
            name: "store".to_owned(),
            to: to.map(str::to_owned),
            set: set.iter().map(pair).collect(),
            unset: unset.iter().map(|key| (*key).to_owned()).collect(),
        }
    }

    fn drafted(edit: &Edit) -> Result<(Replacement, String, String), CallError> {
        match draft(edit, &base(), &Book::default())?.next {
            Next::New { replacement, what, keeps } => Ok((replacement, what, keeps)),
            Next::Former(_) => panic!("it is new"),
        }
    }

    #[test]
    fn values_are_set_over_those_of_the_same_implementation_only() {
        let values = |edit: &Edit| match drafted(edit).expect("it makes sense").0 {
            Replacement::Provider { values, .. } => values
                .into_iter()
                .map(|(key, value)| format!("{}={}", key.value, value.value))
                .collect::<Vec<_>>(),
            Replacement::Actor { .. } => panic!("it is a provider's"),
        };
        assert_eq!(values(&store(None, &[("CACHE", "2MiB")], &["PATH"])), ["CACHE=2MiB"]);
        assert_eq!(values(&store(None, &[("MODE", "x")], &[])), ["PATH=x", "CACHE=1MiB", "MODE=x"]);
        let redis = store(Some("builtin:keyvalue-redis"), &[("URL", "redis://:canary@a")], &[]);
        assert_eq!(values(&redis), ["URL=redis://:canary@a"]);
        let (_, what, keeps) = drafted(&redis).expect("it makes sense");
        assert_eq!(what, "builtin:keyvalue-redis with URL");
        assert_eq!(keeps, "`builtin: keyvalue-redis` and `values: {URL: …}`");
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let code = |edit: &Edit| drafted(edit).map(drop).expect_err("it makes none").code();
        assert_eq!(code(&store(Some("keyvalue-redis"), &[], &[])), Code::Message);
        assert_eq!(code(&store(Some("builtin:"), &[], &[])), Code::Message);
        assert_eq!(code(&store(None, &[], &["URL"])), Code::Message);
        let unknown = Edit::Actor { name: "b".to_owned(), image: "/b.wasm".to_owned() };
        assert_eq!(code(&unknown), Code::NotFound);
        let both = Edit::Rollback { kind: None, name: "a".to_owned(), to: None };
        assert_eq!(code(&both), Code::Message, "an actor and a provider");
        let nothing = Edit::Rollback { kind: None, name: "stor".to_owned(), to: None };
        let error = drafted(&nothing).map(drop).expect_err("there is none");
        assert_eq!(error.code(), Code::NotFound);
        assert!(error.message().contains("did you mean `store`?"), "{error}");
    }
}
