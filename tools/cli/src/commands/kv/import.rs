//! `trellis kv import`: all is checked before anything is put there, and what was put there when it
//! fails is told exactly.

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Seek};
use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use serde::Serialize;
use trellis_app::{AdminClient, ClientError};
use trellis_control::{Answer, DataBytes, DataImport, DataPiece, DataQuery, DataTaken};
use trellis_core::Code;

use super::asked::Asked;
use super::lines::{Reading, Wholeness, no_json};
use super::values::shown;
use crate::commands::get::odd;
use crate::commands::runtime;
use crate::failure::Failure;
use crate::output::Output;

/// About how many bytes are sent at once.
const PAGE_BYTES: usize = 1 << 20;

/// Most keys that are asked for at once.
const KEYS_MAX: usize = 1_000;

#[derive(Args, Debug)]
pub(crate) struct ImportArgs {
    #[command(flatten)]
    asked: Asked,
    /// The file; `-` is stdin.
    file: PathBuf,
    /// In the place of what keys hold; otherwise nothing is put there when one is there already.
    #[arg(long)]
    replace: bool,
    /// Also without the last line of an export, or when lines were changed: written by hand, or a
    /// part of one. A last line that was cut is left out.
    #[arg(long)]
    partial: bool,
}

/// What was put there.
#[derive(Serialize)]
struct Imported {
    keys: u64,
}

/// What is on its way.
struct Import<'a> {
    args: &'a ImportArgs,
    client: AdminClient,
    until: Instant,
    put: Put,
}

/// How far it came.
#[derive(Default)]
struct Put {
    keys: u64,
    /// The last line of which all was put there.
    line: u64,
    /// What the rest of the last key has to come with.
    ticket: Option<String>,
}

pub(super) fn run(args: &ImportArgs, output: Output) -> Result<(), Failure> {
    let file = args.read()?;
    let wholeness = if args.partial { Wholeness::Waived } else { Wholeness::Asked };
    let nothing = |failure: Failure| failure.adding("nothing was put there");
    let mut lines = reading(&file, wholeness).map_err(nothing)?;
    while lines.next().map_err(nothing)?.is_some() {}
    if let Some(line) = lines.cut {
        output.note(format!("line {line} is the last one and was cut, so it is left out"));
    }
    lines.check_end().map_err(nothing)?;
    let until = Instant::now() + args.asked.timeout;
    let keys = runtime::block_on(async {
        let client = args.asked.host.client_until(until, output).await?;
        let mut import = Import { args, client, until, put: Put::default() };
        if !args.replace {
            import.refuse_held(reading(&file, wholeness)?).await.map_err(nothing)?;
        }
        import.put_all(reading(&file, wholeness)?).await?;
        Ok::<_, Failure>(import.put.keys)
    })?;
    output.show(&Imported { keys })
}

impl ImportArgs {
    /// The file, or what comes from elsewhere in one that nobody else sees: it is read twice.
    fn read(&self) -> Result<File, Failure> {
        let mut from: Box<dyn io::Read> = if self.file.as_os_str() == "-" {
            Box::new(io::stdin())
        } else {
            let named = || format!("{} cannot be read", self.file.display());
            let file = File::open(&self.file).map_err(|error| Failure::file(named(), &error))?;
            if file.metadata().is_ok_and(|about| about.is_file()) {
                return Ok(file);
            }
            Box::new(file)
        };
        let kept = tempfile::tempfile().and_then(|mut file| {
            io::copy(&mut from, &mut file)?;
            Ok(file)
        });
        kept.map_err(|error| Failure::file("the lines cannot be kept in a temporary file", &error))
    }
}

/// The lines from the beginning on.
fn reading(mut file: &File, wholeness: Wholeness) -> Result<Reading<BufReader<&File>>, Failure> {
    let rewound = file.rewind();
    rewound.map_err(|error| Failure::file("the file cannot be read twice", &error))?;
    Ok(Reading::of(BufReader::new(file), wholeness))
}

impl Import<'_> {
    /// Refuses lines of which one begins a key that is there already.
    async fn refuse_held(&self, mut lines: Reading<BufReader<&File>>) -> Result<(), Failure> {
        let mut keys = Vec::new();
        loop {
            let next = lines.next()?;
            let is_last = next.is_none();
            keys.extend(next.filter(|(piece, _)| piece.start == 0).map(|(piece, _)| piece.key));
            if is_last || keys.len() >= KEYS_MAX {
                self.refuse_any(std::mem::take(&mut keys)).await?;
            }
            if is_last {
                return Ok(());
            }
        }
    }

    async fn refuse_any(&self, keys: Vec<DataBytes>) -> Result<(), Failure> {
        if keys.is_empty() {
            return Ok(());
        }
        let mut query = DataQuery { keys, names_only: true, ..DataQuery::default() };
        loop {
            let page = self.args.asked.page(&self.client, &query, self.until).await?;
            if let Some(piece) = page.pieces.first() {
                let text = format!("the key \"{}\" is there already", shown(&piece.key.0));
                return Err(Failure::new(Code::Data, text)
                    .cure("`--replace` puts other values in the place of such keys."));
            }
            match page.next {
                Some(next) => query.from = Some(next),
                None => return Ok(()),
            }
        }
    }

    async fn put_all(&mut self, mut lines: Reading<BufReader<&File>>) -> Result<(), Failure> {
        let (mut pieces, mut bytes, mut line) = (Vec::new(), 0, 0);
        loop {
            let next = lines.next()?;
            let size = next.as_ref().map_or(0, |(_, size)| *size);
            // A long line goes alone, as it came.
            if !pieces.is_empty() && (next.is_none() || bytes + size > PAGE_BYTES) {
                self.put(std::mem::take(&mut pieces), line).await?;
                bytes = 0;
            }
            let Some((piece, _)) = next else { return Ok(()) };
            pieces.push(piece);
            bytes += size;
            line = lines.line;
        }
    }

    /// Puts pieces there, the last of which stands in that line.
    async fn put(&mut self, pieces: Vec<DataPiece>, line: u64) -> Result<(), Failure> {
        let asked = &self.args.asked;
        let (from, replace) = (self.put.ticket.take(), self.args.replace);
        let body = serde_json::to_vec(&DataImport { pieces, from, replace });
        let body = body.map_err(|error| no_json(&error))?;
        match asked.ask(&self.client, ("import", body), self.until).await {
            Ok(Answer::DataTaken(DataTaken { keys, next })) => {
                self.put = Put { keys: self.put.keys + keys, line, ticket: next };
                Ok(())
            }
            Ok(_) => Err(odd()),
            Err(error) => {
                let told = self.put.told(line, is_refusal(&error));
                Err(Failure::from(error).adding(told))
            }
        }
    }
}

impl Put {
    /// What is there when the lines up to this one were refused, or got lost.
    fn told(&self, line: u64, refused: bool) -> String {
        let Self { keys, line: done, .. } = self;
        match (done, refused) {
            (0, true) => "nothing was put there".to_owned(),
            (0, false) => format!("whether lines 1 to {line} were put there is not known"),
            (_, true) => format!(
                "lines 1 to {done} were put there, which begin {keys} keys, and nothing of what \
                 follows"
            ),
            (_, false) => format!(
                "lines 1 to {done} were put there, which begin {keys} keys; whether lines {} to \
                 {line} were is not known, and nothing of what follows was",
                done + 1
            ),
        }
    }
}

/// Whether the host says that it put nothing there.
fn is_refusal(error: &ClientError) -> bool {
    let ClientError::Refused(fault) = error else { return false };
    !matches!(fault.code, Code::Timeout | Code::Provider | Code::Internal)
}

impl fmt::Display for Imported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "put {} keys there", self.keys)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_after_a_failure_is_told() {
        let begun = || Put { keys: 7, line: 9, ticket: None };
        for (put, refused, says) in [
            (Put::default(), true, "nothing was put there"),
            (Put::default(), false, "whether lines 1 to 12 were put there is not known"),
            (begun(), true, "lines 1 to 9 were put there, which begin 7 keys, and nothing"),
            (begun(), false, "whether lines 10 to 12 were is not known"),
        ] {
            let told = put.told(12, refused);
            assert!(told.contains(says), "{told}");
        }
    }
}
