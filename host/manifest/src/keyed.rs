//! Mappings whose keys are of the user's choice, and switches.

use serde_json::{Value as Json, json};
use trellis_core::parse_switch;

use crate::expand::shown;
use crate::form::{Form, Text, misfit, parsed};
use crate::report::Problems;
use crate::tree::{Node, Value};

/// Keys of the user's choice, each with a value of one form. An absent one is empty.
pub(crate) struct Keyed<T>(pub(crate) Vec<(Text, T)>);

impl<T: Form> Form for Keyed<T> {
    fn schema() -> Json {
        json!({ "type": "object", "additionalProperties": T::schema() })
    }

    fn read(node: &Node, what: &str, problems: &mut Problems) -> Option<Self> {
        let Value::Mapping(entries) = &node.value else {
            misfit(node, what, "a mapping of names to mappings", problems);
            return None;
        };
        // Each is read, so that every mistake is told.
        let read: Vec<_> = entries
            .iter()
            .map(|(key, node)| Some((key.clone(), T::read(node, &shown(key, None), problems)?)))
            .collect();
        read.into_iter().collect::<Option<_>>().map(Self)
    }

    fn absent() -> Option<Self> {
        Some(Self(Vec::new()))
    }
}

/// Yes or no.
pub(crate) struct Switch(pub(crate) bool);

impl Form for Switch {
    fn schema() -> Json {
        let words = "^\\s*([Tt][Rr][Uu][Ee]|[Yy][Ee][Ss]|[Oo][Nn]|[Ff][Aa][Ll][Ss][Ee]|[Nn][Oo]|\
                     [Oo][Ff][Ff])\\s*$|\\$\\{";
        json!({ "anyOf": [{ "type": "boolean" }, { "type": "string", "pattern": words }] })
    }

    fn read(node: &Node, what: &str, problems: &mut Problems) -> Option<Self> {
        parsed(node, what, "`true` or `false`", problems, parse_switch).map(Self)
    }
}
