//! One operation.

use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;

use super::args::CallArgs;
use super::replies::{self, Reply};
use super::session::{Outcome, Session};
use crate::failure::Failure;
use crate::files;
use crate::output::Output;
use crate::payload::{self, Notation};

/// What is to be called, read before the module is loaded: a wrong payload is told at once.
pub(super) struct Call {
    operation: String,
    payload: Bytes,
    replies: Vec<Reply>,
    notation: Notation,
}

/// The result under `-o json`.
#[derive(Serialize)]
struct Answer {
    #[serde(flatten)]
    outcome: Outcome,
    /// The reply, decoded, under `--json`.
    #[serde(skip_serializing_if = "Option::is_none")]
    response: Option<Value>,
}

impl Call {
    /// Reads the arguments and the files they name.
    ///
    /// # Errors
    /// When one of them is not what it should be.
    pub(super) fn new(args: &CallArgs) -> Result<Self, Failure> {
        let notation = Notation::of(args.json, args.hex);
        let replies = match &args.replies {
            Some(path) => replies::read(&files::read_input(path)?)
                .map_err(|failure| failure.about(path.display()))?,
            None => Vec::new(),
        };
        Ok(Self {
            operation: args.operation.clone().unwrap_or_default(),
            payload: payload::read(args.payload.as_deref(), notation)?.into(),
            replies,
            notation,
        })
    }

    /// Runs it and prints the reply.
    ///
    /// # Errors
    /// The actor's failure, with the exit code that fits.
    pub(super) async fn run(self, args: &CallArgs, output: Output) -> Result<(), Failure> {
        let session = Session::open(args, output).await?;
        let (outcome, result) = session.call(&self.operation, self.payload, self.replies).await;
        let reply = result.map_err(|error| {
            let failure = Failure::from(error).about(&self.operation).details(&outcome);
            match &outcome.advice {
                Some(advice) => failure.cure(advice),
                None => failure,
            }
        })?;
        if output.is_document() {
            let response = match self.notation {
                Notation::Json => Some(payload::reply_json(&reply)?),
                Notation::Raw | Notation::Hex => None,
            };
            return output.document(&Answer { outcome, response });
        }
        payload::print(&reply, self.notation, output)
    }
}
