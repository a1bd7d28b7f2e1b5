//! Edits that leave something what it is: stop, start, scale. And those that add something.

use std::collections::BTreeMap;

use trellis_control::ComponentKind;
use trellis_core::{CallError, Code};
use trellis_limits::TABLE;
use trellis_manifest::{ProviderKind, Span, Spanned, TextPairs};

use super::base::Base;
use super::besides::Besides;
use super::book::Book;
use super::next::{Drafted, Now, check_name};
use super::provider::{changed, kind_of, words};
use super::subject::Subject;
use super::version::{Entry, Replacement};
use super::words::Named;

/// It is to run no more.
pub(super) fn stop(now: Now<'_>) -> Drafted {
    let besides = Besides { stopped: true, ..now.besides() };
    now.with(besides)
}

/// What was stopped is to run again.
pub(super) fn start(now: Now<'_>, set: &BTreeMap<String, String>) -> Result<Drafted, CallError> {
    if !set.is_empty() {
        return Err(mixed_up());
    }
    let besides = Besides { stopped: false, ..now.besides() };
    Ok(now.with(besides))
}

/// An actor that the manifest does not have.
pub(super) fn add_actor(
    (name, image): (&str, &str),
    set: &BTreeMap<String, String>,
    of: (&Base, &Book),
) -> Result<Drafted, CallError> {
    if !set.is_empty() {
        return Err(mixed_up());
    }
    let now = addition(Subject::actor(name), of)?;
    let replacement = Replacement::Actor { name: name.to_owned(), image: image.to_owned() };
    let (what, keeps) = (image.to_owned(), format!("`image: {image}`"));
    Ok(now.added(replacement, Named { what, keeps, to: None }))
}

/// A provider that the manifest does not have.
pub(super) fn add_provider(
    (name, to): (&str, &str),
    set: &BTreeMap<String, String>,
    of: (&Base, &Book),
) -> Result<Drafted, CallError> {
    let now = addition(Subject::provider(name), of)?;
    let nowhere = Span::default();
    // It has nothing of one before.
    let nothing = ProviderKind::Builtin(Spanned::new(String::new(), nowhere));
    let kind = kind_of(to, &nothing, nowhere)?;
    let values = changed(TextPairs::new(), (set, &[]), nowhere)?;
    let named = words(Some(to.to_owned()), &values);
    Ok(now.added(Replacement::Provider { kind, values }, named))
}

fn addition<'a>(subject: Subject, (base, book): (&Base, &'a Book)) -> Result<Now<'a>, CallError> {
    check_name("a name", &subject.name)?;
    if base.has(&subject) {
        let Subject { kind, name } = &subject;
        let text = format!(
            "the manifest has {subject}: `trellis update {kind} {name}` puts another one in its \
             place, and `trellis start {kind} {name}` alone starts it again"
        );
        return Err(CallError::new(Code::Message, text));
    }
    Ok(Now::of_addition(subject, book.overlay()))
}

/// So many instances of an actor at once, at most.
pub(super) fn scale(now: Now<'_>, instances: u32) -> Result<Drafted, CallError> {
    let limit = TABLE.iter().find(|limit| limit.name == "instances_max");
    let most = limit.map_or(u64::MAX, |limit| limit.most);
    if instances == 0 {
        let text = format!(
            "no instance at all serves nobody: `trellis stop actor {}` stops it",
            now.subject.name
        );
        return Err(CallError::new(Code::Message, text));
    }
    if u64::from(instances) > most {
        let text = format!("an actor has {most} instances at most (instances_max)");
        return Err(CallError::new(Code::Message, text));
    }
    let own = match &now.entry {
        Entry::Actor(spec) => Some(spec.limits.instances_max),
        Entry::Provider(_) | Entry::Absent => None,
    };
    let instances = Some(instances).filter(|instances| Some(*instances) != own);
    let besides = Besides { instances, ..now.besides() };
    Ok(now.with(besides))
}

/// That a start says something of what it does not start.
pub(super) fn mixed_up() -> CallError {
    let (actor, provider) = (ComponentKind::Actor, ComponentKind::Provider);
    let text = format!(
        "a new {actor} is started with `image`, a new {provider} with `to` and `set`, and what was \
         stopped with none of these"
    );
    CallError::new(Code::Message, text)
}
