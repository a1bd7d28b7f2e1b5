//! `trellis keys export`.

use std::fmt;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use trellis_app::keystore::{Keystore, write_seed_file};
use zeroize::Zeroizing;

use super::{KeyInfo, Kind};
use crate::failure::Failure;
use crate::output::Output;

#[derive(Args, Debug)]
pub(crate) struct ExportArgs {
    /// The key: its name, its public key, or a prefix of either.
    key: String,

    /// Chooses among keys of one name.
    #[arg(long, value_enum, ignore_case = true)]
    kind: Option<Kind>,

    /// Writes the SEED to this new file (0600); `-` is stdout, which must not be a terminal.
    #[arg(long, value_name = "FILE")]
    seed: Option<PathBuf>,

    /// Replaces the file.
    #[arg(long, requires = "seed")]
    force: bool,
}

/// What was exported; in text form the public key alone, so that `$(...)` can take it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Exported {
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
    let to_stdout = args.seed.as_deref() == Some(Path::new("-"));
    if to_stdout && output.is_json() {
        return Err(Failure::usage("a seed is never printed as JSON")
            .cure("Leave out `-o json`, or export it to a file."));
    }
    if to_stdout && output.is_terminal() {
        return Err(Failure::usage("the seed would be shown on a terminal")
            .cure("Pipe it to where it is needed, or export it to a file."));
    }
    let key = Keystore::open_default()?.find(&args.key, args.kind.map(Into::into))?;
    let seed = key.pair.seed();
    if to_stdout {
        return output.raw(Zeroizing::new(format!("{}\n", seed.expose())).as_bytes());
    }
    if let Some(path) = &args.seed {
        write_seed_file(path, &seed, args.force)?;
        output.note(format_args!("wrote the seed of `{}` to {}", key.entry.name, path.display()));
    }
    let seed_file = args.seed.as_ref().map(|path| path.display().to_string());
    output.show(&Exported { key: KeyInfo::from(&key), seed_file })
}
