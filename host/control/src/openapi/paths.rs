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
        "/v1/edits": edits(),
        "/v1/history": get("The last changes, the oldest first.", "history", list(named("Revision")), &[]),
        "/v1/openapi.json": { "get": {
            "summary": "This document.",
            "description": needs("read"),
            "responses": answers("The document.", content("application/json", json!({ "type": "object" }))),
        } },
    })
}

/// A name in a path, and what it is of.
type Parameter = (&'static str, &'static str);

const ACTOR: Parameter = ("name", "The actor's name in the manifest, or its key.");
const PROVIDER: Parameter = ("name", "The provider's name in the manifest.");
const CALLED: Parameter = ("name", "The actor's name in the manifest, its call alias or its key.");
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
