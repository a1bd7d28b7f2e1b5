//! What stores keep, as schemas.

use serde_json::{Value, json};

use super::schema::{count, list, named, object, one_of, or_null, text, with_optional, yes_or_no};

/// All of them by their names.
pub(super) fn all() -> [(&'static str, Value); 7] {
    [
        ("Data", data()),
        ("DataBytes", bytes()),
        ("DataPiece", piece()),
        ("DataQuery", query()),
        ("DataImport", import()),
        ("DataTaken", taken()),
        ("Moved", moved()),
    ]
}

/// What is to become of what a provider keeps.
pub(super) fn terms() -> Value {
    or_null(one_of(&["copy", "replace"]))
}

fn data() -> Value {
    object(
        "A part of what an actor has in a store.",
        vec![
            ("pieces", list(named("DataPiece")), "What is there."),
            ("next", or_null(text()), "What to ask for to go on (`from`); null at the end."),
        ],
    )
}

fn bytes() -> Value {
    let what = "Bytes that are no UTF-8, which actors do not write and others may.";
    let other = object(what, vec![("base64", text(), "As base64, with its padding.")]);
    json!({ "description": "A key or a value.", "anyOf": [text(), other] })
}

fn piece() -> Value {
    let ends = "When its time is over, in milliseconds since 1970 by the clock of the store; 0 is \
                never. Only a text has one.";
    with_optional(
        "A key of a store, or a part of one that is long.",
        vec![
            ("key", named("DataBytes"), "The key."),
            (
                "kind",
                one_of(&["text", "list", "set", "other"]),
                "What it holds; a counter is a text, and `other` is only listed.",
            ),
            ("count", count(), "How many elements the key has in all; 1 for a text."),
        ],
        vec![
            ("expires_unix_ms", count(), ends),
            ("start", count(), "How many of them came before these."),
            (
                "values",
                list(named("DataBytes")),
                "The text, or elements of the list or the set; none when only names were asked for.",
            ),
        ],
    )
}

fn query() -> Value {
    with_optional(
        "What is asked of a store.",
        Vec::new(),
        vec![
            ("from", or_null(text()), "`next` of the page before; null begins."),
            ("keys", list(named("DataBytes")), "Only these keys; without any, all of them."),
            ("names_only", yes_or_no(), "Leaves out what they hold."),
        ],
    )
}

fn import() -> Value {
    with_optional(
        "What is to be put into a store.",
        vec![("pieces", list(named("DataPiece")), "In the order of an export.")],
        vec![
            (
                "from",
                or_null(text()),
                "`next` of the answer before, when the first piece goes on with the last key of it.",
            ),
            (
                "replace",
                yes_or_no(),
                "In the place of what the keys hold; otherwise one that is there is refused.",
            ),
        ],
    )
}

fn taken() -> Value {
    object(
        "What was put into a store.",
        vec![
            ("keys", count(), "How many keys were begun."),
            (
                "next",
                or_null(text()),
                "What to send along (`from`) with the rest of the last key; null when all of it is there.",
            ),
        ],
    )
}

fn moved() -> Value {
    object(
        "What a provider kept went along to the one that followed.",
        vec![
            ("provider", text(), "The name of both."),
            ("keys", count(), "How many keys."),
            ("bytes", count(), "Bytes of these and of what they hold."),
            ("time_ms", count(), "For how long calls waited, in milliseconds."),
        ],
    )
}
