//! How the host can fail its user.

use std::fmt;

use serde_json::{Value as Json, json};
use trellis_core::{CallError, Code};
use trellis_manifest::{Report, Style};

use crate::exit::Exit;

/// Why the host did not start, or had to stop.
#[derive(Debug)]
pub enum Failure {
    /// The manifest, or what it names, is wrong: every problem with its place.
    Manifest(Box<Report>),
    /// Something failed, with its code.
    Call {
        /// What was being done, such as `actor counter`.
        what: String,
        /// Why it failed.
        error: CallError,
        /// What to do about it, where more is known than the code tells.
        help: Option<String>,
    },
}

impl Failure {
    /// A failure of one thing.
    pub fn call(what: impl Into<String>, error: CallError) -> Self {
        Self::Call { what: what.into(), error, help: None }
    }

    /// The same with what to do about it.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        if let Self::Call { help, .. } = &mut self {
            *help = Some(text.into());
        }
        self
    }

    /// What to do about it; of a manifest, in general: each problem has its own help.
    #[must_use]
    pub fn cure(&self) -> &str {
        match self {
            Self::Call { help: Some(help), .. } => help,
            _ => self.code().cure(),
        }
    }

    /// The exit code that fits.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            // A manifest that is fine but names a refused module is a refusal.
            Self::Manifest(report) => {
                let exits: Vec<_> =
                    report.problems().iter().map(|problem| Exit::of(problem.code)).collect();
                let refused = exits.iter().all(|exit| *exit == Exit::Denied);
                if refused { Exit::Denied } else { Exit::Invalid }
            }
            Self::Call { error, .. } => Exit::of(error.code()),
        }
    }

    /// The text for a terminal (or, in plain style, for a file).
    #[must_use]
    pub fn render(&self, style: Style) -> String {
        match self {
            Self::Manifest(report) => report.render(style),
            Self::Call { what, error, .. } => {
                let (code, message) = (error.code(), error.message());
                format!("error[{code}]: {what}: {message}\n  help: {}\n", self.cure())
            }
        }
    }

    /// The failure as a program reads it: the fields `error` and, of a manifest, `details`.
    #[must_use]
    pub fn to_json(&self) -> Json {
        let code = self.code();
        let details = match self {
            Self::Manifest(report) => Some(report.to_json()),
            Self::Call { .. } => None,
        };
        let mut json = json!({ "error": {
            "code": code.as_str(),
            "message": self.first(),
            "cause": code.cause(),
            "cure": self.cure(),
            "exit": self.exit().code(),
        }});
        if let Some(details) = details {
            json["details"] = details;
        }
        json
    }

    /// The first problem in one line.
    #[must_use]
    pub(crate) fn first(&self) -> String {
        match self {
            Self::Manifest(report) => summary(report),
            Self::Call { what, error, .. } => format!("{what}: {}", error.message()),
        }
    }

    /// The same, with what to do about it where more is known than the code tells.
    #[must_use]
    pub(crate) fn told(&self) -> String {
        match self {
            Self::Manifest(report) => summary(report),
            Self::Call { help: None, .. } => self.first(),
            Self::Call { help: Some(help), .. } => format!("{}; {help}", self.first()),
        }
    }

    /// The stable code of the (first) problem.
    #[must_use]
    pub fn code(&self) -> Code {
        self.codes().next().unwrap_or(Code::Manifest)
    }

    /// The stable codes of all problems.
    pub(crate) fn codes(&self) -> impl Iterator<Item = Code> {
        let (problems, one) = match self {
            Self::Manifest(report) => (report.problems(), None),
            Self::Call { error, .. } => (&[][..], Some(error.code())),
        };
        problems.iter().map(|problem| problem.code).chain(one)
    }
}

/// A report in one line.
fn summary(report: &Report) -> String {
    let first = report.problems().first().map_or("it is wrong", |problem| problem.message.as_str());
    let name = &report.source_text().name;
    match report.problems().len() + report.omitted() {
        0 | 1 => format!("{name}: {first}"),
        count => format!("{name}: {first} ({count} problems in all)"),
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Manifest(report) => report.fmt(f),
            Self::Call { .. } => f.write_str(&self.told()),
        }
    }
}

impl std::error::Error for Failure {}
