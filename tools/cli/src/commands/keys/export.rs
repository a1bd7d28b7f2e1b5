//! `trellis keys export`.

use std::fmt;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use trellis_keystore::{Keystore, Stored, StoredKey, write_seed_file};
use zeroize::Zeroizing;

use super::info::KeyInfo;
use super::kind::Kind;
use crate::failure::Failure;
use crate::files;
use crate::output::Output;

#[derive(Args, Debug)]
pub(crate) struct ExportArgs {
    /// The key: its name, its public key, or a prefix of either.
    key: String,

    /// Chooses among keys of one name.
    #[arg(long, value_enum, ignore_case = true)]
    kind: Option<Kind>,

    /// Writes the SEED to this file (0600); `-` is stdout, which must not be a terminal.
    #[arg(long, value_name = "FILE")]
    seed: Option<PathBuf>,

    /// Replaces a file that holds something else.
    #[arg(long, requires = "seed")]
    force: bool,
}

/// What was exported; in text form the public key alone, so that `$(...)` can take it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Exported {
    /// What writing the seed came to: `created`, `unchanged` or `replaced`.
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<&'static str>,
    #[serde(flatten)]
    key: KeyInfo,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed_file: Option<String>,
}

impl fmt::Display for Exported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.key.public_key)
    }
}

pub(crate) fn run(args: &ExportArgs, output: Output) -> Result<(), Failure> {
    let to_stdout = args.seed.as_deref().is_some_and(files::is_stdout);
    if to_stdout && output.is_document() {
        return Err(Failure::usage("a seed is never printed as JSON")
            .cure("Leave out `-o json`, or export it to a file."));
    }
    if to_stdout && output.is_terminal() {
        return Err(Failure::usage("the seed would be shown on a terminal")
            .cure("Pipe it to where it is needed, or export it to a file."));
    }
    let key = Keystore::open_default()?.find(&args.key, args.kind.map(Into::into))?;
    if to_stdout {
        let seed = key.pair.seed();
        return output.raw(Zeroizing::new(format!("{}\n", seed.expose())).as_bytes());
    }
    let written = args.seed.as_deref().map(|path| write_seed(&key, path, args.force, output));
    let seed_file = args.seed.as_ref().map(|path| path.display().to_string());
    output.show(&Exported { result: written.transpose()?, key: KeyInfo::from(&key), seed_file })
}

/// Writes the seed and gives the word for what that came to.
fn write_seed(
    key: &StoredKey,
    path: &Path,
    replace: bool,
    output: Output,
) -> Result<&'static str, Failure> {
    files::check_folder(path)?;
    let stored = write_seed_file(path, &key.pair, replace)?;
    let (name, path) = (&key.entry.name, path.display());
    match stored {
        Stored::Unchanged => {
            output.note(format_args!("unchanged: {path} holds the seed of `{name}` already"));
        }
        Stored::Created | Stored::Replaced => {
            output.note(format_args!("wrote the seed of `{name}` to {path}"));
        }
    }
    Ok(stored.as_str())
}
