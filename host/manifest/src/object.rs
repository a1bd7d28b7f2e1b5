//! Mappings with known keys, declared once for the reader and for the JSON schema.

use std::sync::Arc;

use serde_json::{Map, Value as Json, json};
use trellis_core::nearest;

use crate::form::{Form, misfit_with};
use crate::report::{Problem, Problems, quoted};
use crate::source::{Span, Spanned};
use crate::tree::{Node, Value};

/// One known key of a mapping.
pub(crate) struct Key {
    /// Its name, then the other names it goes by.
    pub(crate) names: Vec<&'static str>,
    /// What it is for.
    pub(crate) doc: String,
    /// True when the mapping means nothing without it.
    pub(crate) needed: bool,
    /// True when `null` is the same as to leave it out.
    pub(crate) nullable: bool,
}

/// Declares a mapping: a struct whose fields are [`Form`]s, and the form of the whole.
///
/// A field is needed unless its form has a value for an absent one. `| "other"` gives a key another
/// name: what the originals called it.
macro_rules! object {
    (
        $(#[doc = $about:literal])+
        $name:ident ($called:literal) {
            $( $(#[doc = $doc:literal])+ $field:ident $(| $other:literal)* : $form:ty, )+
        }
    ) => {
        $(#[doc = $about])+
        pub(crate) struct $name { $( $(#[doc = $doc])+ pub(crate) $field: $form, )+ }

        impl $name {
            fn keys() -> Vec<$crate::object::Key> {
                vec![$( $crate::object::Key {
                    names: vec![stringify!($field) $(, $other)*],
                    doc: concat!($($doc),+).trim().to_owned(),
                    needed: <$form as $crate::form::Form>::absent().is_none(),
                    nullable: <$form as $crate::form::Form>::NULL_IS_ABSENT,
                } ),+]
            }
        }

        impl $crate::form::Form for $name {
            fn schema() -> serde_json::Value {
                let values = vec![$( <$form as $crate::form::Form>::schema() ),+];
                $crate::object::schema(concat!($($about),+).trim(), &Self::keys(), values)
            }

            fn read(
                node: &$crate::tree::Node,
                what: &str,
                problems: &mut $crate::report::Problems,
            ) -> Option<Self> {
                let keys = Self::keys();
                let entries =
                    $crate::object::Entries::open(node, what, $called, &keys, problems)?;
                $( let $field = entries.field::<$form>(stringify!($field), problems); )+
                Some(Self { $( $field: $field?, )+ })
            }
        }
    };
}
pub(crate) use object;

/// The schema of a mapping with these keys, their values in the same order, and no others.
pub(crate) fn schema(doc: &str, keys: &[Key], values: Vec<Json>) -> Json {
    let (mut properties, mut required) = (Map::new(), Vec::new());
    for (Key { names, doc, needed, nullable }, value) in keys.iter().zip(values) {
        let takes_null = !needed && *nullable;
        let value =
            if takes_null { json!({ "anyOf": [value, { "type": "null" }] }) } else { value };
        for (index, name) in names.iter().enumerate() {
            let mut described = value.clone();
            let text = match index {
                0 => doc.clone(),
                _ => format!("Another name for `{}`. {doc}", names[0]),
            };
            described["description"] = Json::String(text);
            properties.insert((*name).to_owned(), described);
        }
        if *needed {
            let any: Vec<Json> = names.iter().map(|name| json!({ "required": [name] })).collect();
            required.push(json!({ "anyOf": any }));
        }
    }
    let mut schema = json!({
        "type": "object",
        "description": doc,
        "properties": properties,
        "additionalProperties": false,
    });
    if !required.is_empty() {
        schema["allOf"] = Json::Array(required);
    }
    schema
}

/// The entries of a mapping under the keys it may have.
pub(crate) struct Entries<'n, 'k> {
    node: &'n Node,
    called: &'static str,
    known: Vec<(&'k Key, Option<&'n Entry>)>,
    /// Known keys that an unknown one was probably meant to be; they are not reported as missing.
    mistyped: Vec<&'k str>,
}

/// Says what an unknown key was meant to be.
type Meant = fn(&str) -> Option<String>;

type Entry = (Spanned<String>, Arc<Node>);

impl<'n, 'k> Entries<'n, 'k> {
    /// Sorts the entries of `node`; unknown keys, and two names of one key, are problems.
    ///
    /// `what` names the value in a message, `called` the kind of mapping.
    pub(crate) fn open(
        node: &'n Node,
        what: &str,
        called: &'static str,
        keys: &'k [Key],
        problems: &mut Problems,
    ) -> Option<Self> {
        Self::open_with(node, what, called, (keys, |_| None), problems)
    }

    /// The same, where `meant` says what an unknown key that is near no other was meant to be.
    pub(crate) fn open_with(
        node: &'n Node,
        what: &str,
        called: &'static str,
        (keys, meant): (&'k [Key], Meant),
        problems: &mut Problems,
    ) -> Option<Self> {
        let Value::Mapping(entries) = &node.value else {
            misfit_with(node, what, "a mapping", Some(known_here(keys)), problems);
            return None;
        };
        let mut known: Vec<(&Key, Option<&Entry>)> = keys.iter().map(|key| (key, None)).collect();
        let mut mistyped = Vec::new();
        for entry in entries {
            let name = &entry.0;
            match known.iter_mut().find(|(key, _)| key.names.contains(&name.as_str())) {
                None => {
                    let near = nearest(name, keys.iter().flat_map(|key| key.names.iter().copied()));
                    mistyped.extend(near);
                    let near = near.map(|near| format!("`{near}`")).or_else(|| meant(name));
                    problems.push(unknown(name, near, called, keys));
                }
                Some((key, Some(first))) => problems.push(doubled(name, first, key)),
                Some((_, found)) => *found = Some(entry),
            }
        }
        Some(Self { node, called, known, mistyped })
    }

    /// The value under `name`; `None` after a problem was reported.
    pub(crate) fn field<T: Form>(&self, name: &str, problems: &mut Problems) -> Option<T> {
        let written = self
            .written(name)
            .filter(|(_, node)| !T::NULL_IS_ABSENT || !matches!(node.value, Value::Null));
        if let Some((what, node)) = written {
            return T::read(node, &what, problems);
        }
        T::absent().or_else(|| {
            let (key, found) = self.known.iter().find(|(key, _)| key.names[0] == name)?;
            if !key.names.iter().any(|name| self.mistyped.contains(name)) {
                let place = found.map_or(self.node.span, |(written, _)| written.span);
                problems.push(self.missing(key, place));
            }
            None
        })
    }

    /// The value under `name` and what a message calls it; `None` when it is absent or null.
    pub(crate) fn get(&self, name: &str) -> Option<(String, &'n Node)> {
        self.written(name).filter(|(_, node)| !matches!(node.value, Value::Null))
    }

    fn written(&self, name: &str) -> Option<(String, &'n Node)> {
        let (_, found) = self.known.iter().find(|(key, _)| key.names[0] == name)?;
        let (written, node) = (*found)?;
        Some((format!("`{written}`"), &**node))
    }

    fn missing(&self, key: &Key, span: Span) -> Problem {
        let names: Vec<_> = key.names.iter().map(|name| format!("`{name}`")).collect();
        Problem::new(span, format!("{} needs {}", self.called, names.join(" or ")))
            .help(format!("`{}`: {}", key.names[0], key.doc))
    }
}

fn unknown(name: &Spanned<String>, near: Option<String>, called: &str, keys: &[Key]) -> Problem {
    let list = known_here(keys);
    let help = near.map(|near| format!("did you mean {near}? {list}"));
    Problem::new(name.span, format!("unknown key {} in {called}", quoted(name)))
        .help(help.unwrap_or(list))
}

fn known_here(keys: &[Key]) -> String {
    format!("known here: {}", keys.iter().map(|key| key.names[0]).collect::<Vec<_>>().join(", "))
}

fn doubled(name: &Spanned<String>, first: &Entry, key: &Key) -> Problem {
    let message = format!("{} means the same as {}", quoted(name), quoted(&first.0));
    Problem::new(name.span, message)
        .help(format!("keep one of them; its name here is `{}`", key.names[0]))
}
