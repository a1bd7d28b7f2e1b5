//! Forms: how a kind of value is read, and, beside it, how the JSON schema describes it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value as Json, json};
use trellis_core::units::{parse_duration, parse_size};

use crate::expand::shown;
use crate::report::{Problem, Problems};
use crate::source::Spanned;
use crate::tree::{Node, Value};

/// Longest name of anything, in bytes: as long as a guest may write it in a host call.
pub(crate) const NAME_BYTES_MAX: usize = 256;

/// How a size is written, as a regular expression.
pub(crate) const SIZE_PATTERN: &str = "^\\s*[0-9]+\\s*(B|kB|KB|MB|GB|KiB|MiB|GiB)?\\s*$";
/// How a time is written, as a regular expression.
pub(crate) const TIME_PATTERN: &str = "^\\s*[0-9]+\\s*(ms|s|m|h)?\\s*$";

/// A kind of value a manifest may hold.
pub(crate) trait Form: Sized {
    /// True when `null` stands for a key that is left out.
    const NULL_IS_ABSENT: bool = true;

    /// What the JSON schema says about it.
    fn schema() -> Json;

    /// Reads it; `None` after a problem was reported. `what` names the value in a message.
    fn read(node: &Node, what: &str, problems: &mut Problems) -> Option<Self>;

    /// What stands for it when its key is left out; `None` when the key is needed.
    fn absent() -> Option<Self> {
        None
    }
}

impl<T: Form> Form for Option<T> {
    const NULL_IS_ABSENT: bool = T::NULL_IS_ABSENT;

    fn schema() -> Json {
        T::schema()
    }

    fn read(node: &Node, what: &str, problems: &mut Problems) -> Option<Self> {
        T::read(node, what, problems).map(Some)
    }

    fn absent() -> Option<Self> {
        Some(None)
    }
}

/// A part that may be wrong while the rest is read: `None` after a problem was reported.
pub(crate) struct Part<T>(pub(crate) Option<T>);

impl<T: Form> Form for Part<T> {
    const NULL_IS_ABSENT: bool = T::NULL_IS_ABSENT;

    fn schema() -> Json {
        T::schema()
    }

    fn read(node: &Node, what: &str, problems: &mut Problems) -> Option<Self> {
        Some(Self(T::read(node, what, problems)))
    }

    fn absent() -> Option<Self> {
        T::absent().map(|absent| Self(Some(absent)))
    }
}

/// Reports that `what` should have been `form`.
pub(crate) fn misfit(node: &Node, what: &str, form: &str, problems: &mut Problems) {
    misfit_with(node, what, form, None, problems);
}

/// As [`misfit`], with what to do about it.
pub(crate) fn misfit_with(
    node: &Node,
    what: &str,
    form: &str,
    help: Option<String>,
    problems: &mut Problems,
) {
    let secret = match &node.value {
        // The mistake in it was reported already.
        Value::Unknown => return,
        Value::Scalar { written: Some(_), .. } => {
            Some("the environment decides this value; it is not shown, as it may be a secret")
        }
        _ => None,
    };
    let message = format!("{what} must be {form}, not {}", node.describe());
    let help = secret.map(str::to_owned).or(help);
    problems.push(Problem { help, ..Problem::new(node.span, message) });
}

/// The text of a scalar; anything else is a misfit.
fn scalar<'n>(node: &'n Node, what: &str, form: &str, problems: &mut Problems) -> Option<&'n str> {
    if let Value::Scalar { text, .. } = &node.value {
        return Some(text);
    }
    misfit(node, what, form, problems);
    None
}

/// Reads a scalar with `parse`, which returns `None` for a text that is not `form`.
pub(crate) fn parsed<T>(
    node: &Node,
    what: &str,
    form: &str,
    problems: &mut Problems,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Option<T> {
    let value = parse(scalar(node, what, form, problems)?);
    if value.is_none() {
        misfit(node, what, form, problems);
    }
    value
}

/// The schema of a value that is text with `pattern`, or has a variable in it.
pub(crate) fn text_schema(pattern: &str) -> Json {
    json!({ "type": "string", "pattern": format!("{pattern}|\\$\\{{") })
}

/// Text that is not empty: a path, a reference, a key.
pub(crate) type Text = Spanned<String>;

impl Form for Text {
    fn schema() -> Json {
        json!({ "type": ["string", "number", "boolean"], "minLength": 1 })
    }

    fn read(node: &Node, what: &str, problems: &mut Problems) -> Option<Self> {
        let text = scalar(node, what, "text", problems)?;
        if text.trim().is_empty() {
            problems.push(
                Problem::new(node.span, format!("{what} must not be empty"))
                    .help("write some text, or remove the key"),
            );
            return None;
        }
        Some(Spanned::new(text.to_owned(), node.span))
    }
}

/// Text that names something: printable and short enough for a host call.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Name(pub(crate) Text);

impl Form for Name {
    fn schema() -> Json {
        let mut schema = Text::schema();
        schema["maxLength"] = NAME_BYTES_MAX.into();
        schema
    }

    fn read(node: &Node, what: &str, problems: &mut Problems) -> Option<Self> {
        let text = Text::read(node, what, problems)?;
        if text.len() > NAME_BYTES_MAX {
            let message =
                format!("{what} has {} bytes; the most allowed is {NAME_BYTES_MAX}", text.len());
            problems.push(Problem::new(node.span, message));
            return None;
        }
        if text.chars().any(char::is_control) {
            misfit(node, what, "text without control characters", problems);
            return None;
        }
        Some(Self(text))
    }
}

/// The number in `text`, which must be digits alone.
pub(crate) fn whole_number(text: &str) -> Option<u32> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

/// A whole number from `MIN`.
pub(crate) struct Count<const MIN: u32>(pub(crate) Spanned<u32>);

impl<const MIN: u32> Form for Count<MIN> {
    fn schema() -> Json {
        let number = json!({ "type": "integer", "minimum": MIN, "maximum": u32::MAX });
        json!({ "anyOf": [number, text_schema("^[0-9]+$")] })
    }

    fn read(node: &Node, what: &str, problems: &mut Problems) -> Option<Self> {
        let form = format!("a whole number from {MIN} to {}", u32::MAX);
        parsed(node, what, &form, problems, |text| {
            whole_number(text).filter(|number| *number >= MIN)
        })
        .map(|number| Self(Spanned::new(number, node.span)))
    }
}

impl Form for Duration {
    fn schema() -> Json {
        let seconds = json!({ "type": "integer", "minimum": 0 });
        json!({ "anyOf": [seconds, text_schema(TIME_PATTERN)] })
    }

    fn read(node: &Node, what: &str, problems: &mut Problems) -> Option<Self> {
        parsed(node, what, "a time such as `500ms`, `30s` or `2m`", problems, parse_duration)
    }
}

/// A size from one byte, in bytes.
pub(crate) struct Size(pub(crate) u64);

impl Form for Size {
    fn schema() -> Json {
        json!({ "anyOf": [{ "type": "integer", "minimum": 1 }, text_schema(SIZE_PATTERN)] })
    }

    fn read(node: &Node, what: &str, problems: &mut Problems) -> Option<Self> {
        let form = "a size from 1 byte, such as `512KiB` or `64MiB`";
        let read = |text: &str| parse_size(text).filter(|bytes| *bytes > 0);
        parsed(node, what, form, problems, read).map(Self)
    }
}

impl Form for Spanned<SocketAddr> {
    fn schema() -> Json {
        text_schema("^.+:[0-9]+$")
    }

    fn read(node: &Node, what: &str, problems: &mut Problems) -> Option<Self> {
        let form = "an IP address and a port such as `127.0.0.1:9464`";
        parsed(node, what, form, problems, |text| text.parse().ok())
            .map(|address| Self::new(address, node.span))
    }
}

/// A list. An absent one is empty.
pub(crate) struct List<T> {
    pub(crate) items: Vec<Spanned<T>>,
    /// False when an item could not be read: a name that it gives may be missing.
    pub(crate) whole: bool,
}

impl<T: Form> Form for List<T> {
    fn schema() -> Json {
        json!({ "type": "array", "items": T::schema() })
    }

    fn read(node: &Node, what: &str, problems: &mut Problems) -> Option<Self> {
        let Value::Sequence(nodes) = &node.value else {
            let help = "write each item after a `- ` on a line of its own, or all in `[...]`";
            misfit_with(node, what, "a list", Some(help.to_owned()), problems);
            return None;
        };
        let what = format!("an item of {what}");
        let read = |item: &Arc<Node>| {
            T::read(item, &what, problems).map(|value| Spanned::new(value, item.span))
        };
        let items: Vec<_> = nodes.iter().filter_map(read).collect();
        Some(Self { whole: items.len() == nodes.len(), items })
    }

    fn absent() -> Option<Self> {
        Some(Self { items: Vec::new(), whole: true })
    }
}

/// A list of which none has to be said: what a cut or emptied text leaves of it takes nothing
/// away. One that is `NEEDED` may not be absent either.
pub(crate) struct Stated<T, const NEEDED: bool>(pub(crate) List<T>);

impl<T: Form, const NEEDED: bool> Form for Stated<T, NEEDED> {
    const NULL_IS_ABSENT: bool = false;

    fn schema() -> Json {
        List::<T>::schema()
    }

    fn read(node: &Node, what: &str, problems: &mut Problems) -> Option<Self> {
        if matches!(node.value, Value::Null) {
            let or_leave_out = if NEEDED { "" } else { ", or remove the key" };
            problems.push(
                Problem::new(node.span, format!("{what} has no value"))
                    .help(format!("write `[]` for none{or_leave_out}")),
            );
            return None;
        }
        List::read(node, what, problems).map(Self)
    }

    fn absent() -> Option<Self> {
        if NEEDED { None } else { List::absent().map(Self) }
    }
}

/// A list or a mapping that is absent or holds something. An empty one would say nobody, and mean
/// what its absence means.
pub(crate) struct Filled<T>(pub(crate) T);

impl<T: Form> Form for Filled<T> {
    const NULL_IS_ABSENT: bool = false;

    fn schema() -> Json {
        let mut schema = T::schema();
        let least = if schema["type"] == "array" { "minItems" } else { "minProperties" };
        schema[least] = 1.into();
        schema
    }

    fn read(node: &Node, what: &str, problems: &mut Problems) -> Option<Self> {
        let is_empty = match &node.value {
            Value::Null => true,
            Value::Sequence(nodes) => nodes.is_empty(),
            Value::Mapping(entries) => entries.is_empty(),
            Value::Scalar { .. } | Value::Unknown => false,
        };
        if is_empty {
            problems.push(
                Problem::new(node.span, format!("{what} is empty"))
                    .help("write at least one entry, or remove the key to get its default"),
            );
            return None;
        }
        T::read(node, what, problems).map(Self)
    }

    fn absent() -> Option<Self> {
        T::absent().map(Self)
    }
}

/// Keys of the user's choice, each with a text. An absent one is empty.
#[derive(Default)]
pub(crate) struct Pairs(pub(crate) Vec<(Text, Text)>);

impl Form for Pairs {
    fn schema() -> Json {
        let text = json!({ "type": ["string", "number", "boolean"] });
        json!({ "type": "object", "additionalProperties": text })
    }

    fn read(node: &Node, what: &str, problems: &mut Problems) -> Option<Self> {
        let Value::Mapping(entries) = &node.value else {
            misfit(node, what, "a mapping of names to texts", problems);
            return None;
        };
        let mut pairs = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            // Unlike `Text`, a value may be empty.
            let named = shown(key, None);
            match &value.value {
                Value::Scalar { text, .. } => {
                    pairs.push((key.clone(), Spanned::new(text.clone(), value.span)));
                }
                Value::Null => problems.push(
                    Problem::new(key.span, format!("{named} has no value"))
                        .help("write \"\" for empty text, or remove the key"),
                ),
                _ => misfit(value, &named, "text", problems),
            }
        }
        Some(Self(pairs))
    }

    fn absent() -> Option<Self> {
        Some(Self(Vec::new()))
    }
}

/// Declares the words of an enum; a manifest writes one of them.
macro_rules! choice {
    ($name:ty { $($variant:ident = $word:literal),+ }) => {
        impl $crate::form::Form for $name {
            fn schema() -> serde_json::Value {
                let variable = serde_json::json!({ "type": "string", "pattern": "\\$\\{" });
                serde_json::json!({ "anyOf": [{ "enum": [$($word),+] }, variable] })
            }

            fn read(
                node: &$crate::tree::Node,
                what: &str,
                problems: &mut $crate::report::Problems,
            ) -> Option<Self> {
                let form = [$(concat!("`", $word, "`")),+].join(" or ");
                $crate::form::parsed(node, what, &form, problems, |text| match text {
                    $($word => Some(Self::$variant),)+
                    _ => None,
                })
            }
        }
    };
}
pub(crate) use choice;
