//! How a command fails: what, why, what to do, and with which exit code. Decided here only.

use std::error::Error;
use std::fmt;
use std::io;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::Value;
use trellis_app::Exit;
use trellis_claims::ClaimsError;
use trellis_core::{CallError, Code};
use trellis_engine::EngineError;
use trellis_keystore::KeystoreError;
use trellis_manifest::{Report, Style};

/// The code for a wrong command line; the host has no use for it.
pub(crate) const USAGE: &str = "E_USAGE";
/// What [`USAGE`] means.
pub(crate) const USAGE_CAUSE: &str = "The command line is wrong, or its parts do not go together.";
/// What to do about [`USAGE`].
pub(crate) const USAGE_CURE: &str = "`trellis COMMAND --help` shows what a command takes.";

/// Why a command failed. Boxed, since it travels in every result.
#[derive(Debug)]
pub(crate) struct Failure(Box<Story>);

/// Everything there is to say about a failure.
#[derive(Debug)]
struct Story {
    code: &'static str,
    exit: Exit,
    message: String,
    /// What the errors beneath say, outermost first.
    causes: Vec<String>,
    /// What the code means.
    meaning: &'static str,
    cure: String,
    /// More for programs, such as the result of a call that failed.
    details: Option<Value>,
    /// Already drawn for people, with places in a file.
    drawn: Option<String>,
    closed_pipe: bool,
}

impl Failure {
    /// A failure with a code of the host.
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self(Box::new(Story {
            code: code.as_str(),
            exit: Exit::of(code),
            message: message.into(),
            causes: Vec::new(),
            meaning: code.cause(),
            cure: code.cure().to_owned(),
            details: None,
            drawn: None,
            closed_pipe: false,
        }))
    }

    /// A wrong command line.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        let mut failure = Self::new(Code::Internal, message).cure(USAGE_CURE).exiting(Exit::Usage);
        failure.0.code = USAGE;
        failure.0.meaning = USAGE_CAUSE;
        failure
    }

    /// A file that cannot be read or written.
    pub(crate) fn file(what: impl Into<String>, error: &io::Error) -> Self {
        let code = match error.kind() {
            io::ErrorKind::NotFound => Code::NotFound,
            _ => Code::Storage,
        };
        Self::new(code, what).cause(error).cure("Check the path and its permissions.")
    }

    /// Stdout that cannot be written.
    pub(crate) fn stdout(error: &io::Error) -> Self {
        let mut failure = Self::file("cannot write to stdout", error);
        failure.0.closed_pipe = error.kind() == io::ErrorKind::BrokenPipe;
        failure
    }

    /// A failure of the host, whose own words are drawn with places in a file.
    pub(crate) fn host(error: &trellis_app::Failure, style: Style) -> Self {
        let (message, details) = match error {
            trellis_app::Failure::Manifest(report) => (summary(report), Some(report.to_json())),
            trellis_app::Failure::Call { .. } => (error.to_string(), None),
        };
        let failure = Self::new(error.code(), message).cure(error.cure());
        let mut failure = failure.exiting(error.exit());
        failure.0.drawn = Some(error.render(style));
        failure.0.details = details;
        failure
    }

    /// The same failure with the chain of errors beneath it.
    pub(crate) fn cause(mut self, error: &dyn Error) -> Self {
        let mut next = Some(error);
        while let Some(error) = next {
            let text = one_line(&error.to_string());
            let own = format!("{}: ", self.0.code);
            self.0.causes.push(text.strip_prefix(&own).unwrap_or(&text).to_owned());
            next = error.source();
        }
        self
    }

    /// The same failure with what to do about it.
    pub(crate) fn cure(mut self, cure: impl Into<String>) -> Self {
        self.0.cure = cure.into();
        self
    }

    /// The same failure with another exit code than its error code's.
    pub(crate) fn exiting(mut self, exit: Exit) -> Self {
        self.0.exit = exit;
        self
    }

    /// The same failure about a named thing, such as a file.
    pub(crate) fn about(mut self, what: impl fmt::Display) -> Self {
        self.0.message = format!("{what}: {}", self.0.message);
        self
    }

    /// The same failure with what is so besides.
    pub(crate) fn adding(mut self, what: impl fmt::Display) -> Self {
        self.0.message = format!("{}; {what}", self.0.message);
        self
    }

    /// The same failure with more for programs.
    pub(crate) fn details<T: Serialize>(mut self, details: &T) -> Self {
        self.0.details = serde_json::to_value(details).ok();
        self
    }

    /// The stable code.
    pub(crate) fn code(&self) -> &'static str {
        self.0.code
    }

    /// The sentence.
    pub(crate) fn message(&self) -> &str {
        &self.0.message
    }

    /// The exit code.
    pub(crate) fn exit(&self) -> Exit {
        self.0.exit
    }

    /// True when nobody reads stdout anymore, which is not a failure (as in `keys list | head -1`).
    pub(crate) fn is_closed_pipe(&self) -> bool {
        self.0.closed_pipe
    }
}

/// A report in one line. People get the places drawn, programs get them as details.
fn summary(report: &Report) -> String {
    let first =
        report.problems().first().map_or("it is not valid", |problem| problem.message.as_str());
    let name = &report.source_text().name;
    match report.problems().len() + report.omitted() {
        0 | 1 => format!("{name}: {first}"),
        count => format!("{name}: {first} ({count} problems in all)"),
    }
}

/// What a library says, on one line.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(drawn) = &self.0.drawn {
            return f.write_str(drawn);
        }
        writeln!(f, "\x1b[1;31merror[{}]\x1b[0m: {}", self.0.code, self.0.message)?;
        for cause in &self.0.causes {
            writeln!(f, "  because: {cause}")?;
        }
        writeln!(f, "  help: {}", self.0.cure)
    }
}

impl Serialize for Failure {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let cause = if self.0.causes.is_empty() {
            self.0.meaning.to_owned()
        } else {
            self.0.causes.join(": ")
        };
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry(
            "error",
            &serde_json::json!({
                "code": self.0.code,
                "message": self.0.message,
                "cause": cause,
                "cure": self.0.cure,
                "exit": self.0.exit.code(),
            }),
        )?;
        if let Some(details) = &self.0.details {
            map.serialize_entry("details", details)?;
        }
        map.end()
    }
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        Self::new(error.code(), error.message())
    }
}

impl From<ClaimsError> for Failure {
    fn from(error: ClaimsError) -> Self {
        let failure = Self::new(error.code(), error.message());
        match error.source() {
            Some(source) => failure.cause(source),
            None => failure,
        }
    }
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        let failure = Self::new(error.code(), one_line(&error.to_string()));
        match error.source() {
            Some(source) => failure.cause(source),
            None => failure,
        }
    }
}

impl From<KeystoreError> for Failure {
    fn from(error: KeystoreError) -> Self {
        let exit = match &error {
            KeystoreError::Ambiguous { .. }
            | KeystoreError::BadName { .. }
            | KeystoreError::SeedGiven => Exit::Usage,
            KeystoreError::Exists { .. } | KeystoreError::NoHome => Exit::Failed,
            _ => Exit::of(error.code()),
        };
        let failure = Self::new(error.code(), error.to_string()).cure(error.cure()).exiting(exit);
        match error.source() {
            Some(source) => failure.cause(source),
            None => failure,
        }
    }
}
