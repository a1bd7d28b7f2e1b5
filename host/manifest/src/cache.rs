//! `host: {cache: …}`: a folder, or a word that switches the cache off.

use serde_json::{Value as Json, json};
use trellis_core::parse_switch;

use crate::form::{Form, Text, misfit_with};
use crate::report::Problems;
use crate::spec::CacheSpec;
use crate::tree::Node;

/// What the value must be.
const FORM: &str = "a folder, or `off`";

impl Form for CacheSpec {
    fn schema() -> Json {
        let on = "^\\s*([Tt][Rr][Uu][Ee]|[Yy][Ee][Ss]|[Oo][Nn])\\s*$";
        let folder =
            json!({ "type": ["string", "number"], "minLength": 1, "not": { "pattern": on } });
        json!({ "anyOf": [{ "const": false }, folder] })
    }

    /// A word that switches something is no folder: who writes `false` wants no folder of that
    /// name, and YAML has several words for it.
    fn read(node: &Node, what: &str, problems: &mut Problems) -> Option<Self> {
        let text = Text::read(node, what, problems)?;
        let help = match parse_switch(&text) {
            Some(false) => return Some(Self::Off),
            Some(true) => {
                "without the key it is on, in the user's cache folder; `./NAME` is a folder of \
                 that name beside the manifest"
            }
            None if text.starts_with("~/") || *text.value == *"~" => {
                "`~` stands for itself here; write `${HOME}` instead"
            }
            None => return Some(Self::Dir(text)),
        };
        misfit_with(node, what, FORM, Some(help.to_owned()), problems);
        None
    }
}
