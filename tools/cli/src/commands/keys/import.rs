//! `trellis keys import`.

use std::fmt;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use trellis_keystore::{Access, KeyName, Keystore, read_seed_file};

use super::info::KeyInfo;
use crate::failure::Failure;
use crate::key_choice::read_seed_from_stdin;
use crate::output::Output;

#[derive(Args, Debug)]
pub(crate) struct ImportArgs {
    /// What to call the key; its kind is in the seed.
    name: String,

    /// The file that holds the seed, such as one of wash's .nk files; `-` is stdin.
    #[arg(long, value_name = "FILE", default_value = "-")]
    from: PathBuf,

    /// Replaces another key of that name and kind.
    #[arg(long)]
    force: bool,
}

#[derive(Serialize)]
struct Imported {
    result: &'static str,
    #[serde(flatten)]
    key: KeyInfo,
}

impl fmt::Display for Imported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.key.fmt(f)
    }
}

pub(crate) fn run(args: &ImportArgs, output: Output) -> Result<(), Failure> {
    let name: KeyName = args.name.parse()?;
    let pair = if args.from == Path::new("-") {
        read_seed_from_stdin()?
    } else {
        read_seed_file(&args.from, Access::Any)?
    };
    let (entry, stored) = Keystore::open_default()?.store(&name, &pair, args.force)?;
    let result = stored.as_str();
    output.note(format_args!("{result}: {}", entry.path.display()));
    output.show(&Imported { result, key: KeyInfo::new(&entry, pair.public()) })
}
