//! What is at which path.

use serde_json::{Value, json};

use super::schema::{list, named, object};
use crate::answer::SCHEMA_VERSION;

/// All paths that are for programs.
pub(super) fn all() -> Value {
    json!({
        "/v1/host": get("Who the host is.", "host", named("Host"), &[]),
        "/v1/status": get("Whether it is ready, and what does not work.", "status", named("Status"), &[]),
        "/v1/actors": get("The actors, in the order of their names.", "actors", list(named("Actor")), &[]),
        "/v1/actors/{name}": get("One actor.", "actor", named("Actor"), &[ACTOR]),
        "/v1/actors/{name}/invoke/{operation}": { "post": invoke() },
        "/v1/providers": get("The providers, in the order of their names.", "providers", list(named("Provider")), &[]),
        "/v1/providers/{name}": get("One provider.", "provider", named("Provider"), &[PROVIDER]),
        "/v1/bindings": get("The bindings, in the order of their actors.", "bindings", list(named("Binding")), &[]),
        "/v1/data/{actor}/{binding}/export": data(
            ("A page of what an actor has in a store.", "operate"),
            ("DataQuery", "data", "Data"),
        ),
        "/v1/data/{actor}/{binding}/import": data(
            ("Puts keys into what an actor has in a store.", "admin"),
            ("DataImport", "data_taken", "DataTaken"),
        ),
        "/v1/edits": edits(),
        "/v1/history": get("The last changes, the oldest first.", "history", list(named("Revision")), &[]),
        "/v1/events": follow(("read", "What happened on the host, and what happens."), ("events", "Event"), &[TYPE]),
        "/v1/logs": follow(("operate", "The lines of the log, and those that come."), ("logs", "LogLine"), &[ABOUT, LEVEL]),
        "/v1/actors/{name}/calls": { "get": spy() },
        "/v1/calls": { "get": decisions(&[]) },
        "/v1/calls/{trace}": { "get": decisions(&[TRACE]) },
        "/v1/loads": get("What actors and providers have to do.", "loads", list(named("Load")), &[]),
        "/v1/openapi.json": { "get": {
            "summary": "This document.",
            "description": needs("read"),
            "responses": answers("The document.", content("application/json", json!({ "type": "object" }))),
        } },
    })
}

/// A name in a path, and what it is of.
type Parameter = (&'static str, &'static str);

/// A key in a query, and what it says.
const TYPE: Parameter = ("type", "Only events whose type begins like this.");
const ABOUT: Parameter = ("about", "Only of the actor or the provider of that name or key.");
const LEVEL: Parameter = ("level", "Only what matters as much as that, such as `warn`.");
const TAIL: Parameter = ("tail", "Only the last so many of what is kept.");
const SINCE: Parameter = ("since", "Only what is no older than this, such as `5m`.");
const ACTOR: Parameter = ("name", "The actor's name in the manifest, or its key.");
const PROVIDER: Parameter = ("name", "The provider's name in the manifest.");
const CALLED: Parameter = ("name", "The actor's name in the manifest, its call alias or its key.");
const TRACE: Parameter = ("trace", "The trace of a call: 32 hex digits.");
const KEEPER: Parameter = ("actor", "The actor's name in the manifest.");
const BINDING: Parameter = ("binding", "The name of its binding to the store.");
const OPERATION: Parameter = ("operation", "The operation, as its contract names it.");

fn get(about: &str, field: &'static str, schema: Value, parameters: &[Parameter]) -> Value {
    let content = content("application/json", document(field, schema));
    json!({ "get": {
        "summary": about,
        "description": needs("read"),
        "parameters": in_path(parameters),
        "responses": answers(about, content),
    } })
}

/// What is kept as a list; and, for who accepts `text/event-stream`, a stream that goes on.
fn follow(
    (scope, about): (&str, &str),
    (field, schema): (&'static str, &str),
    parameters: &[Parameter],
) -> Value {
    let mut follow = get(about, field, list(named(schema)), &[]);
    let stream = "Server-sent events: the data of each is one of the list, that of `lost` is a \
                  `Lost`, and that of `end` is why nothing more comes, as an error.";
    let content = &mut follow["get"]["responses"]["200"]["content"];
    content["text/event-stream"] = json!({ "schema": { "type": "string", "description": stream } });
    follow["get"]["description"] = needs(scope).into();
    let mut all: Vec<_> = [TAIL, SINCE].iter().chain(parameters).map(in_query).collect();
    all.push(json!({
        "name": "last-event-id",
        "in": "header",
        "required": false,
        "description": "The id of the event of a stream that was read last.",
        "schema": { "type": "string" },
    }));
    follow["get"]["parameters"] = all.into();
    follow
}

/// What is only followed.
fn spy() -> Value {
    let about = "The calls of an actor, and those it makes, from now on: server-sent events, each a \
                 `Call`; `lost` and `end` are as those of `/v1/logs`.";
    let shown = "With `true` also what is said; that needs a token for `admin`.";
    let mut parameters = in_path(&[ACTOR]);
    parameters.push(in_query(&("payload", shown)));
    let stream = json!({ "type": "string", "description": "Events whose data is a `Call`." });
    json!({
        "summary": about,
        "description": needs("operate"),
        "parameters": parameters,
        "responses": answers(about, content("text/event-stream", stream)),
    })
}

fn decisions(parameters: &[Parameter]) -> Value {
    let about = "Why calls were refused, and others let through, as far as that is kept.";
    let mut decisions = get(about, "decisions", list(named("Decision")), parameters);
    decisions["get"]["description"] = needs("operate").into();
    decisions["get"].take()
}

fn in_query((name, about): &Parameter) -> Value {
    json!({
        "name": name,
        "in": "query",
        "required": false,
        "description": about,
        "schema": { "type": "string" },
    })
}

fn invoke() -> Value {
    let any =
        json!({ "description": "Any message; `{\"$text\": s}` and `{\"$hex\": s}` are bytes." });
    let bytes = json!({ "type": "string", "format": "binary" });
    let messages = json!({
        "application/json": { "schema": any },
        "application/msgpack": { "schema": bytes },
        "application/octet-stream": { "schema": bytes },
    });
    let mut parameters = in_path(&[CALLED, OPERATION]);
    parameters.push(json!({
        "name": "trellis-timeout",
        "in": "header",
        "required": false,
        "description": "How long the caller waits, such as `500ms`.",
        "schema": { "type": "string" },
    }));
    json!({
        "summary": "Calls an actor over the road of all calls.",
        "description": format!("The reply comes as the payload does. {}", needs("operate")),
        "parameters": parameters,
        "requestBody": { "required": false, "content": messages },
        "responses": answers("What the actor replied.", messages),
    })
}

fn edits() -> Value {
    let about = "The edits in force, and the revision of what is wanted.";
    let mut edits = get(about, "edits", named("Edits"), &[]);
    let done = content("application/json", document("edited", named("Edited")));
    edits["post"] = json!({
        "summary": "Changes what is wanted, until the host restarts.",
        "description": needs("admin"),
        "parameters": [{
            "name": "if-match",
            "in": "header",
            "required": false,
            "description": "The `etag` of what is wanted that it was made for, as `GET` has it.",
            "schema": { "type": "string" },
        }],
        "requestBody": {
            "required": true,
            "content": content("application/json", named("EditRequest")),
        },
        "responses": answers("What was done.", done),
    });
    edits
}

fn data((about, scope): (&str, &str), (asked, field, answer): (&str, &'static str, &str)) -> Value {
    json!({ "post": {
        "summary": about,
        "description": needs(scope),
        "parameters": in_path(&[KEEPER, BINDING]),
        "requestBody": { "required": false, "content": content("application/json", named(asked)) },
        "responses": answers(about, content("application/json", document(field, named(answer)))),
    } })
}

fn needs(scope: &str) -> String {
    format!("At the admin address it needs a token with the scope `{scope}`, or a larger one.")
}

fn in_path(parameters: &[Parameter]) -> Vec<Value> {
    let parameter = |(name, about): &Parameter| {
        json!({
            "name": name,
            "in": "path",
            "required": true,
            "description": about,
            "schema": { "type": "string" },
        })
    };
    parameters.iter().map(parameter).collect()
}

fn content(kind: &str, schema: Value) -> Value {
    json!({ kind: { "schema": schema } })
}

fn answers(about: &str, content: Value) -> Value {
    json!({
        "200": { "description": about, "content": content },
        "default": {
            "description": "It failed; the status says in which way.",
            "content": self::content("application/json", document("error", named("Error"))),
        },
    })
}

/// A document with its version and one field, which says what it is.
pub(super) fn document(field: &'static str, schema: Value) -> Value {
    let version = json!({ "const": SCHEMA_VERSION });
    let about = "It grows when a field changes its meaning or goes away.";
    object(
        "A document.",
        vec![("schemaVersion", version, about), (field, schema, "What was asked for.")],
    )
}
