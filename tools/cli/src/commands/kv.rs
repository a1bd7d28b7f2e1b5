//! `trellis kv`: what an actor has in the store that it is bound to.

use std::fmt;
use std::io::{self, BufRead, BufReader, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::{Args, Subcommand};
use serde::Serialize;
use trellis_app::AdminClient;
use trellis_control::{Answer, DataImport, DataKind, DataPage, DataPiece, DataQuery};
use trellis_core::Code;

use super::call::timeout;
use super::get::odd;
use super::host::{HostChoice, left};
use super::live;
use super::runtime;
use crate::clean::clean;
use crate::failure::Failure;
use crate::output::Output;

const AFTER_HELP: &str = "\
A binding is ACTOR, or ACTOR/NAME for one that is not called `default`. Over the network a token
needs the scope `operate` to look and `admin` to import: values are data of users.

Exit codes: 0 done, 1 the store failed, 2 wrong usage, 3 no such host, binding or key, 4 denied,
5 out of time, or no host answers, 6 a line is wrong, or a key is there already.";

/// Most bytes of one line of an import: a text of a store has at most 16 MiB, and more when it is
/// written as JSON.
const LINE_BYTES_MAX: u64 = 17 << 20;

/// About how many bytes are sent at once.
const PAGE_BYTES: usize = 1 << 20;

#[derive(Subcommand, Debug)]
pub(crate) enum KvCommand {
    /// Shows what a key holds.
    #[command(after_help = AFTER_HELP)]
    Get(GetArgs),
    /// Lists keys, with what they hold.
    #[command(after_help = AFTER_HELP)]
    List(ListArgs),
    /// Writes all keys as lines of JSON.
    #[command(after_help = AFTER_HELP)]
    Export(ExportArgs),
    /// Puts keys there, from lines of JSON as `export` writes them.
    #[command(after_help = AFTER_HELP)]
    Import(ImportArgs),
}

#[derive(Args, Debug)]
struct Asked {
    /// The binding: ACTOR, or ACTOR/NAME.
    #[arg(add = live::stores())]
    binding: String,
    /// Longest wait for all of it.
    #[arg(long, value_name = "TIME", default_value = "2m", value_parser = timeout)]
    timeout: Duration,
    #[command(flatten)]
    host: HostChoice,
}

#[derive(Args, Debug)]
pub(crate) struct GetArgs {
    #[command(flatten)]
    asked: Asked,
    /// The key.
    #[arg(allow_hyphen_values = true)]
    key: String,
}

#[derive(Args, Debug)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    asked: Asked,
    /// Only keys that begin so.
    #[arg(long, default_value = "", allow_hyphen_values = true)]
    prefix: String,
}

#[derive(Args, Debug)]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    asked: Asked,
}

#[derive(Args, Debug)]
pub(crate) struct ImportArgs {
    #[command(flatten)]
    asked: Asked,
    /// The file; `-` is stdin.
    file: PathBuf,
    /// In the place of what keys hold; otherwise one that is there is refused.
    #[arg(long)]
    replace: bool,
}

/// What a key holds.
#[derive(Serialize)]
struct Held {
    key: String,
    kind: DataKind,
    #[serde(skip_serializing_if = "is_zero")]
    expires_unix_ms: u64,
    values: Vec<String>,
}

/// What was put there.
#[derive(Serialize)]
struct Imported {
    keys: u64,
}

impl KvCommand {
    pub(crate) fn run(&self, output: Output) -> Result<(), Failure> {
        match self {
            Self::Get(args) => get(args, output),
            Self::List(args) => list(args, output),
            Self::Export(args) => export(args, output),
            Self::Import(args) => import(args, output),
        }
    }
}

fn get(args: &GetArgs, output: Output) -> Result<(), Failure> {
    let mut held: Option<Held> = None;
    let query = DataQuery { keys: vec![args.key.clone()], ..DataQuery::default() };
    args.asked.each(query, output, |piece| {
        let DataPiece { key, kind, expires_unix_ms, values, .. } = piece;
        match &mut held {
            None => held = Some(Held { key, kind, expires_unix_ms, values }),
            Some(held) => held.values.extend(values),
        }
        Ok(())
    })?;
    let Some(held) = held else {
        let text = format!("there is no key {:?} at {}", args.key, args.asked.binding);
        return Err(Failure::new(Code::NotFound, text)
            .cure("`trellis kv list` shows the keys that there are."));
    };
    output.show(&held)
}

fn list(args: &ListArgs, output: Output) -> Result<(), Failure> {
    let query = DataQuery { names_only: true, ..DataQuery::default() };
    let mut out = io::stdout().lock();
    args.asked.each(query, output, |piece| {
        if !piece.key.starts_with(&args.prefix) {
            return Ok(());
        }
        if output.is_document() {
            line(&mut out, &piece)
        } else {
            let what = told(piece.kind, piece.count);
            writeln!(out, "{}  {what}", clean(&piece.key)).map_err(|error| Failure::stdout(&error))
        }
    })
}

fn export(args: &ExportArgs, output: Output) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    args.asked.each(DataQuery::default(), output, |piece| line(&mut out, &piece))
}

fn import(args: &ImportArgs, output: Output) -> Result<(), Failure> {
    let mut lines: Box<dyn BufRead> = if args.file.as_os_str() == "-" {
        Box::new(BufReader::new(io::stdin()))
    } else {
        let file = std::fs::File::open(&args.file);
        let named = || format!("{} cannot be read", args.file.display());
        Box::new(BufReader::new(file.map_err(|error| Failure::file(named(), &error))?))
    };
    let until = Instant::now() + args.asked.timeout;
    let keys = runtime::block_on(async {
        let client = args.asked.host.client_until(until, output).await?;
        let (mut pieces, mut bytes, mut number, mut keys) = (Vec::new(), 0, 0, 0);
        loop {
            let read = next_line(&mut *lines, &mut number)?;
            let is_last = read.is_none();
            if let Some((piece, size)) = read {
                pieces.push(piece);
                bytes += size;
            }
            if (is_last || bytes >= PAGE_BYTES) && !pieces.is_empty() {
                let (page, replace) = (std::mem::take(&mut pieces), args.replace);
                let asked = DataImport { pieces: page, replace };
                keys += args.asked.put(&client, &asked, (until, number)).await?;
                bytes = 0;
            }
            if is_last {
                return Ok::<_, Failure>(keys);
            }
        }
    })?;
    output.show(&Imported { keys })
}

/// The next piece, and how long its line is; none at the end. Empty lines are passed over.
fn next_line(
    lines: &mut dyn BufRead,
    number: &mut u64,
) -> Result<Option<(DataPiece, usize)>, Failure> {
    loop {
        let mut text = Vec::new();
        *number += 1;
        let read = io::Read::take(&mut *lines, LINE_BYTES_MAX).read_until(b'\n', &mut text);
        let read = read.map_err(|error| Failure::file("the lines cannot be read", &error))?;
        let wrong = |why: &str| {
            let text =
                format!("line {number} is not a key as `trellis kv export` writes it: {why}");
            Failure::new(Code::Message, text)
        };
        if read == 0 {
            return Ok(None);
        }
        if read as u64 == LINE_BYTES_MAX {
            return Err(wrong("it is too long"));
        }
        if text.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let piece = serde_json::from_slice(&text);
        return Ok(Some((piece.map_err(|error| wrong(&error.to_string()))?, read)));
    }
}

impl Asked {
    /// The actor and the name of the binding.
    fn names(&self) -> (&str, &str) {
        self.binding.split_once('/').unwrap_or((&self.binding, "default"))
    }

    /// Shows `each` what is there, page by page.
    fn each(
        &self,
        query: DataQuery,
        output: Output,
        mut each: impl FnMut(DataPiece) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let until = Instant::now() + self.timeout;
        runtime::block_on(async {
            let client = self.host.client_until(until, output).await?;
            let mut query = query;
            loop {
                let DataPage { pieces, next } = self.page(&client, &query, until).await?;
                pieces.into_iter().try_for_each(&mut each)?;
                match next {
                    Some(next) => query.from = Some(next),
                    None => return Ok(()),
                }
            }
        })
    }

    async fn page(
        &self,
        client: &AdminClient,
        query: &DataQuery,
        until: Instant,
    ) -> Result<DataPage, Failure> {
        let body = serde_json::to_vec(query).map_err(|error| no_json(&error))?;
        let client = client.clone().waiting(left(until));
        match client.data(self.names(), ("export", body)).await? {
            Answer::Data(page) => Ok(*page),
            _ => Err(odd()),
        }
    }

    /// Puts pieces there, the last of which stands in that line: how many keys that began.
    async fn put(
        &self,
        client: &AdminClient,
        import: &DataImport,
        (until, line): (Instant, u64),
    ) -> Result<u64, Failure> {
        let body = serde_json::to_vec(import).map_err(|error| no_json(&error))?;
        let client = client.clone().waiting(left(until));
        match client.data(self.names(), ("import", body)).await {
            Ok(Answer::DataTaken(taken)) => Ok(taken.keys),
            Ok(_) => Err(odd()),
            Err(error) => {
                let failure = Failure::from(error);
                let cure = format!(
                    "Of the lines up to {line} the last {} were not taken, and all before them \
                     were.",
                    import.pieces.len()
                );
                Err(failure.cure(cure))
            }
        }
    }
}

fn line(out: &mut impl Write, piece: &DataPiece) -> Result<(), Failure> {
    let mut text = serde_json::to_vec(piece).map_err(|error| no_json(&error))?;
    text.push(b'\n');
    out.write_all(&text).map_err(|error| Failure::stdout(&error))
}

fn told(kind: DataKind, count: u64) -> String {
    match kind {
        DataKind::Text => "text".to_owned(),
        DataKind::List => format!("list of {count}"),
        DataKind::Set => format!("set of {count}"),
    }
}

fn no_json(error: &serde_json::Error) -> Failure {
    Failure::new(Code::Internal, format!("it does not become JSON: {error}"))
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.values.iter().try_for_each(|value| writeln!(f, "{}", clean(value)))
    }
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
    fn lines_are_read_one_by_one_and_a_wrong_one_is_named() {
        let text = concat!(
            r#"{"key":"a","kind":"text","count":1,"values":["1"]}"#,
            "\n\n",
            r#"{"key":"b","kind":"lists","count":1}"#,
            "\n"
        );
        let (mut lines, mut number) = (text.as_bytes(), 0);
        let (piece, size) = next_line(&mut lines, &mut number).expect("it is one").expect("it is");
        assert_eq!((piece.key.as_str(), piece.start, size), ("a", 0, 51));
        let wrong = next_line(&mut lines, &mut number).expect_err("no such kind");
        assert!(wrong.message().contains("line 3"), "{wrong}");
        assert!(next_line(&mut lines, &mut number).expect("the end").is_none());
    }

    #[test]
    fn a_line_is_bounded() {
        let long = vec![b' '; LINE_BYTES_MAX as usize + 1];
        let wrong = next_line(&mut &*long, &mut 0).expect_err("it never ends");
        assert!(wrong.message().contains("too long"), "{wrong}");
    }
}
