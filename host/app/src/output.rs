//! How the host talks: data on stdout in the form that was asked for, and nothing else there.

use std::fmt::Display;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::ValueEnum;
use serde_json::{Value as Json, json};
use trellis_control::{SCHEMA_VERSION, Step};
use trellis_manifest::{Report, Style};

use crate::exit::Exit;
use crate::failure::Failure;

/// How long the last line of a process waits for whoever reads stdout.
const LAST_LINE_TIME_MAX: Duration = Duration::from_secs(5);

/// The form of what is printed on stdout.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, ValueEnum)]
pub enum Form {
    /// For people.
    #[default]
    Text,
    /// One JSON document a line.
    Json,
}

/// How this run talks. Nobody listening is no failure: the host runs on when stdout is closed.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    form: Form,
    style: Style,
}

/// What there is to say of a manifest that can run.
#[derive(Clone, Copy)]
pub(crate) struct Remarks<'a> {
    /// What its owner may not have meant.
    pub(crate) warnings: &'a Report,
    /// What whoever checks it may want to know.
    pub(crate) notes: &'a Report,
}

impl Remarks<'_> {
    fn complain(self) {
        for (kind, report) in [("warning", self.warnings), ("note", self.notes)] {
            lines(report).for_each(|remark| complain(&format!("{kind}: {remark}")));
        }
    }
}

impl Output {
    /// Results in this form, and reports for people drawn in this style on stderr.
    #[must_use]
    pub const fn new(form: Form, style: Style) -> Self {
        Self { form, style }
    }

    pub(crate) fn is_json(self) -> bool {
        self.form == Form::Json
    }

    /// The form of data.
    pub(crate) const fn form(self) -> Form {
        self.form
    }

    /// The manifest was checked and can run.
    pub(crate) fn checked(self, manifest: &Path, remarks: Remarks<'_>) {
        let manifest = manifest.display();
        match self.form {
            Form::Text => {
                remarks.complain();
                line(format_args!("{manifest}: ok"));
            }
            Form::Json => line(document(json!({
                "manifest": manifest.to_string(),
                "result": "ok",
                "warnings": remarks.warnings.to_json()["problems"].take(),
                "notes": remarks.notes.to_json()["problems"].take(),
            }))),
        }
    }

    /// What running the manifest would do, in order.
    pub(crate) fn planned(self, manifest: &Path, steps: &[Step], remarks: Remarks<'_>) {
        match self.form {
            Form::Text => {
                remarks.complain();
                steps.iter().for_each(line);
            }
            Form::Json => line(document(json!({
                "manifest": manifest.display().to_string(),
                "steps": steps,
                "warnings": remarks.warnings.to_json()["problems"].take(),
                "notes": remarks.notes.to_json()["problems"].take(),
            }))),
        }
    }

    /// The host failed; gives the exit code.
    #[must_use]
    pub fn failed(self, failure: &Failure) -> ExitCode {
        match self.form {
            Form::Text => {
                let text = failure.render(self.style);
                in_time(move || complain(&text));
            }
            Form::Json => {
                let text = document(failure.to_json());
                in_time(move || line(&text));
            }
        }
        failure.exit().into()
    }

    /// The command line is wrong; gives the exit code.
    #[must_use]
    pub fn misused(self, message: &str) -> ExitCode {
        match self.form {
            Form::Text => complain(message),
            Form::Json => line(document(json!({ "error": {
                "code": "E_USAGE",
                "message": message,
                "cause": "The command line is wrong, or what it names does not fit.",
                "cure": "`host --help` shows what it takes.",
                "exit": Exit::Usage.code(),
            }}))),
        }
        Exit::Usage.into()
    }
}

/// Each problem of a report in a line, with its place, and how many more there are.
pub(crate) fn lines(report: &Report) -> impl Iterator<Item = String> {
    let more = Some(report.omitted()).filter(|more| *more > 0);
    let more = more.map(|more| format!("{}: and {more} more", report.source_text().name));
    let problems = report.problems().iter().map(|problem| {
        let source = report.source_text();
        let (line, column) = source.position(problem.span.start);
        let help = problem.help.as_ref().map_or_else(String::new, |help| format!("; {help}"));
        format!("{}:{line}:{column}: {}{help}", source.name, problem.message)
    });
    problems.chain(more)
}

/// A JSON document in a line, with its version.
pub(crate) fn document(mut content: Json) -> String {
    content["schemaVersion"] = SCHEMA_VERSION.into();
    content.to_string()
}

/// A process that ends does not wait for a reader that takes nothing: its signals are answered by
/// nobody any more.
fn in_time(say: impl Fn() + Send + Sync + 'static) {
    let say = Arc::new(say);
    let aside = Arc::clone(&say);
    let (done, said) = std::sync::mpsc::sync_channel(1);
    let writer = std::thread::Builder::new().spawn(move || {
        aside();
        // An error means that nobody waits any more.
        let _ = done.send(());
    });
    match writer {
        Ok(_) => drop(said.recv_timeout(LAST_LINE_TIME_MAX)),
        Err(_) => say(),
    }
}

fn line(text: impl Display) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

fn complain(text: &str) {
    let _ = writeln!(std::io::stderr(), "{}", text.trim_end());
}
