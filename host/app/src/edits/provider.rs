//! A provider as an edit wants it.

use std::collections::BTreeMap;

use trellis_core::{CallError, Code};
use trellis_limits::ActorLimits;
use trellis_manifest::{
    ProcessLimitsSpec, ProcessSpec, ProgramSpec, ProviderKind, ProviderModuleSpec, Span, Spanned,
    TextPairs,
};

use super::next::Now;
use super::version::{Entry, Replacement, brought};
use super::words::Named;

/// A provider with other values, or as something else.
pub(super) fn provider(
    now: &Now<'_>,
    to: Option<&str>,
    changes: (&BTreeMap<String, String>, &[String]),
) -> Result<(Replacement, Named), CallError> {
    let Some(Replacement::Provider { kind, values }) = now.replacement() else {
        return Err(CallError::new(Code::Internal, "the entry is no provider's"));
    };
    let at = match &now.entry {
        Entry::Provider(spec) => spec.name.span,
        Entry::Actor(_) | Entry::Absent => Span::default(),
    };
    let (kind, values) = match to {
        None => (kind, values),
        // The values of another implementation have nothing to do with these.
        Some(to) => (kind_of(to, &kind, at)?, TextPairs::new()),
    };
    let values = changed(values, changes, at)?;
    // What an edit before made of it, it is still.
    let named = words(to.map(str::to_owned).or_else(|| now.made_of()), &values);
    Ok((Replacement::Provider { kind, values }, named))
}

/// Values with others set and some taken away.
pub(super) fn changed(
    mut values: TextPairs,
    (set, unset): (&BTreeMap<String, String>, &[String]),
    at: Span,
) -> Result<TextPairs, CallError> {
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
    Ok(values)
}

/// What it is, and what the manifest would say: of values their names alone.
pub(super) fn words(to: Option<String>, values: &TextPairs) -> Named {
    let names: Vec<_> = values.iter().map(|(key, _)| key.value.as_str()).collect();
    let what = match (&to, names.is_empty()) {
        (Some(to), true) => to.clone(),
        (Some(to), false) => format!("{to} with {}", names.join(", ")),
        (None, true) => "without values".to_owned(),
        (None, false) => format!("the values {}", names.join(", ")),
    };
    let kind = to.as_deref().and_then(|to| to.split_once(':'));
    let kind = kind.map(|(kind, it)| format!("`{kind}: {it}`"));
    let named: Vec<_> = names.iter().map(|name| format!("{name}: …")).collect();
    let is_said = !names.is_empty() || kind.is_none();
    let values = is_said.then(|| format!("`values: {{{}}}`", named.join(", ")));
    let keeps = kind.into_iter().chain(values).collect::<Vec<_>>().join(" and ");
    Named { what, keeps, to }
}

/// What implements a provider, as one word. What the manifest says of the same kind holds on.
pub(super) fn kind_of(to: &str, now: &ProviderKind, at: Span) -> Result<ProviderKind, CallError> {
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
                "a provider is `builtin:NAME`, `module:FILE`, `archive:FILE` (both also an image in \
                 a registry) or `process:PATH`, not `{to}`"
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
