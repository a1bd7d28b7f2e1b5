//! JSON to the tree.
//!
//! serde_json checks the syntax, so an error is about JSON and names the real line. Its raw values
//! are slices of the text, so their addresses tell where each value was written.

use std::fmt;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::report::Problem;
use crate::source::Span;
use crate::tree::{Builder, Node};

/// The tree of a JSON text, or the problem that stops the reading.
pub(crate) fn parse(builder: &mut Builder<'_>) -> Result<Arc<Node>, Problem> {
    let text = builder.masked.text.as_str();
    let whole = serde_json::from_str::<&RawValue>(text)
        .and_then(|whole| serde_json::from_str::<IgnoredAny>(text).map(|_| whole));
    let whole = whole.map_err(|error| {
        let at = offset(text, error.line(), error.column());
        Problem::new(builder.masked.span(at, at), not_json(&error)).help(
            "JSON has no comments and no commas before a bracket, and names stand in double \
             quotes; a YAML manifest's file must not end in `.json`",
        )
    })?;
    Reader { builder, text }.value(whole, 0)
}

/// The offset of a place that serde_json names; its columns count bytes, from 1.
fn offset(text: &str, line: usize, column: usize) -> usize {
    let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    // An unexpected end is shown at the last character.
    let last = text.trim_end().len().saturating_sub(1);
    let mut offset = (start + column.saturating_sub(1)).min(last);
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}

struct Reader<'a, 'b, 't> {
    builder: &'a mut Builder<'b>,
    text: &'t str,
}

impl<'t> Reader<'_, '_, 't> {
    fn value(&mut self, raw: &'t RawValue, depth: u32) -> Result<Arc<Node>, Problem> {
        let (span, written) = (self.span(raw), raw.get());
        let node = match written.as_bytes().first() {
            Some(b'{') => {
                self.builder.check_depth(span, depth + 1)?;
                let Entries(entries) = understood(span, written)?;
                let mut nodes = Vec::with_capacity(entries.len());
                for (key, value) in entries {
                    nodes.push((self.value(key, depth + 1)?, self.value(value, depth + 1)?));
                }
                self.builder.mapping(span, nodes)?
            }
            Some(b'[') => {
                self.builder.check_depth(span, depth + 1)?;
                let items: Vec<&RawValue> = understood(span, written)?;
                let nodes = items.into_iter().map(|item| self.value(item, depth + 1));
                let nodes = nodes.collect::<Result<_, _>>()?;
                self.builder.sequence(span, nodes)?
            }
            Some(b'"') => {
                let text: String = understood(span, written)?;
                self.builder.scalar(span, &text, false)?
            }
            _ => self.builder.scalar(span, written, written == "null")?,
        };
        Ok(Arc::new(node))
    }

    fn span(&self, raw: &RawValue) -> Span {
        let start = raw.get().as_ptr().addr().saturating_sub(self.text.as_ptr().addr());
        self.builder.masked.span(start, start + raw.get().len())
    }
}

/// Reads one value. The syntax of the whole was checked, but a few mistakes are found only now,
/// such as a lone surrogate in an escape.
fn understood<'t, T: Deserialize<'t>>(span: Span, written: &'t str) -> Result<T, Problem> {
    serde_json::from_str(written).map_err(|error| Problem::new(span, not_json(&error)))
}

/// The error without its place, which the report gives in characters and in the text as written.
fn not_json(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let what = message.rsplit_once(" at line ").map_or(&*message, |(what, _)| what);
    format!("this is not JSON: {what}")
}

/// The entries of an object in their order, repeated keys included.
struct Entries<'t>(Vec<(&'t RawValue, &'t RawValue)>);

impl<'t> Deserialize<'t> for Entries<'t> {
    fn deserialize<D: Deserializer<'t>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'t> Visitor<'t> for InOrder {
            type Value = Entries<'t>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'t>>(self, mut map: A) -> Result<Entries<'t>, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }

        deserializer.deserialize_map(InOrder)
    }
}
