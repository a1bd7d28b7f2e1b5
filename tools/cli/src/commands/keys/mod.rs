//! `trellis keys`: the user's keystore.

mod export;
mod generate;
mod import;
mod list;
mod show;

use std::fmt;

use clap::{Subcommand, ValueEnum};
use serde::Serialize;
use trellis_app::keystore::{Entry, StoredKey};
use trellis_claims::{KeyKind, PublicKey};

use crate::failure::Failure;
use crate::output::Output;

#[derive(Subcommand, Debug)]
#[command(after_help = "\
Keys live one to a file, readable by you only, in $TRELLIS_KEYS, else $XDG_CONFIG_HOME/trellis/keys,
else ~/.config/trellis/keys. Wherever a key is asked for, its name will do, or its public key, or a
prefix of either that no other key has. Seeds are never shown unless `export --seed` asks for one.")]
pub(crate) enum KeysCommand {
    /// Makes a key and keeps it; one that exists already stays as it is.
    Gen(generate::GenArgs),
    /// Lists the keys you have.
    List,
    /// Shows one key: its kind, public key and file.
    Show(show::ShowArgs),
    /// Keeps a key whose seed is in a file or comes from stdin.
    Import(import::ImportArgs),
    /// Prints a public key, or writes a seed where you say.
    Export(export::ExportArgs),
}

/// The kind of a key, as it is typed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Kind {
    /// Signs actors and providers (A...).
    Account,
    /// Names an actor (M...).
    Module,
    /// Signs accounts and clusters (O...).
    Operator,
    /// Signs hosts (C...).
    Cluster,
    /// Names a host (N...).
    #[value(alias = "host")]
    Server,
    /// Names a provider (V...).
    #[value(alias = "provider")]
    Service,
    /// A user of NATS (U...).
    User,
}

/// One key, as the commands show it: never its seed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct KeyInfo {
    name: String,
    kind: &'static str,
    public_key: PublicKey,
    path: String,
}

impl KeysCommand {
    /// Does what was asked.
    ///
    /// # Errors
    /// Whatever kept the command from it.
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

impl KeyInfo {
    fn new(entry: &Entry, public_key: &PublicKey) -> Self {
        Self {
            name: entry.name.to_string(),
            kind: entry.kind.as_str(),
            public_key: public_key.clone(),
            path: entry.path.display().to_string(),
        }
    }
}

impl From<&StoredKey> for KeyInfo {
    fn from(key: &StoredKey) -> Self {
        Self::new(&key.entry, key.pair.public())
    }
}

impl fmt::Display for KeyInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "name        {}", self.name)?;
        writeln!(f, "kind        {}", self.kind)?;
        writeln!(f, "public key  {}", self.public_key)?;
        writeln!(f, "file        {}", self.path)
    }
}

impl From<Kind> for KeyKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Account => Self::Account,
            Kind::Module => Self::Module,
            Kind::Operator => Self::Operator,
            Kind::Cluster => Self::Cluster,
            Kind::Server => Self::Server,
            Kind::Service => Self::Service,
            Kind::User => Self::User,
        }
    }
}
