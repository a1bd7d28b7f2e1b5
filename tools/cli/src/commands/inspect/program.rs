//! What a provider's program says about itself.

use std::fmt;

use serde::Serialize;
use serde_json::Value;
use trellis_app::describe_program;

use crate::commands::runtime::block_on;
use crate::failure::Failure;
use crate::output::Output;

/// A descriptor as JSON: it is shown as it is.
#[derive(Serialize)]
struct Report(Value);

pub(super) fn run(program: &str, args: &[String], output: Output) -> Result<(), Failure> {
    let described = block_on(async { Ok(describe_program(program, args).await?) })?;
    let report = serde_json::to_value(&described).map_err(|error| {
        Failure::new(trellis_core::Code::Internal, "what it is cannot be shown").cause(&error)
    })?;
    output.show(&Report(report))
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(it) = self;
        writeln!(f, "{} {}: {}", text(it, "name"), text(it, "version"), text(it, "doc"))?;
        for contract in list(it, "contracts") {
            writeln!(f, "serves {}", text(contract, "id"))?;
            for operation in list(contract, "operations") {
                let called = match &*text(operation, "direction") {
                    "to_actor" => "calls the actor: ",
                    _ => "",
                };
                let (name, doc) = (text(operation, "name"), text(operation, "doc"));
                writeln!(f, "  {name:<18} {called}{doc}")?;
            }
        }
        let settings = list(it, "settings");
        if !settings.is_empty() {
            writeln!(f, "values")?;
        }
        for setting in settings {
            let scope = match &*text(setting, "scope") {
                "provider" => "of the provider",
                "binding" => "of a binding",
                _ => "of the provider or a binding",
            };
            let default = match &*text(setting, "default") {
                "" => String::new(),
                default => format!(", default `{default}`"),
            };
            let (key, kind, doc) = (text(setting, "key"), kind(setting), text(setting, "doc"));
            writeln!(f, "  {key:<18} {kind}, {scope}{default}: {doc}")?;
        }
        Ok(())
    }
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// A text without what moves a cursor: the program wrote it.
fn text(value: &Value, key: &str) -> String {
    let plain = |letter: char| if letter.is_control() { ' ' } else { letter };
    value[key].as_str().unwrap_or_default().chars().map(plain).collect()
}

/// The form of a value: `text`, or `choice ["a","b"]`.
fn kind(setting: &Value) -> String {
    match &setting["kind"] {
        Value::String(word) => word.clone(),
        Value::Object(kinds) => {
            let described = kinds.iter().map(|(kind, of)| format!("{kind} {of}"));
            described.collect::<Vec<_>>().join(" ")
        }
        other => other.to_string(),
    }
}
