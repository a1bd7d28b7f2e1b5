//! `trellis kv`: what an actor has in the store that it is bound to.

mod asked;
mod import;
mod lines;
mod values;

use std::ffi::OsString;
use std::io::{self, Write};
use std::os::unix::ffi::OsStringExt;

use clap::{Args, Subcommand};
use trellis_control::{DataBytes, DataPiece, DataQuery};
use trellis_core::Code;

use self::asked::Asked;
use self::import::ImportArgs;
use self::lines::{Writing, no_json};
use self::values::{Held, shown, told};
use crate::failure::Failure;
use crate::output::Output;

const AFTER_HELP: &str = "\
A binding is ACTOR, or ACTOR/NAME for one that is not called `default`; `trellis get bindings` shows
them. Over the network a token needs the scope `operate` to look and `admin` to import: values are
data of users.

Exit codes: 0 done, 1 the store failed, 2 wrong usage, 3 no such host, binding or key, 4 denied,
5 out of time, or no host answers, 6 a line is wrong, a file was cut, a key is there already or
holds what cannot be shown.";

#[derive(Subcommand, Debug)]
pub(crate) enum KvCommand {
    /// Shows what a key holds.
    #[command(after_help = AFTER_HELP)]
    Get(GetArgs),
    /// Lists keys, with what they hold.
    #[command(after_help = AFTER_HELP)]
    List(ListArgs),
    /// Writes all keys as lines of JSON, and a last line by which `import` knows that it is whole.
    #[command(after_help = AFTER_HELP)]
    Export(ExportArgs),
    /// Puts keys there, from lines of JSON as `export` writes them, which it checks first.
    #[command(after_help = AFTER_HELP)]
    Import(ImportArgs),
}

#[derive(Args, Debug)]
pub(crate) struct GetArgs {
    #[command(flatten)]
    asked: Asked,
    /// The key.
    #[arg(allow_hyphen_values = true)]
    key: OsString,
    /// The bytes as they are, without a line end, also on a terminal.
    #[arg(long)]
    raw: bool,
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

impl KvCommand {
    pub(crate) fn run(&self, output: Output) -> Result<(), Failure> {
        match self {
            Self::Get(args) => get(args, output),
            Self::List(args) => list(args, output),
            Self::Export(args) => export(args, output),
            Self::Import(args) => import::run(args, output),
        }
    }
}

fn get(args: &GetArgs, output: Output) -> Result<(), Failure> {
    let key = DataBytes(args.key.clone().into_vec());
    let mut held: Option<Held> = None;
    let query = DataQuery { keys: vec![key.clone()], ..DataQuery::default() };
    args.asked.each(query, output, |piece| {
        let DataPiece { key, kind, expires_unix_ms, values, .. } = piece;
        match &mut held {
            None => held = Some(Held { key, kind, expires_unix_ms, values }),
            Some(held) => held.values.extend(values),
        }
        Ok(())
    })?;
    let Some(held) = held else {
        let text = format!("there is no key \"{}\" at {}", shown(&key.0), args.asked.binding);
        return Err(Failure::new(Code::NotFound, text).cure(format!(
            "`trellis kv list {}` shows the keys that there are.",
            args.asked.binding
        )));
    };
    if args.raw || !output.is_document() && !output.is_terminal() {
        return output.raw(&held.bytes(if args.raw { b"" } else { b"\n" }));
    }
    output.show(&held)
}

fn list(args: &ListArgs, output: Output) -> Result<(), Failure> {
    let query = DataQuery { names_only: true, ..DataQuery::default() };
    let mut out = io::stdout().lock();
    args.asked.each(query, output, |piece| {
        if !piece.key.0.starts_with(args.prefix.as_bytes()) {
            return Ok(());
        }
        let line = if output.is_document() {
            serde_json::to_string(&piece).map_err(|error| no_json(&error))?
        } else {
            format!("{}  {}", shown(&piece.key.0), told(piece.kind, piece.count))
        };
        writeln!(out, "{line}").map_err(|error| Failure::stdout(&error))
    })
}

fn export(args: &ExportArgs, output: Output) -> Result<(), Failure> {
    let mut lines = Writing::to(io::stdout().lock());
    args.asked.each(DataQuery::default(), output, |piece| lines.write(&piece))?;
    lines.end()
}
