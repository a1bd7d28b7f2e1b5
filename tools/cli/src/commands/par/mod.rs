//! `trellis par`: archives of providers that are programs.

mod create;
mod insert;
mod inspect;
mod sealed;
mod target;
mod verify;
mod words;

use clap::Subcommand;

use crate::failure::Failure;
use crate::output::Output;

#[derive(Subcommand, Debug)]
pub(crate) enum ParCommand {
    /// Makes a signed archive of a program.
    Create(create::CreateArgs),
    /// Adds the program of another platform to an archive, and signs it again.
    Insert(insert::InsertArgs),
    /// Shows an archive's claims, checks and programs.
    Inspect(inspect::InspectArgs),
    /// Checks an archive as a host does before running its program.
    Verify(verify::VerifyArgs),
}

impl ParCommand {
    pub(crate) fn run(&self, output: Output) -> Result<(), Failure> {
        match self {
            Self::Create(args) => create::run(args, output),
            Self::Insert(args) => insert::run(args, output),
            Self::Inspect(args) => inspect::run(args, output),
            Self::Verify(args) => verify::run(args, output),
        }
    }
}
