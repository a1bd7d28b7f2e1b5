//! The one way to the user: data on stdout, everything else on stderr.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use anstream::{AutoStream, ColorChoice};
use serde::Serialize;
use trellis_app::Exit;
use trellis_control::Document;
use trellis_manifest::Style;

use crate::failure::Failure;
use crate::global::{Color, Form, Global};
use crate::table::Table;

/// How this run talks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    form: Form,
    quiet: bool,
    color: ColorChoice,
}

impl Output {
    pub(crate) fn new(global: &Global) -> Self {
        let color = match global.color {
            Color::Auto => ColorChoice::Auto,
            Color::Always => ColorChoice::Always,
            Color::Never => ColorChoice::Never,
        };
        Self { form: global.output, quiet: global.quiet, color }
    }

    /// The form of results.
    pub(crate) fn form(self) -> Form {
        self.form
    }

    /// True when stdout is for programs.
    pub(crate) fn is_document(self) -> bool {
        self.form.is_document()
    }

    /// True when stdout is a terminal.
    pub(crate) fn is_terminal(self) -> bool {
        io::stdout().is_terminal()
    }

    /// Prints a command's result in the form asked for.
    ///
    /// # Errors
    /// When stdout cannot be written.
    pub(crate) fn show<T: Serialize + Display>(self, result: &T) -> Result<(), Failure> {
        if self.is_document() { self.document(result) } else { self.text(&result.to_string()) }
    }

    /// Prints a list: all of it for programs, a table for people.
    ///
    /// # Errors
    /// When stdout cannot be written.
    pub(crate) fn list<T: Serialize>(self, list: &T, table: &Table) -> Result<(), Failure> {
        match self.form {
            Form::Json | Form::Yaml => self.document(list),
            Form::Text => self.text(&table.text(false)),
            Form::Wide => self.text(&table.text(true)),
            Form::Name => self.text(&table.names()),
        }
    }

    /// The same for one of many lists: a document is one line.
    ///
    /// # Errors
    /// When stdout cannot be written.
    pub(crate) fn list_in_line<T: Serialize>(self, list: &T, table: &Table) -> Result<(), Failure> {
        if !self.is_document() {
            return self.list(list, table);
        }
        let line = serde_json::to_string(&Document::of(list));
        self.line(&line.expect("our documents are maps with string keys"))
    }

    /// Prints a result as a document.
    ///
    /// # Errors
    /// When stdout cannot be written.
    pub(crate) fn document<T: Serialize>(self, result: &T) -> Result<(), Failure> {
        self.line(self.written(result).trim_end())
    }

    /// A document: pretty, since people look at them too, and with its version first.
    fn written<T: Serialize>(self, content: &T) -> String {
        let document = Document::of(content);
        match self.form {
            Form::Yaml => serde_saphyr::to_string(&document).expect("our documents are plain data"),
            _ => serde_json::to_string_pretty(&document)
                .expect("our documents are maps with string keys"),
        }
    }

    /// Prints text on stdout, with a line end.
    ///
    /// # Errors
    /// When stdout cannot be written.
    pub(crate) fn text(self, text: &str) -> Result<(), Failure> {
        let mut stdout = AutoStream::new(io::stdout(), self.color).lock();
        let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
        write!(stdout, "{text}{end}")
            .and_then(|()| stdout.flush())
            .map_err(|error| Failure::stdout(&error))
    }

    /// Prints one line on stdout, whatever the form.
    ///
    /// # Errors
    /// When stdout cannot be written.
    pub(crate) fn line(self, line: &str) -> Result<(), Failure> {
        self.raw(format!("{line}\n").as_bytes())
    }

    /// Writes bytes to stdout as they are.
    ///
    /// # Errors
    /// When stdout cannot be written.
    pub(crate) fn raw(self, bytes: &[u8]) -> Result<(), Failure> {
        let mut stdout = io::stdout().lock();
        stdout
            .write_all(bytes)
            .and_then(|()| stdout.flush())
            .map_err(|error| Failure::stdout(&error))
    }

    /// Says something on stderr that is useful to know.
    pub(crate) fn note(self, text: impl Display) {
        if !self.quiet {
            self.say(&text.to_string());
        }
    }

    /// Says something on stderr that was asked for, even under `--quiet`.
    pub(crate) fn say(self, text: &str) {
        let mut stderr = AutoStream::new(io::stderr(), self.color).lock();
        // Without stderr there is nobody left to tell.
        let _ = writeln!(stderr, "{text}");
    }

    /// How a report with places in a file is drawn on stderr.
    pub(crate) fn style(self) -> Style {
        let stderr = io::stderr();
        let no_color = std::env::var("NO_COLOR").ok();
        let style = Style::for_stream(&stderr, no_color.as_deref());
        match self.color {
            ColorChoice::Never => Style { color: false, ..style },
            ColorChoice::Always | ColorChoice::AlwaysAnsi => Style { color: true, ..style },
            ColorChoice::Auto => style,
        }
    }

    /// Ends the command: prints its error, if any, and gives the exit code.
    pub(crate) fn finish(self, outcome: Result<(), Failure>) -> ExitCode {
        let Err(failure) = outcome else { return Exit::Ok.into() };
        if failure.is_closed_pipe() {
            return Exit::Ok.into();
        }
        if self.is_document() {
            // The exit code still tells when stdout is gone.
            let _ = self.document(&failure);
        } else {
            self.say(failure.to_string().trim_end());
        }
        failure.exit().into()
    }
}
