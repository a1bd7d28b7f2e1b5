//! What traces and metrics have in common.

use trellis_core::SpanValue;

use super::writer::Writer;

/// Who tells: attributes such as `service.name`.
pub(crate) type Resource = Vec<(String, String)>;

/// Field 1 of both: the resource.
pub(super) fn resource(message: &mut Writer, resource: &Resource) {
    message.message(1, |message| {
        for (name, value) in resource {
            attribute(message, 1, name, |it| it.bytes(1, value.as_bytes()));
        }
    });
}

/// Field 1 within both: what measures.
pub(super) fn scope(message: &mut Writer) {
    message.message(1, |message| {
        message.text(1, "trellis");
        message.text(2, env!("CARGO_PKG_VERSION"));
    });
}

/// A name with a value.
pub(super) fn attribute(
    message: &mut Writer,
    field: u32,
    name: &str,
    value: impl FnOnce(&mut Writer),
) {
    message.message(field, |message| {
        message.text(1, name);
        message.message(2, value);
    });
}

pub(super) fn value(message: &mut Writer, value: &SpanValue) {
    match value {
        // One of several: it is there even when it is empty.
        SpanValue::Text(text) => message.bytes(1, text.as_bytes()),
        SpanValue::Number(number) => message.integer(3, *number),
    }
}
