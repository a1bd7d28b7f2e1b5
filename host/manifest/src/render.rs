//! Reports drawn for people.

use std::fmt;
use std::io::IsTerminal;

use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode,
};

use crate::report::{Problem, Report};
use crate::source::SourceText;

/// Longest line a snippet shows, in bytes; for a longer one only its number is given.
const LINE_MAX: usize = 400;

/// How a report is drawn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Style {
    /// With ANSI colors.
    pub color: bool,
    /// With box-drawing characters instead of ASCII.
    pub unicode: bool,
    /// Columns to wrap at.
    pub width: usize,
}

impl Style {
    /// For files, pipes and tests: ASCII, no color, 100 columns.
    pub const PLAIN: Self = Self { color: false, unicode: false, width: 100 };

    /// What fits `stream`: fancy on a terminal, plain elsewhere. `no_color` is the content of the
    /// variable `NO_COLOR`: any text turns colors off.
    #[must_use]
    pub fn for_stream(stream: &impl IsTerminal, no_color: Option<&str>) -> Self {
        let terminal = stream.is_terminal();
        let color = terminal && no_color.is_none_or(str::is_empty);
        Self { color, unicode: terminal, ..Self::PLAIN }
    }

    fn theme(self) -> GraphicalTheme {
        match (self.unicode, self.color) {
            (true, true) => GraphicalTheme::unicode(),
            (true, false) => GraphicalTheme::unicode_nocolor(),
            (false, true) => GraphicalTheme::ascii(),
            (false, false) => GraphicalTheme::none(),
        }
    }
}

impl Report {
    /// The report as people read it.
    #[must_use]
    pub fn render(&self, style: Style) -> String {
        render(self, style)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(Style::PLAIN))
    }
}

impl std::error::Error for Report {}

fn render(report: &Report, style: Style) -> String {
    let handler = GraphicalReportHandler::new_themed(style.theme())
        .with_width(style.width)
        .with_links(false)
        .with_context_lines(1);
    let source = report.source_text();
    let named = NamedSource::new(&source.name, source.text.clone());
    let mut drawn = String::new();
    for problem in report.problems() {
        let shown = Shown { problem, source, named: &named };
        // Writing to a String fails only when a Display does, and ours do not. If one ever does,
        // the message alone is better than nothing.
        if handler.render_report(&mut drawn, &shown).is_err() {
            drawn.push_str(&problem.message);
        }
        drawn.push('\n');
    }
    drawn.push_str(&summary(report));
    drawn
}

fn summary(report: &Report) -> String {
    let count = report.problems().len() + report.omitted();
    let problems = if count == 1 { "problem" } else { "problems" };
    let omitted = match report.omitted() {
        0 => String::new(),
        omitted => format!(" ({omitted} not shown)"),
    };
    format!("{count} {problems} in {}{omitted}\n", report.source_text().name)
}

/// A problem as miette draws it.
#[derive(Debug)]
struct Shown<'a> {
    problem: &'a Problem,
    source: &'a SourceText,
    named: &'a NamedSource<String>,
}

impl Shown<'_> {
    /// False where a snippet would not help a reader: a line too long for any screen, or one with
    /// characters that would reach the terminal as commands.
    fn has_snippet(&self) -> bool {
        let start = self.source.floor(self.problem.span.start);
        let (before, after) = self.source.text.split_at(start);
        let head = before.rfind('\n').map_or(0, |newline| newline + 1);
        let tail = after.find('\n').unwrap_or(after.len());
        let around: usize = self.neighbors(head, start + tail).map(str::len).max().unwrap_or(0);
        let clean = |line: &str| !line.chars().any(|c| c.is_control() && c != '\t' && c != '\r');
        around <= LINE_MAX && self.neighbors(head, start + tail).all(clean)
    }

    /// The line from `head` to `tail` and the ones above and below it, which miette shows too.
    fn neighbors(&self, head: usize, tail: usize) -> impl Iterator<Item = &str> {
        let text = &self.source.text;
        let above = text[..head].trim_end_matches('\n').rsplit('\n').next();
        let below = text[tail..].trim_start_matches('\n').split('\n').next();
        [above, Some(&text[head..tail]), below].into_iter().flatten()
    }
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem.message)?;
        if !self.has_snippet() {
            let (line, column) = self.source.position(self.problem.span.start);
            write!(f, " ({}:{line}:{column})", self.source.name)?;
        }
        Ok(())
    }
}

impl std::error::Error for Shown<'_> {}

impl Diagnostic for Shown<'_> {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.problem.code))
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.problem.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.has_snippet().then_some(self.named as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let start = self.source.floor(self.problem.span.start);
        let end = self.source.floor(start.saturating_add(self.problem.span.len));
        // One line shows the place; for several lines miette would draw a bracket.
        let span = &self.source.text[start..end];
        let len = span.find(['\r', '\n']).unwrap_or(span.len());
        let label = LabeledSpan::new(None, start, len);
        Some(Box::new(std::iter::once(label)))
    }
}
