//! Every type as it is written fits its schema, and has nothing that the schema does not.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use trellis_core::{CallError, Code};

use super::document;
use super::paths;
use super::schema::{list, named};
use crate::answer::{Answer, Document, Fault, HostStatus};
use crate::applied::{Applied, ApplyError};
use crate::call_entry::{CallEntry, CallOutcome, Decision, PayloadEntry, Verdict};
use crate::changing::Changing;
use crate::condition::Condition;
use crate::data::{
    DataImport, DataKind, DataPage, DataPiece, DataQuery, DataTaken, DataTerms, Moved,
};
use crate::data_bytes::DataBytes;
use crate::edit::{Edit, EditEntry, EditRequest, Edited, Edits, WatchTerms};
use crate::entry::{
    ActorEntry, BindingEntry, HostEntry, Instances, Isolation, ProcessEntry, ProviderEntry,
    ProviderKind, SignedEntry,
};
use crate::event::{Event, Happening};
use crate::lifecycle::{Cause, Component, ComponentKind, Lifecycle, LifecycleState};
use crate::load::{Load, TimeBucket};
use crate::log_line::{LogLevel, LogLine};
use crate::phase::Phase;
use crate::revision::{CallsSeen, ChangedBy, Revision, RevisionOutcome};
use crate::status::Degraded;
use crate::step::{BindingRef, Step};

/// The same schema, in which an object has no field that is not named.
fn closed(mut schema: Value) -> Value {
    match &mut schema {
        Value::Object(map) => {
            if map.contains_key("properties") {
                map.insert("additionalProperties".to_owned(), false.into());
            }
            map.values_mut().for_each(|value| *value = closed(value.take()));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| *item = closed(item.take())),
        _ => {}
    }
    schema
}

/// Whether an answer fits the schema of documents with this field.
fn fits(field: &'static str, schema: Value, answer: Answer) -> Result<(), String> {
    let mut root = closed(paths::document(field, schema));
    root["components"] = closed(document()["components"].clone());
    let validator = jsonschema::validator_for(&root).expect("it is a schema");
    let answer = serde_json::to_value(Document::of(answer)).expect("it is data");
    validator.validate(&answer).map_err(|error| format!("{error} at {}", error.instance_path()))
}

fn degraded() -> Degraded {
    let (what, why) = ("actor a".to_owned(), "it is down".to_owned());
    Degraded { what, code: Code::Provider, why, since_unix_s: 1, retry_unix_s: Some(2) }
}

fn binding() -> BindingRef {
    let text = str::to_owned;
    BindingRef { actor: text("a"), contract: text("wascc:keyvalue"), name: text("default") }
}

fn host(known: bool) -> Answer {
    Answer::Host(Box::new(HostEntry {
        name: "shop".to_owned(),
        key: "N".to_owned(),
        version: "1".to_owned(),
        pid: 7,
        phase: Phase::Ready,
        started_unix_s: 1,
        manifest: "a.yaml".to_owned(),
        labels: BTreeMap::from([("zone".to_owned(), "a".to_owned())]),
        socket: known.then(|| "a.sock".to_owned()),
        admin: known.then(|| ([127, 0, 0, 1], 1).into()),
    }))
}

fn status(known: bool) -> Answer {
    let mut lifecycle = Lifecycle::starting(1);
    let cause = Cause { code: Code::Trap, why: "it traps".to_owned(), retry_unix_s: Some(2) };
    lifecycle.enter(LifecycleState::BackingOff, known.then_some(cause), 1).expect("it may");
    let name = "a".to_owned().into();
    Answer::Status(Box::new(HostStatus {
        ready: known,
        phase: Phase::Starting,
        changing: known.then(|| Changing {
            since_unix_s: 1,
            actors: vec!["a".to_owned()],
            providers: Vec::new(),
        }),
        degraded: vec![degraded()],
        components: vec![Component { kind: ComponentKind::Actor, name, lifecycle }],
        notes: only(known, "note"),
    }))
}

fn only(known: bool, text: &str) -> Vec<String> {
    known.then(|| text.to_owned()).into_iter().collect()
}

fn edit() -> EditEntry {
    let (name, what) = ("a".to_owned(), "/a.wasm".to_owned());
    EditEntry { kind: ComponentKind::Actor, name, revision: 2, what }
}

fn edits(known: bool) -> Answer {
    Answer::Edits(Box::new(Edits {
        revision: 2,
        etag: "a-2".to_owned(),
        edits: known.then(edit).into_iter().collect(),
    }))
}

fn edited() -> Edited {
    let actor = || "a".to_owned();
    let fault = ApplyError { what: actor(), code: Code::Trap, why: "it traps".to_owned() };
    let steps = vec![Step::StopActor { actor: actor() }];
    let moved = vec![Moved { provider: actor(), keys: 1, bytes: 2, time_ms: 3 }];
    let applied = Applied { steps, faults: vec![fault], moved, ..Applied::default() };
    let notes = vec!["a restart forgets it".to_owned()];
    Edited { revision: 2, unchanged: false, dry_run: false, watched: true, applied, notes }
}

fn piece(known: bool) -> DataPiece {
    let kind = if known { DataKind::List } else { DataKind::Text };
    let value = if known { DataBytes(vec![0xff]) } else { "v".into() };
    let (key, values) = ("k".into(), vec![value]);
    DataPiece { key, kind, expires_unix_ms: 0, count: 1, start: 0, values }
}

fn data(known: bool) -> Answer {
    let (pieces, next) = (vec![piece(known)], known.then(|| "1".to_owned()));
    Answer::Data(Box::new(DataPage { pieces, next }))
}

fn revision(known: bool) -> Revision {
    let text = || known.then(|| "text".to_owned());
    Revision {
        revision: 2,
        at_unix_s: 1,
        by: ChangedBy::Automatic,
        who: text(),
        subject: text(),
        version: text(),
        what: vec!["stop actor a".to_owned()],
        more: 0,
        outcome: RevisionOutcome::TakenBack,
        seen: known.then_some(CallsSeen { calls: 9, failed: 5 }),
        why: text(),
    }
}

fn actor(known: bool) -> ActorEntry {
    let text = || known.then(|| "text".to_owned());
    ActorEntry {
        name: "a".to_owned(),
        state: Condition::Down,
        reasons: vec![degraded()],
        waits_for: only(known, "provider p"),
        key: "M".to_owned(),
        issuer: text(),
        revision: known.then_some(-1),
        version: text(),
        digest: "00".to_owned(),
        call_alias: text(),
        capabilities: vec!["wascc:keyvalue".to_owned()],
        expires_unix_s: known.then_some(1),
        isolation: Isolation::Fresh,
        limits: BTreeMap::from([("queue_max".to_owned(), 1)]),
        instances: known.then_some(Instances { alive: 1, idle: 0, waiting: 0 }),
        addresses: vec!["http://127.0.0.1:1/".to_owned()],
        bindings: vec![binding()],
        edit: known.then(edit),
    }
}

fn provider(known: bool) -> ProviderEntry {
    let text = || known.then(|| "text".to_owned());
    ProviderEntry {
        name: "p".to_owned(),
        state: Condition::Starting,
        reasons: vec![degraded()],
        waits_for: only(known, "actor a"),
        kind: ProviderKind::Module,
        implementation: "geo".to_owned(),
        version: "1".to_owned(),
        signed: known.then(|| SignedEntry {
            key: "M".to_owned(),
            issuer: text(),
            revision: Some(1),
            digest: text(),
            expires_unix_s: Some(1),
        }),
        contracts: vec!["demo:geo".to_owned()],
        values: BTreeMap::from([("URL".to_owned(), "***".to_owned())]),
        process: known.then_some(ProcessEntry { pid: None, restarts: 1 }),
        edit: known.then(edit),
    }
}

fn decision(known: bool) -> Decision {
    let text = || known.then(|| "text".to_owned());
    Decision {
        time: "2026".to_owned(),
        trace_id: "4b".to_owned(),
        verdict: Verdict::Denied,
        by: "claims".to_owned(),
        code: known.then_some(Code::Denied),
        caller: text(),
        callee: "wascc:keyvalue".to_owned(),
        operation: text(),
        why: "it is not claimed".to_owned(),
    }
}

fn call(known: bool) -> CallEntry {
    let text = || "text".to_owned();
    let payload = PayloadEntry { request_hex: text(), reply_hex: text(), message: Some(text()) };
    CallEntry {
        time: text(),
        trace_id: text(),
        caller: text(),
        callee: text(),
        operation: text(),
        depth: 1,
        request_bytes: 1,
        reply_bytes: known.then_some(1),
        took_us: 1,
        outcome: CallOutcome::GivenUp,
        code: known.then_some(Code::Trap),
        payload: known.then_some(payload),
    }
}

/// What streams send fits its schema as well.
#[test]
fn every_call_fits_its_schema_and_has_no_more() {
    for known in [true, false] {
        let mut root = closed(document()["components"]["schemas"]["Call"].clone());
        root["components"] = closed(document()["components"].clone());
        let validator = jsonschema::validator_for(&root).expect("it is a schema");
        let call = serde_json::to_value(call(known)).expect("it is data");
        assert!(validator.is_valid(&call), "{call:#}");
    }
}

fn load(known: bool) -> Load {
    let under_us = known.then_some(5);
    let some = known.then_some(1);
    let load = Load::of(ComponentKind::Provider, "p".to_owned());
    let load = load.with_calls(vec![TimeBucket { under_us, calls: 1 }], 1);
    Load { instances: some, waiting: some, memory_bytes: known.then_some(1), ..load }
}

fn line() -> LogLine {
    let (target, message) = ("actor".to_owned(), "hello".to_owned());
    let fields = BTreeMap::from([("actor".to_owned(), "a".to_owned())]);
    LogLine { time: "2026".to_owned(), level: LogLevel::Warn, target, message, fields }
}

fn event(known: bool) -> Event {
    let happening = match known {
        true => Happening::revision(revision(true)),
        false => Happening::phase(Phase::Ready),
    };
    let code = known.then_some(Code::Trap);
    let mut lifecycle = Lifecycle::starting(1);
    lifecycle.enter(LifecycleState::Ready, None, 1).expect("it may");
    let name = "a".to_owned().into();
    let component = known.then_some(Component { kind: ComponentKind::Actor, name, lifecycle });
    let mut event = Event::of(happening, ("1-1".to_owned(), "urn:trellis:host:N".to_owned()), 1);
    (event.data.code, event.data.component) = (code, component);
    event
}

#[test]
fn every_answer_fits_its_schema_and_has_no_more() {
    let binding = BindingEntry {
        binding: binding(),
        provider: "p".to_owned(),
        state: Condition::Ready,
        reasons: vec![degraded()],
        waits_for: vec!["provider p".to_owned()],
        values: BTreeMap::from([("PORT".to_owned(), "1".to_owned())]),
    };
    let fault = Fault::of(&CallError::new(Code::Denied, "no"));
    let mut answers = vec![
        ("bindings", list(named("Binding")), Answer::Bindings(vec![binding])),
        ("logs", list(named("LogLine")), Answer::Logs(vec![line()])),
        ("error", named("Error"), Answer::Error(Box::new(fault))),
    ];
    for known in [true, false] {
        answers.extend([
            ("data", named("Data"), data(known)),
            (
                "data_taken",
                named("DataTaken"),
                Answer::DataTaken(DataTaken { keys: 1, next: Some("1".to_owned()) }),
            ),
            ("edits", named("Edits"), edits(known)),
            ("edited", named("Edited"), Answer::Edited(Box::new(edited()))),
            ("history", list(named("Revision")), Answer::History(vec![revision(known)])),
            ("events", list(named("Event")), Answer::Events(vec![event(known)])),
            ("decisions", list(named("Decision")), Answer::Decisions(vec![decision(known)])),
            ("loads", list(named("Load")), Answer::Loads(vec![load(known)])),
            ("host", named("Host"), host(known)),
            ("status", named("Status"), status(known)),
            ("actors", list(named("Actor")), Answer::Actors(vec![actor(known)])),
            ("actor", named("Actor"), Answer::Actor(Box::new(actor(known)))),
            ("providers", list(named("Provider")), Answer::Providers(vec![provider(known)])),
            ("provider", named("Provider"), Answer::Provider(Box::new(provider(known)))),
        ]);
    }
    for (field, schema, answer) in answers {
        assert_eq!(fits(field, schema, answer), Ok(()), "{field}");
    }
    // The comparison itself can fail.
    assert!(fits("host", named("Host"), status(true)).is_err());
}

/// Whoever adds a word to a type finds here that the document lists it as well.
#[test]
fn every_word_is_in_the_document() {
    use Condition as C;
    let condition = |it| match it {
        C::Starting | C::Ready | C::Degraded | C::Down | C::Stopped => C::as_str(it),
    };
    let phase = |it| match it {
        Phase::Starting | Phase::Waiting | Phase::Ready | Phase::Unserved | Phase::Stopping => {
            Phase::as_str(it)
        }
    };
    let schemas = &document()["components"]["schemas"];
    let words = |of: &str, field: &str| {
        let words = schemas[of]["properties"][field]["enum"].as_array();
        words.map(Vec::len)
    };
    assert_eq!((condition(C::Down), words("Actor", "state")), ("down", Some(5)));
    assert_eq!((phase(Phase::Ready), words("Host", "phase")), ("ready", Some(5)));
    assert_eq!(words("Component", "state"), Some(LifecycleState::ALL.len()));
}

#[test]
fn every_edit_fits_its_schema_and_has_no_more() {
    let (name, image, to) = ("a".to_owned(), "/a.wasm".to_owned(), Some("builtin:b".to_owned()));
    let set = BTreeMap::from([("URL".to_owned(), "c".to_owned())]);
    let kind = Some(ComponentKind::Actor);
    let watch = WatchTerms { calls: Some(1), time_ms: None, errors_percent: Some(5) };
    for edit in [
        Edit::Actor { name: name.clone(), image },
        Edit::Provider { name: name.clone(), to, set, unset: vec!["D".to_owned()] },
        Edit::Rollback { name: name.clone(), kind, to: Some(1), to_manifest: false },
        Edit::Rollback { name: name.clone(), kind: None, to: None, to_manifest: true },
        Edit::Stop { kind: ComponentKind::Actor, name: name.clone() },
        Edit::Start {
            kind: ComponentKind::Provider,
            name: name.clone(),
            image: Some("/a.wasm".to_owned()),
            to: Some("builtin:b".to_owned()),
            set: BTreeMap::from([("A".to_owned(), "b".to_owned())]),
        },
        Edit::Scale { name: name.clone(), instances: 3 },
        Edit::Bind {
            actor: name.clone(),
            capability: "x:y".to_owned(),
            name: "default".to_owned(),
            provider: Some("p".to_owned()),
            set: BTreeMap::from([("A".to_owned(), "b".to_owned())]),
            unset: vec!["D".to_owned()],
        },
        Edit::Unbind { actor: name, capability: "x:y".to_owned(), name: "default".to_owned() },
    ] {
        let (force, allow_more_capabilities, dry_run) = (true, false, true);
        let (data, replay) = (Some(DataTerms::Replace), Some(1));
        let request =
            EditRequest { edit, force, allow_more_capabilities, dry_run, data, watch, replay };
        let mut root = named("EditRequest");
        root["components"] = closed(document()["components"].clone());
        let validator = jsonschema::validator_for(&root).expect("it is a schema");
        let request = serde_json::to_value(&request).expect("it is data");
        let fits = validator.validate(&request).map_err(|error| error.to_string());
        assert_eq!(fits, Ok(()), "{request}");
        assert!(!validator.is_valid(&json!({ "edit": { "actor": { "name": "a" } } })));
    }
}

#[test]
fn what_is_asked_of_a_store_fits_its_schema_and_has_no_more() {
    let query = DataQuery { from: Some("1".to_owned()), keys: vec!["k".into()], names_only: true };
    let (pieces, from) = (vec![piece(true), piece(false)], Some("1".to_owned()));
    let import = DataImport { pieces, from, replace: true };
    for (name, asked) in [
        ("DataQuery", serde_json::to_value(query)),
        ("DataQuery", serde_json::to_value(DataQuery::default())),
        ("DataImport", serde_json::to_value(import)),
    ] {
        let mut root = named(name);
        root["components"] = closed(document()["components"].clone());
        let validator = jsonschema::validator_for(&root).expect("it is a schema");
        let asked = asked.expect("it is data");
        let fits = validator.validate(&asked).map_err(|error| error.to_string());
        assert_eq!(fits, Ok(()), "{asked}");
    }
}

#[test]
fn every_name_that_is_referred_to_is_there() {
    fn names(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(map) => map.iter().for_each(|(key, value)| match (&**key, value) {
                ("$ref", Value::String(name)) => found.push(name.clone()),
                _ => names(value, found),
            }),
            Value::Array(items) => items.iter().for_each(|item| names(item, found)),
            _ => {}
        }
    }
    let document = document();
    let mut found = Vec::new();
    names(&document, &mut found);
    assert!(found.len() > 10, "{found:?}");
    for name in found {
        let path = name.strip_prefix('#').expect("it is in this document");
        assert_ne!(document.pointer(path).unwrap_or(&json!(null)), &json!(null), "{name}");
    }
}
