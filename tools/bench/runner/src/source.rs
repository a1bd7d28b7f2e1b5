//! A source of one number per turn.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::load;
use crate::overload;
use crate::places::{App, Places};
use crate::rows::{Figure, Row, Server, Side};
use crate::server::Running;

/// One side of one row, ready to be measured.
pub(crate) trait Source {
    /// Measures for about this long.
    fn measure(&mut self, longest: Duration) -> Result<f64>;
}

/// Starts what a side needs. Dropping the source stops it.
pub(crate) fn open(row: &Row, side: Side, places: &Places) -> Result<Box<dyn Source>> {
    Ok(match side {
        Side::Process(binary) => Box::new(Process::start(&places.sides.join(binary), row.name)?),
        Side::OtherRow(binary, row) => Box::new(Process::start(&places.sides.join(binary), row)?),
        Side::Throughput(server) => Box::new(Throughput(Running::start(server, places)?)),
        Side::Latency(server) => Box::new(Latency(Running::start(server, places)?)),
        Side::Overload(figure) => {
            Box::new(Overload(Running::start_on_one_core(Server::Ours(App::Work), places)?, figure))
        }
    })
}

struct Throughput(Running);

impl Source for Throughput {
    fn measure(&mut self, longest: Duration) -> Result<f64> {
        load::throughput(self.0.url(), longest)
    }
}

struct Latency(Running);

impl Source for Latency {
    fn measure(&mut self, longest: Duration) -> Result<f64> {
        load::latency_p99(self.0.url(), longest)
    }
}

struct Overload(Running, Figure);

impl Source for Overload {
    fn measure(&mut self, longest: Duration) -> Result<f64> {
        overload::measure(&self.0, self.1, longest)
    }
}

/// A side process, with the lines to and from it.
struct Process {
    row: &'static str,
    child: Child,
    requests: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Process {
    fn start(program: &Path, row: &'static str) -> Result<Self> {
        let mut child = Command::new(program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("starting {}", program.display()))?;
        let requests = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().context("a piped output")?);
        Ok(Self { row, child, requests, answers })
    }
}

impl Source for Process {
    fn measure(&mut self, longest: Duration) -> Result<f64> {
        let requests = self.requests.as_mut().context("a running side")?;
        writeln!(requests, "{} {}", self.row, longest.as_millis()).context("asking a side")?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer).context("reading the answer of a side")?;
        match answer.trim().strip_prefix("error ") {
            Some(reason) => bail!("{}: {reason}", self.row),
            None => answer.trim().parse().with_context(|| format!("{}: `{answer}`", self.row)),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A side exits when its input is closed.
        drop(self.requests.take());
        drop(self.child.wait());
    }
}
