//! Edits and the history as schemas.

use serde_json::{Value, json};

use super::kept;
use super::schema::{
    Field, by_name, code, count, list, named, object, one_of, or_null, text, with_optional,
    yes_or_no,
};
use crate::lifecycle::ComponentKind;
use crate::revision::{ChangedBy, RevisionOutcome};

/// All of them by their names.
pub(super) fn all() -> [(&'static str, Value); 9] {
    [
        ("EditRequest", edit_request()),
        ("Edit", edit()),
        ("Watch", watch()),
        ("Edits", edits()),
        ("EditEntry", edit_entry()),
        ("Edited", edited()),
        ("Applied", applied()),
        ("Fault", fault()),
        ("Revision", revision()),
    ]
}

/// What an actor or a provider runs by, if not by the manifest.
pub(super) fn of_entry() -> Field {
    ("edit", named("EditEntry"), "The edit by which it runs other than the manifest says.")
}

fn kind() -> Value {
    one_of(&[ComponentKind::Actor, ComponentKind::Provider].map(ComponentKind::as_str))
}

fn edit_request() -> Value {
    with_optional(
        "An edit, and how it is to be made.",
        vec![("edit", named("Edit"), "What is to be other than it is.")],
        vec![
            (
                "force",
                yes_or_no(),
                "Also with another key or an older revision, and also a provider that is not well.",
            ),
            (
                "allow_more_capabilities",
                yes_or_no(),
                "Also with more capabilities than the version before has.",
            ),
            ("dry_run", yes_or_no(), "Only tell what would change."),
            (
                "replay",
                or_null(count()),
                "So many of the actor's calls that were kept the new version answers before it \
                 serves; null is all of them, 0 none.",
            ),
            (
                "data",
                kept::terms(),
                "What a provider keeps is copied to the one that follows; `replace` throws away what \
                 that holds.",
            ),
            ("watch", named("Watch"), "When it is taken back by itself."),
        ],
    )
}

fn edit() -> Value {
    let name = || ("name", text(), "Its name in the manifest.");
    let image =
        "The signed module: an absolute path on the host's machine, or an image in a registry.";
    let actor = object("Another version of an actor.", vec![name(), ("image", text(), image)]);
    let provider = with_optional(
        "Other values of a provider, or another implementation.",
        vec![name()],
        vec![
            (
                "to",
                or_null(text()),
                "`builtin:NAME`, `module:PATH`, `archive:PATH` or `process:PATH`; null is what it is.",
            ),
            ("set", by_name(text()), "Values to set."),
            ("unset", list(text()), "Values to take away."),
        ],
    );
    let rollback = with_optional(
        "What an edit before had, or what the manifest says.",
        vec![name()],
        vec![
            ("kind", or_null(kind()), "Needed when an actor and a provider have the name."),
            (
                "to",
                or_null(count()),
                "The revision by which it had that; null is the one before the edit in force.",
            ),
            (
                "to_manifest",
                yes_or_no(),
                "What the manifest says: all that edits have there is given up.",
            ),
        ],
    );
    let one = |(field, schema)| object("One of the edits.", vec![(field, schema, "The edit.")]);
    let all = [("actor", actor), ("provider", provider), ("rollback", rollback)];
    let all: Vec<_> = all.into_iter().chain(verbs()).map(one).collect();
    json!({ "oneOf": all })
}

/// The edits that leave an actor or a provider what it is.
fn verbs() -> [(&'static str, Value); 5] {
    let kind = || ("kind", kind(), "What it is.");
    let name = || ("name", text(), "Its name.");
    let set = || ("set", by_name(text()), "Values to set.");
    let stop = object("It is to run no more, until it is started.", vec![kind(), name()]);
    let start = with_optional(
        "What was stopped is to run again; with what it is, something that the manifest does not \
         have.",
        vec![kind(), name()],
        vec![
            ("image", or_null(text()), "The signed module of a new actor, as in `actor`."),
            ("to", or_null(text()), "What a new provider is, as in `provider`."),
            set(),
        ],
    );
    let most = ("instances", count(), "How many: `instances.max` in the manifest.");
    let scale = object("As many instances of an actor at once, at most.", vec![name(), most]);
    let ends = || {
        let actor = ("actor", text(), "The actor's name.");
        vec![actor, ("capability", text(), "The contract.")]
    };
    let called = || ("name", text(), "By what name the actor calls it; `default` without it.");
    let provider = "Null is the one that it has, or the only one that serves it.";
    let bind = with_optional(
        "An actor is to use a capability, or with other values or over another provider than now.",
        ends(),
        vec![
            called(),
            ("provider", or_null(text()), provider),
            set(),
            ("unset", list(text()), "Values to take away."),
        ],
    );
    let unbind = with_optional("An actor is to use a capability no more.", ends(), vec![called()]);
    [("stop", stop), ("start", start), ("scale", scale), ("bind", bind), ("unbind", unbind)]
}

fn watch() -> Value {
    with_optional(
        "When an edit is taken back by itself. What is not given is the host's default.",
        Vec::new(),
        vec![
            ("calls", or_null(count()), "Most calls that are watched; 0 for none."),
            ("time_ms", or_null(count()), "Longest time that is watched, in milliseconds."),
            ("errors_percent", or_null(count()), "Most calls of a hundred that may fail."),
        ],
    )
}

fn edits() -> Value {
    object(
        "The edits of a host that are in force.",
        vec![
            ("revision", count(), "The revision of what is wanted."),
            ("etag", text(), "The same for `If-Match`, unlike that of any other start. Opaque."),
            ("edits", list(named("EditEntry")), "Those in force, actors first, by name."),
        ],
    )
}

fn edit_entry() -> Value {
    object(
        "An edit that is in force.",
        vec![
            ("kind", kind(), "What it is about."),
            ("name", text(), "The name in the manifest."),
            ("revision", count(), "The revision of what is wanted that it began with."),
            ("what", text(), "What runs by it."),
        ],
    )
}

fn edited() -> Value {
    object(
        "What came of an edit so far.",
        vec![
            ("revision", count(), "The revision of what is wanted now."),
            ("unchanged", yes_or_no(), "True when it is so already."),
            (
                "dry_run",
                yes_or_no(),
                "True when nothing was done; then `applied` has what would be.",
            ),
            ("watched", yes_or_no(), "True when it is watched and may be taken back."),
            ("applied", named("Applied"), "What was done, and what failed."),
            ("notes", list(text()), "For how long it holds, and what the manifest would say."),
        ],
    )
}

fn applied() -> Value {
    let step = json!({ "type": "object", "required": ["step"] });
    with_optional(
        "What a change did so far.",
        vec![
            ("steps", list(step), "The steps that were done, in order; `step` says what each is."),
            ("faults", list(named("Fault")), "Those that failed; they are tried again."),
            ("superseded", yes_or_no(), "True when something newer was wanted before it was done."),
        ],
        vec![("moved", list(named("Moved")), "What providers kept and went along.")],
    )
}

fn fault() -> Value {
    object(
        "One step that failed.",
        vec![
            ("what", text(), "What it was about, such as `actor counter`."),
            ("code", code(), "The stable code of the failure."),
            ("why", text(), "Why it failed."),
        ],
    )
}

fn revision() -> Value {
    let seen = object(
        "How the calls went.",
        vec![
            ("calls", count(), "Those that ended."),
            ("failed", count(), "Those of them that failed by its fault."),
        ],
    );
    let by = [ChangedBy::Manifest, ChangedBy::Edit, ChangedBy::Rollback, ChangedBy::Automatic];
    object(
        "One change of what is wanted.",
        vec![
            ("revision", count(), "Its number: 1 is the manifest with which the host started."),
            ("at_unix_s", count(), "When, in seconds since 1970."),
            ("by", one_of(&by.map(ChangedBy::as_str)), "How it came to be wanted."),
            ("who", or_null(text()), "Who asked for it: `socket`, or the key of a user."),
            ("subject", or_null(text()), "What an edit is about, such as `actor counter`."),
            (
                "version",
                or_null(text()),
                "What an edit has there: the file or the image, and what is known of it.",
            ),
            ("what", list(text()), "What was to change, as steps in words."),
            ("more", count(), "How many further steps are not listed."),
            (
                "outcome",
                one_of(&RevisionOutcome::ALL.map(RevisionOutcome::as_str)),
                "What came of it.",
            ),
            ("seen", or_null(seen), "The calls that were seen while it was watched."),
            ("why", or_null(text()), "The reason of that, where there is one to tell."),
        ],
    )
}
