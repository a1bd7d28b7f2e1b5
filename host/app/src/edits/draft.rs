//! From what is asked for to what it would put in the place of what the manifest says.

use trellis_control::{ComponentKind, Edit};
use trellis_core::{CallError, Code};
use trellis_supervisor::Parts;

use super::base::Base;
use super::binding;
use super::book::Book;
use super::next::{Drafted, Next, Now};
use super::provider::provider;
use super::subject::Subject;
use super::verbs;
use super::version::Replacement;
use super::words::Named;

/// What an edit asks for, of a manifest with the edits that are in force, all of it as it was
/// prepared.
///
/// # Errors
/// [`Code::NotFound`] for what there is not, [`Code::Message`] for what makes no sense.
pub(crate) fn draft(edit: &Edit, of: (&Base, &Parts), book: &Book) -> Result<Drafted, CallError> {
    let drafted = meant(edit, of, book)?;
    drafted.check_room(book.overlay())?;
    Ok(drafted)
}

fn meant(edit: &Edit, (base, parts): (&Base, &Parts), book: &Book) -> Result<Drafted, CallError> {
    let now = |subject: Subject| Now::of(subject, base, book.overlay());
    match edit {
        Edit::Actor { name, image } => {
            let now = now(Subject::actor(name.clone()))?;
            let replacement = Replacement::Actor { name: name.clone(), image: image.clone() };
            let (what, keeps) = (image.clone(), format!("`image: {image}`"));
            let named = Named { what, keeps, to: None };
            Ok(now.replaced(replacement, named))
        }
        Edit::Provider { name, to, set, unset } => {
            let now = now(Subject::provider(name.clone()))?;
            let (replacement, named) = provider(&now, to.as_deref(), (set, unset))?;
            Ok(now.replaced(replacement, named))
        }
        Edit::Rollback { to: Some(_), to_manifest: true, .. } => {
            let text =
                "`to` and `to_manifest` say where it goes back to: only one of them is meant";
            Err(CallError::new(Code::Message, text))
        }
        Edit::Rollback { kind, name, to, to_manifest } => {
            let subject = named(*kind, name, (base, book))?;
            let entry = Now::of(subject.clone(), base, book.overlay())?.entry;
            let next = if *to_manifest { Next::Plain } else { Next::Former(*to) };
            Ok(Drafted { subject, base: entry, next })
        }
        Edit::Stop { kind, name } => Ok(verbs::stop(now(Subject::of(*kind, name))?)),
        Edit::Start { kind, name, image: None, to: None, set } => {
            verbs::start(now(Subject::of(*kind, name))?, set)
        }
        Edit::Start { kind: ComponentKind::Actor, name, image: Some(image), to: None, set } => {
            verbs::add_actor((name, image), set, (base, book))
        }
        Edit::Start { kind: ComponentKind::Provider, name, image: None, to: Some(to), set } => {
            verbs::add_provider((name, to), set, (base, book))
        }
        Edit::Start { .. } => Err(verbs::mixed_up()),
        Edit::Scale { name, instances } => {
            verbs::scale(now(Subject::actor(name.clone()))?, *instances)
        }
        Edit::Bind { actor, capability, name, provider, set, unset } => {
            let asked = (capability.as_str(), name.as_str());
            let how = (provider.as_deref(), set, unset.as_slice());
            binding::bind(now(Subject::actor(actor.clone()))?, asked, how, (base, parts))
        }
        Edit::Unbind { actor, capability, name } => {
            let asked = (capability.as_str(), name.as_str());
            binding::unbind(now(Subject::actor(actor.clone()))?, asked, (base, parts))
        }
    }
}

/// What has that name.
fn named(
    kind: Option<ComponentKind>,
    name: &str,
    (base, book): (&Base, &Book),
) -> Result<Subject, CallError> {
    let (actor, provider) = (Subject::actor(name), Subject::provider(name));
    let has = |subject| base.has(subject) || book.overlay().get(subject).is_some();
    match kind {
        Some(ComponentKind::Actor) => Ok(actor),
        Some(ComponentKind::Provider) => Ok(provider),
        None if has(&actor) && has(&provider) => {
            let text = format!("there is an actor and a provider `{name}`; say which of the two");
            Err(CallError::new(Code::Message, text))
        }
        None if has(&provider) => Ok(provider),
        None if has(&actor) => Ok(actor),
        None => Err(base.unknown_to_all(name)),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use trellis_limits::fixed::{EDIT_ENTRIES, EDIT_VALUES};
    use trellis_manifest::{Format, ProviderKind, SourceText, Span, Spanned, read};

    use super::super::besides::{Besides, Ids, Rebound};
    use super::super::next::New;
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
        match draft(edit, (&base(), &Parts::default()), &Book::default())?.next {
            Next::New(new) => Ok((new.replacement, new.what, new.keeps)),
            Next::Plain | Next::Former(_) => panic!("it is new"),
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
        let entry =
            "write `builtin: keyvalue-redis` and `values: {URL: …}` in the manifest's entry";
        assert_eq!(keeps, format!("{entry} of provider store"));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let code = |edit: &Edit| drafted(edit).map(drop).expect_err("it makes none").code();
        assert_eq!(code(&store(Some("keyvalue-redis"), &[], &[])), Code::Message);
        assert_eq!(code(&store(Some("builtin:"), &[], &[])), Code::Message);
        assert_eq!(code(&store(None, &[], &["URL"])), Code::Message);
        let unknown = Edit::Actor { name: "b".to_owned(), image: "/b.wasm".to_owned() };
        assert_eq!(code(&unknown), Code::NotFound);
        let both =
            Edit::Rollback { kind: None, name: "a".to_owned(), to: None, to_manifest: false };
        assert_eq!(code(&both), Code::Message, "an actor and a provider");
        let nothing =
            Edit::Rollback { kind: None, name: "stor".to_owned(), to: None, to_manifest: false };
        let error = drafted(&nothing).map(drop).expect_err("there is none");
        assert_eq!(error.code(), Code::NotFound);
        assert!(error.message().contains("did you mean `store`?"), "{error}");
    }

    fn edit(json: &str) -> Edit {
        serde_json::from_str(json).unwrap_or_else(|error| panic!("{json}: {error}"))
    }

    #[test]
    fn what_stays_what_it_is_is_read_again_for_nothing() {
        let stop = edit(r#"{"stop": {"kind": "actor", "name": "a"}}"#);
        let drafted = draft(&stop, (&base(), &Parts::default()), &Book::default());
        let Next::New(new) = drafted.expect("it makes sense").next else { panic!("it is new") };
        assert!(new.besides.stopped && !new.reads);
        let own = Replacement::Actor { name: "a".to_owned(), image: "a.wasm".to_owned() };
        assert_eq!((new.replacement, new.what.as_str()), (own, "stopped"));
        assert_eq!(new.keeps, "take actor a out of the manifest");
        for nothing in [
            r#"{"start": {"kind": "actor", "name": "a"}}"#,
            r#"{"start": {"kind": "provider", "name": "store"}}"#,
            r#"{"scale": {"name": "a", "instances": 64}}"#,
        ] {
            let drafted = draft(&edit(nothing), (&base(), &Parts::default()), &Book::default());
            let next = drafted.expect("it makes sense").next;
            assert!(matches!(next, Next::Plain), "{nothing}: the manifest says so");
        }
    }

    #[test]
    fn what_is_new_has_a_name_of_its_own_and_is_what_it_says() {
        let start = edit(r#"{"start": {"kind": "actor", "name": "b", "image": "/b.wasm"}}"#);
        let drafted = draft(&start, (&base(), &Parts::default()), &Book::default());
        let Next::New(new) = drafted.expect("it makes sense").next else { panic!("it is new") };
        assert!(new.reads && new.adds);
        let entry = "write `image: /b.wasm` and `name: b` in an entry of the manifest's `actors`";
        assert_eq!(new.keeps, entry);
        for (json, says) in [
            (r#"{"kind": "actor", "name": "a", "image": "/b.wasm"}"#, "`trellis update actor a`"),
            (r#"{"kind": "actor", "name": "", "image": "/b.wasm"}"#, "must not be empty"),
            (r#"{"kind": "actor", "name": "b", "to": "builtin:x"}"#, "is started with `image`"),
            (r#"{"kind": "actor", "name": "a", "set": {"A": "b"}}"#, "is started with `image`"),
            (r#"{"kind": "provider", "name": "b", "image": "/b"}"#, "is started with `image`"),
            (r#"{"kind": "provider", "name": "b", "to": "x"}"#, "builtin:NAME"),
            (r#"{"kind": "actor", "name": "b"}"#, "no actor `b`"),
        ] {
            let start = edit(&format!("{{\"start\": {json}}}"));
            let error = draft(&start, (&base(), &Parts::default()), &Book::default());
            let error = error.err().unwrap_or_else(|| panic!("{json}"));
            assert!(error.message().contains(says), "{json}: {error}");
        }
    }

    #[test]
    fn no_instance_is_a_stop_and_too_many_are_refused() {
        for (instances, says) in [(0, "`trellis stop actor a`"), (1_001, "1000 instances at most")]
        {
            let scale = Edit::Scale { name: "a".to_owned(), instances };
            let error = draft(&scale, (&base(), &Parts::default()), &Book::default()).err();
            assert!(error.is_some_and(|error| error.message().contains(says)), "{instances}");
        }
    }

    /// Whether there is room for something new, once it is changed.
    fn room(change: impl FnOnce(&mut New)) -> Result<(), CallError> {
        let start = edit(r#"{"start": {"kind": "actor", "name": "b", "image": "/b.wasm"}}"#);
        let nothing = Book::default();
        let start = draft(&start, (&base(), &Parts::default()), &nothing);
        let mut drafted = start.expect("it makes sense");
        let Next::New(new) = &mut drafted.next else { panic!("it is new") };
        change(new);
        drafted.check_room(nothing.overlay())
    }

    fn is_full(room: Result<(), CallError>, limit: &str) {
        let full = room.expect_err("it is one too many");
        assert_eq!(full.code(), Code::Busy);
        assert!(full.message().contains(limit), "{full}");
    }

    #[test]
    fn edits_have_so_many_entries_and_no_more() {
        let most = usize::try_from(EDIT_ENTRIES.default).expect("it fits");
        let of = |entries: usize, stopped: bool| {
            room(|new| {
                let ids = Ids { actors: Vec::new(), contracts: Vec::new(), name: String::new() };
                let rebound = Rebound { ids, own: None, now: None };
                let key = |number: usize| ("c".to_owned(), number.to_string());
                let bindings = (1..entries).map(|it| (key(it), rebound.clone())).collect();
                new.besides = Besides { stopped, bindings, instances: None };
            })
        };
        assert_eq!(of(most, false), Ok(()));
        is_full(of(most + 1, false), "edit_entries_max");
        is_full(of(most + 1, true), "edit_entries_max");
    }

    #[test]
    fn edits_have_so_many_bytes_and_no_more() {
        let most = usize::try_from(EDIT_VALUES.default).expect("it fits");
        let of = |bytes: usize, stopped: bool| {
            room(|new| {
                let (key, value) = ("K".to_owned(), "v".repeat(bytes - 5));
                let (kind, at) = ("abcd".to_owned(), Span::default());
                new.replacement = Replacement::Provider {
                    kind: ProviderKind::Builtin(Spanned::new(kind, at)),
                    values: vec![(Spanned::new(key, at), Spanned::new(value, at))],
                };
                new.besides.stopped = stopped;
            })
        };
        assert_eq!(of(most, false), Ok(()));
        is_full(of(most + 1, false), "edit_values_bytes_max");
        is_full(of(most + 1, true), "edit_values_bytes_max");
        // What only ends takes none.
        assert_eq!(
            room(|new| {
                new.named = None;
                new.besides.stopped = true;
            }),
            Ok(())
        );
    }
}
