//! `host: {cache: …}` and `host: {socket: …}`: a path, or a word that switches it off.

use serde_json::{Value as Json, json};
use trellis_core::parse_switch;

use crate::form::{Form, Text, misfit_with};
use crate::report::Problems;
use crate::spec::{CacheSpec, SocketSpec};
use crate::tree::Node;

/// What is written in place of a path that need not be given.
enum Place {
    Off,
    At(Text),
}

/// What such a value is.
struct Kind {
    /// What the value must be.
    form: &'static str,
    /// What to do about a word that switches it on.
    on: &'static str,
}

const CACHE: Kind = Kind {
    form: "a folder, or `off`",
    on: "without the key it is on, in the user's cache folder; `./NAME` is a folder of that name \
         beside the manifest",
};

const SOCKET: Kind = Kind {
    form: "a path, or `off`",
    on: "without the key it is on, in the user's runtime folder; `./NAME` is a socket of that name \
         beside the manifest",
};

impl Place {
    fn schema() -> Json {
        let on = "^\\s*([Tt][Rr][Uu][Ee]|[Yy][Ee][Ss]|[Oo][Nn])\\s*$";
        let path =
            json!({ "type": ["string", "number"], "minLength": 1, "not": { "pattern": on } });
        json!({ "anyOf": [{ "const": false }, path] })
    }

    /// A word that switches something is no path: who writes `false` wants no file of that name,
    /// and YAML has several words for it.
    fn read(node: &Node, what: &str, kind: &Kind, problems: &mut Problems) -> Option<Self> {
        let text = Text::read(node, what, problems)?;
        let help = match parse_switch(&text) {
            Some(false) => return Some(Self::Off),
            Some(true) => kind.on,
            None if text.starts_with("~/") || *text.value == *"~" => {
                "`~` stands for itself here; write `${HOME}` instead"
            }
            None => return Some(Self::At(text)),
        };
        misfit_with(node, what, kind.form, Some(help.to_owned()), problems);
        None
    }
}

impl Form for CacheSpec {
    fn schema() -> Json {
        Place::schema()
    }

    fn read(node: &Node, what: &str, problems: &mut Problems) -> Option<Self> {
        Some(match Place::read(node, what, &CACHE, problems)? {
            Place::Off => Self::Off,
            Place::At(folder) => Self::Dir(folder),
        })
    }
}

impl Form for SocketSpec {
    fn schema() -> Json {
        Place::schema()
    }

    fn read(node: &Node, what: &str, problems: &mut Problems) -> Option<Self> {
        Some(match Place::read(node, what, &SOCKET, problems)? {
            Place::Off => Self::Off,
            Place::At(path) => Self::At(path),
        })
    }
}
