//! Building blocks of schemas (JSON Schema 2020-12, which OpenAPI 3.1 takes).

use serde_json::{Map, Value, json};
use trellis_core::Code;

/// A field of an object: its name, what it holds, and what it is.
pub(super) type Field = (&'static str, Value, &'static str);

/// An object that has all of these fields.
pub(super) fn object(about: &str, fields: Vec<Field>) -> Value {
    with_optional(about, fields, Vec::new())
}

/// An object that has the first fields always, and the others where there is something to say.
pub(super) fn with_optional(about: &str, always: Vec<Field>, sometimes: Vec<Field>) -> Value {
    let required: Vec<_> = always.iter().map(|(name, ..)| *name).collect();
    let fields = always.into_iter().chain(sometimes);
    let properties: Map<String, Value> = fields.map(property).collect();
    json!({
        "type": "object",
        "description": about,
        "properties": properties,
        "required": required,
    })
}

fn property((name, mut schema, about): Field) -> (String, Value) {
    schema["description"] = about.into();
    (name.to_owned(), schema)
}

/// Text.
pub(super) fn text() -> Value {
    json!({ "type": "string" })
}

/// A whole number from zero.
pub(super) fn count() -> Value {
    json!({ "type": "integer", "minimum": 0 })
}

/// A whole number.
pub(super) fn whole() -> Value {
    json!({ "type": "integer" })
}

/// Yes or no.
pub(super) fn yes_or_no() -> Value {
    json!({ "type": "boolean" })
}

/// One of these words.
pub(super) fn one_of(words: &[&str]) -> Value {
    json!({ "enum": words })
}

/// The code of an error.
pub(super) fn code() -> Value {
    let codes: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
    one_of(&codes)
}

/// The schema of that name.
pub(super) fn named(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// This, or null.
pub(super) fn or_null(schema: Value) -> Value {
    json!({ "anyOf": [schema, { "type": "null" }] })
}

/// A list of these.
pub(super) fn list(items: Value) -> Value {
    json!({ "type": "array", "items": items })
}

/// These by names that nobody knows before.
pub(super) fn by_name(values: Value) -> Value {
    json!({ "type": "object", "additionalProperties": values })
}
