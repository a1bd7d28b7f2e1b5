//! Everything that is wrong with a manifest.

use serde_json::{Value as Json, json};
use trellis_core::{Code, nearest_name};

use crate::source::{SourceText, Span};

/// Most problems kept for one report: a file of nonsense must not print for minutes.
const KEPT_MAX: usize = 50;

/// One thing that is wrong, at one place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// The stable code.
    pub code: Code,
    /// A sentence that names what is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// Where the caret points.
    pub span: Span,
}

impl Problem {
    /// A problem of the manifest ([`Code::Manifest`]).
    pub fn new(span: Span, message: impl Into<String>) -> Self {
        Self { code: Code::Manifest, message: message.into(), help: None, span }
    }

    /// A name that is not among `known`: offers the nearest and lists all.
    ///
    /// `what` says what kind of name it is, such as `provider`.
    pub fn unknown<'a>(
        span: Span,
        what: &str,
        name: &str,
        known: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let known: Vec<&str> = known.into_iter().collect();
        let list = if known.is_empty() {
            format!("there is no {what} to choose from")
        } else {
            format!("known: {}", known.join(", "))
        };
        let help = match nearest_name(name, known) {
            Some(near) => format!("did you mean `{near}`? {list}"),
            None => list,
        };
        Self::new(span, format!("unknown {what} {}", quoted(name))).help(help)
    }

    /// The same problem with another code.
    #[must_use]
    pub const fn code(mut self, code: Code) -> Self {
        self.code = code;
        self
    }

    /// The same problem with what to do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// Everything wrong with one manifest, in the order of the text.
///
/// Its `Display` is plain ASCII without color; [`Report::render`] draws for a terminal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Report {
    source: SourceText,
    problems: Vec<Problem>,
    omitted: usize,
}

impl Report {
    /// A report of problems found at spans of `source`, whoever found them.
    #[must_use]
    pub fn of(source: &SourceText, problems: Vec<Problem>) -> Self {
        let mut collected = Problems::default();
        problems.into_iter().for_each(|problem| collected.push(problem));
        Self::new(source, collected)
    }

    pub(crate) fn new(source: &SourceText, collected: Problems) -> Self {
        let Problems { mut kept, omitted } = collected;
        kept.sort_by_key(|problem| problem.span.start);
        Self { source: source.clone(), problems: kept, omitted }
    }

    /// The same report with more problems, none of which is left out for the ones it has.
    #[must_use]
    pub fn and(self, mut more: Vec<Problem>) -> Self {
        more.extend(self.problems);
        let report = Self::of(&self.source, more);
        Self { omitted: report.omitted + self.omitted, ..report }
    }

    /// The problems, in the order of the text.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// How many further problems were found and not kept.
    #[must_use]
    pub const fn omitted(&self) -> usize {
        self.omitted
    }

    /// The manifest the problems are in.
    #[must_use]
    pub const fn source_text(&self) -> &SourceText {
        &self.source
    }

    /// The report as programs read it: `{"problems": [{code, file, line, column, endLine,
    /// endColumn, message, help}], "omitted": n}`; lines and columns from 1, the end exclusive.
    #[must_use]
    pub fn to_json(&self) -> Json {
        let problems: Vec<Json> = self
            .problems
            .iter()
            .map(|problem| {
                let (line, column) = self.source.position(problem.span.start);
                let end = problem.span.start.saturating_add(problem.span.len);
                let (end_line, end_column) = self.source.position(end);
                json!({
                    "code": problem.code.as_str(),
                    "file": self.source.name,
                    "line": line,
                    "column": column,
                    "endLine": end_line,
                    "endColumn": end_column,
                    "message": problem.message,
                    "help": problem.help,
                })
            })
            .collect();
        json!({ "problems": problems, "omitted": self.omitted })
    }
}

/// Problems while they are being collected.
#[derive(Default)]
pub(crate) struct Problems {
    kept: Vec<Problem>,
    omitted: usize,
}

impl Problems {
    pub(crate) fn push(&mut self, problem: Problem) {
        if self.kept.len() < KEPT_MAX {
            self.kept.push(problem);
        } else {
            self.omitted += 1;
        }
    }

    /// Unless it was reported already.
    pub(crate) fn push_once(&mut self, problem: Problem) {
        if !self.kept.contains(&problem) {
            self.push(problem);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }
}

/// `text` between backticks, short and without control characters, for a message.
pub(crate) fn quoted(text: &str) -> String {
    const SHOWN_MAX: usize = 60;
    let mut shown: String = text.chars().take(SHOWN_MAX).flat_map(printable).collect();
    if text.chars().nth(SHOWN_MAX).is_some() {
        shown.push_str("...");
    }
    format!("`{shown}`")
}

fn printable(character: char) -> impl Iterator<Item = char> {
    let (escaped, plain) = if character.is_control() {
        (Some(character.escape_default()), None)
    } else {
        (None, Some(character))
    };
    escaped.into_iter().flatten().chain(plain)
}
