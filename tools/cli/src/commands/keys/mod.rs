//! `trellis keys`: the user's keystore.

mod export;
mod generate;
mod import;
mod info;
mod kind;
mod list;
mod show;

use clap::Subcommand;

use crate::failure::Failure;
use crate::output::Output;

#[derive(Subcommand, Debug)]
#[command(after_help = "\
Keys live one to a file, readable by you only, in $TRELLIS_KEYS, else $XDG_CONFIG_HOME/trellis/keys,
else ~/.config/trellis/keys. Wherever a command takes a key, give its name, its public key, or a
prefix of either that no other key has. Seeds are never shown unless `export --seed` asks for one.")]
pub(crate) enum KeysCommand {
    /// Makes a key and stores it; an existing key is left alone.
    Gen(generate::GenArgs),
    /// Lists the keys you have.
    List,
    /// Shows one key: its kind, public key and file.
    Show(show::ShowArgs),
    /// Stores a key whose seed is in a file or comes from stdin.
    Import(import::ImportArgs),
    /// Prints a public key, or writes a seed where you say.
    Export(export::ExportArgs),
}

impl KeysCommand {
    /// Does what was asked.
    ///
    /// # Errors
    /// Why it could not be done.
    pub(crate) fn run(self, output: Output) -> Result<(), Failure> {
        match self {
            Self::Gen(args) => generate::run(&args, output),
            Self::List => list::run(output),
            Self::Show(args) => show::run(&args, output),
            Self::Import(args) => import::run(&args, output),
            Self::Export(args) => export::run(&args, output),
        }
    }
}
