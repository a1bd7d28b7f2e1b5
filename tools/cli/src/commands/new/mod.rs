//! `trellis new`: a folder to begin with.

mod name;
mod provider;

use clap::Subcommand;

use crate::failure::Failure;
use crate::output::Output;

#[derive(Subcommand, Debug)]
pub(crate) enum NewCommand {
    /// Makes a provider: a program that serves a contract of its own, with a test and a manifest.
    Provider(provider::ProviderArgs),
}

impl NewCommand {
    pub(crate) fn run(&self, output: Output) -> Result<(), Failure> {
        match self {
            Self::Provider(args) => provider::run(args, output),
        }
    }
}
