//! Many operations, one instance, one line of JSON for each.

use std::path::Path;

use bytes::Bytes;
use serde::Deserialize;
use trellis_core::Code;

use super::args::CallArgs;
use super::replies::{Reply, WrittenReply};
use super::session::{Outcome, Session};
use crate::failure::Failure;
use crate::files;
use crate::output::Output;
use crate::payload::from_hex;

/// One operation of a script.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Step {
    operation: String,
    payload: Bytes,
    replies: Vec<Reply>,
}

/// A step as it is written.
#[derive(Clone, Deserialize, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WrittenStep {
    operation: String,
    payload_hex: Option<String>,
    payload_text: Option<String>,
    #[serde(default)]
    replies: Vec<WrittenReply>,
}

impl TryFrom<WrittenStep> for Step {
    type Error = Failure;

    fn try_from(written: WrittenStep) -> Result<Self, Failure> {
        let payload = match (written.payload_hex, written.payload_text) {
            (None, None) => Bytes::new(),
            (Some(hex), None) => from_hex(&hex)?.into(),
            (None, Some(text)) => text.into(),
            (Some(_), Some(_)) => {
                return Err(Failure::usage("it has both `payloadHex` and `payloadText`"));
            }
        };
        let replies = written.replies.into_iter().map(Reply::try_from).collect::<Result<_, _>>()?;
        Ok(Self { operation: written.operation, payload, replies })
    }
}

/// Reads a script: a JSON array of steps, or one step after another.
///
/// # Errors
/// When it cannot be read, or a step is malformed; the message says which.
pub(super) fn read(path: &Path) -> Result<Vec<Step>, Failure> {
    parse(&files::read_input(path)?).map_err(|failure| failure.about(path.display()))
}

fn parse(text: &[u8]) -> Result<Vec<Step>, Failure> {
    let is_array = text.trim_ascii_start().starts_with(b"[");
    let written: Result<Vec<WrittenStep>, _> = if is_array {
        serde_json::from_slice(text)
    } else {
        serde_json::Deserializer::from_slice(text).into_iter().collect()
    };
    let written = written.map_err(|error| {
        Failure::new(Code::Message, "not a script of steps")
            .cause(&error)
            .cure("`trellis call --help` shows what a step looks like.")
    })?;
    let steps = written.into_iter().enumerate().map(|(index, step)| {
        Step::try_from(step).map_err(|failure| failure.about(format_args!("step {}", index + 1)))
    });
    steps.collect()
}

/// Runs a script. A step that fails is a result like any other. Only a module that cannot run at
/// all is a failure, and then every step says so too.
///
/// # Errors
/// Why the module is refused.
pub(super) async fn run(args: &CallArgs, steps: Vec<Step>, output: Output) -> Result<(), Failure> {
    let session = match Session::open(args, output).await {
        Ok(session) => session,
        Err(failure) => {
            let error = format!("{}: {}", failure.code(), failure.message());
            for step in &steps {
                print(&Outcome::refused(&step.operation, error.clone()), output)?;
            }
            return Err(failure);
        }
    };
    for step in steps {
        let (outcome, _) = session.call(&step.operation, step.payload, step.replies).await;
        print(&outcome, output)?;
    }
    Ok(())
}

fn print(outcome: &Outcome, output: Output) -> Result<(), Failure> {
    output.line(&serde_json::to_string(outcome).expect("an outcome is a struct of texts"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_read_from_an_array_or_line_by_line() {
        let array = br#" [{"operation":"A","payloadHex":"00ff"},
            {"operation":"B","payloadText":"x","replies":[{"error":"no"}]},{"operation":"C"}]"#;
        let lines = br#"{"operation":"A","payloadHex":"00FF"}
            {"operation":"B","payloadText":"x","replies":[{"error":"no"}]}
            {"operation":"C"}"#;
        let steps = parse(array).expect("well-formed");
        assert_eq!(steps, parse(lines).expect("well-formed"));
        assert_eq!(steps[0].payload, b"\x00\xff"[..]);
        assert_eq!(steps[1].replies, [Reply::Error("no".to_owned())]);
        assert!(steps[2].payload.is_empty());
        assert_eq!(parse(b"").expect("nothing to do"), []);
    }

    #[test]
    fn a_malformed_step_is_named() {
        for text in ["[", "[1]", r#"[{"operation":1}]"#, r#"[{"operation":"A","payload":"x"}]"#] {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
        let both = br#"[{"operation":"A"},{"operation":"B","payloadHex":"","payloadText":""}]"#;
        let failure = parse(both).expect_err("both payloads");
        assert!(failure.message().starts_with("step 2"), "{}", failure.message());
    }
}
