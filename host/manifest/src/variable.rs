//! The names of environment variables.

use serde_json::{Value as Json, json};

use crate::form::{Form, Text};
use crate::report::{Problem, Problems};
use crate::tree::Node;

/// The name of a variable of the environment, without a value.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Variable(pub(crate) Text);

impl Form for Variable {
    fn schema() -> Json {
        json!({ "type": "string", "pattern": "^[^=\\s]+$" })
    }

    fn read(node: &Node, what: &str, problems: &mut Problems) -> Option<Self> {
        let text = Text::read(node, what, problems)?;
        let wrong = |c: char| c == '=' || c.is_whitespace() || c.is_control();
        if !text.value.contains(wrong) {
            return Some(Self(text));
        }
        // The text is not repeated: it may hold a value, and that may be a secret.
        let problem = Problem::new(node.span, format!("{what} must be the name of a variable"));
        let help = match text.value.split_once('=') {
            Some((name, _)) => format!(
                "write `{name}` alone, and set it in the host's environment, which it is passed on \
                 from"
            ),
            None => "a name has no spaces".to_owned(),
        };
        problems.push(problem.help(help));
        None
    }
}
