//! What can be followed, as schemas.

use serde_json::Value;

use super::schema::{
    by_name, code, count, list, named, object, one_of, or_null, text, with_optional,
};
use crate::call_entry::{CallOutcome, Verdict};
use crate::event::Event;
use crate::lifecycle::ComponentKind;
use crate::log_line::LogLevel;

/// All of them by their names.
pub(super) fn all() -> [(&'static str, Value); 9] {
    [
        ("Event", event()),
        ("EventData", event_data()),
        ("LogLine", log_line()),
        ("Load", load()),
        ("TimeBucket", time_bucket()),
        ("Call", call()),
        ("Payload", payload()),
        ("Decision", decision()),
        ("Lost", lost()),
    ]
}

fn event() -> Value {
    with_optional(
        "One thing that happened: a CloudEvent 1.0 in structured JSON.",
        vec![
            ("specversion", one_of(&["1.0"]), "The version of CloudEvents."),
            ("id", text(), "With the source it names this event alone."),
            ("source", text(), "The host: `urn:trellis:host:N…`."),
            ("type", one_of(&Event::TYPES), "What kind of thing happened."),
            ("time", text(), "When, as RFC 3339 has it."),
            ("datacontenttype", one_of(&["application/json"]), "The type of the data."),
            ("data", named("EventData"), "What there is to say."),
        ],
        vec![("subject", text(), "What it happened to, such as `actor counter`; else the host.")],
    )
}

fn event_data() -> Value {
    with_optional(
        "What there is to say of an event.",
        vec![("message", text(), "A sentence for people.")],
        vec![
            ("code", code(), "The code of the reason, where something is wrong."),
            ("component", named("Component"), "The actor or the provider, and how it is now."),
            ("revision", named("Revision"), "The change of what is wanted."),
        ],
    )
}

fn log_line() -> Value {
    let level = one_of(&LogLevel::ALL.map(LogLevel::as_str));
    object(
        "One line of the log: of the host itself, of an actor or of a provider.",
        vec![
            ("time", text(), "When, as RFC 3339 has it."),
            ("level", level, "How much it matters."),
            (
                "target",
                text(),
                "Where it is from: `actor`, `provider`, `call`, `audit`, or a part.",
            ),
            ("message", text(), "The sentence."),
            ("fields", by_name(text()), "What is said besides, such as `actor` and `code`."),
        ],
    )
}

fn call() -> Value {
    let outcome = one_of(&CallOutcome::ALL.map(CallOutcome::as_str));
    with_optional(
        "One call of an actor, or by it.",
        vec![
            ("time", text(), "When it ended, as RFC 3339 has it."),
            ("trace_id", text(), "What it belongs to: 32 hex digits."),
            ("caller", text(), "Who asked: an actor, a contract and a binding, or `system`."),
            ("callee", text(), "Who was asked: a name in the manifest."),
            ("operation", text(), "The operation."),
            ("depth", count(), "How many calls stood above it."),
            ("request_bytes", count(), "The size of the request."),
            ("reply_bytes", or_null(count()), "The size of the answer, if there was one."),
            ("took_us", count(), "How long it took, in microseconds."),
            ("outcome", outcome, "What came of it."),
        ],
        vec![
            ("code", code(), "The code, of one that failed."),
            ("payload", named("Payload"), "What was said, for who asks for it and may see it."),
        ],
    )
}

fn payload() -> Value {
    with_optional(
        "What was said in a call, in hex digits, as much as is shown.",
        vec![("request_hex", text(), "The request."), ("reply_hex", text(), "The answer.")],
        vec![("message", text(), "What one that failed says.")],
    )
}

fn decision() -> Value {
    with_optional(
        "What was decided of one call.",
        vec![
            ("time", text(), "When, as RFC 3339 has it."),
            ("trace_id", text(), "What the call belongs to: 32 hex digits."),
            ("verdict", one_of(&Verdict::ALL.map(Verdict::as_str)), "What was decided."),
            ("by", text(), "By what, such as `claims`, `binding` or `policy`."),
            ("caller", or_null(text()), "Who asked, as far as it is known."),
            ("callee", text(), "What was asked for: a contract, or the name of an actor."),
            ("operation", or_null(text()), "The operation, as far as it is known."),
            ("why", text(), "Why, as a sentence."),
        ],
        vec![("code", code(), "The code, of one that was refused or failed.")],
    )
}

fn load() -> Value {
    let kind = one_of(&[ComponentKind::Actor, ComponentKind::Provider].map(ComponentKind::as_str));
    let below = |share: &'static str| (or_null(count()), share);
    let [(half, of_half), (nine, of_nine), (most, of_most)] = [
        below("Half of them took less, in microseconds; null when that is not known."),
        below("Nine of ten took less."),
        below("Ninety-nine of a hundred took less."),
    ];
    object(
        "What an actor or a provider had to do since the host started, and what it takes.",
        vec![
            ("kind", kind, "What it is."),
            ("name", text(), "Its name in the manifest."),
            ("calls", count(), "Calls that ended."),
            ("failures", count(), "Those that failed."),
            ("times", list(named("TimeBucket")), "How long they took."),
            ("p50_us", half, of_half),
            ("p90_us", nine, of_nine),
            ("p99_us", most, of_most),
            ("instances", or_null(count()), "Instances that are alive, of an actor that runs."),
            ("waiting", or_null(count()), "Calls that wait for one."),
            ("memory_bytes", or_null(count()), "Memory of its process, of one that is a program."),
        ],
    )
}

fn time_bucket() -> Value {
    object(
        "Calls that took about as long.",
        vec![
            ("under_us", or_null(count()), "They took less, in microseconds; null is any longer."),
            ("calls", count(), "How many."),
        ],
    )
}

fn lost() -> Value {
    let about = "How many its reader should have got and does not.";
    object("Data of the event `lost` in a stream.", vec![("lost", count(), about)])
}
