//! `trellis inspect`: everything a module says about itself, and which checks it passes; and what
//! a provider's program serves.

mod program;
mod report;
mod time;

use std::error::Error;
use std::path::{Path, PathBuf};

use clap::Args;
use trellis_claims::SystemClock;
use trellis_engine::ModuleShape;

use crate::failure::Failure;
use crate::module;
use crate::output::Output;
use crate::registry::RegistryArgs;

pub(crate) use report::hex;
pub(crate) use time::{relative, window};

#[derive(Args, Debug)]
#[command(after_help = "\
Inspect shows and does not judge: its exit code is 0 for a tampered or expired module too; use
`trellis verify` for that. Claims whose signature or hash does not hold may be forged.")]
pub(crate) struct InspectArgs {
    /// The module: a file, or an image in a registry.
    #[arg(required_unless_present = "process")]
    file: Option<PathBuf>,
    /// A provider's program instead, with its arguments: it is started for a moment, as a host
    /// does, and says what it serves. What follows is its own: other options stand before it.
    #[arg(long, value_name = "PROGRAM", num_args = 1.., allow_hyphen_values = true)]
    #[arg(conflicts_with = "file")]
    process: Option<Vec<String>>,
    #[command(flatten)]
    registry: RegistryArgs,
}

pub(crate) fn run(args: &InspectArgs, output: Output) -> Result<(), Failure> {
    match (&args.file, args.process.as_deref()) {
        (_, Some([program, args @ ..])) => program::run(program, args, output),
        (Some(file), _) => module(file, args.registry, output),
        // clap wants one of the two.
        (None, _) => Err(Failure::usage("there is nothing to inspect")),
    }
}

fn module(file: &Path, registry: RegistryArgs, output: Output) -> Result<(), Failure> {
    let module = module::read_now(file, registry, output)?;
    let shape = outline(&module).map_err(|failure| failure.about(file.display()))?;
    let seen = trellis_claims::inspect(&module);
    output.show(&report::Report::new(file, shape, seen, &SystemClock))
}

/// The outline of a module, as the engine sees it.
///
/// # Errors
/// `E_MODULE_INVALID` and others of the engine. A file that is no module at all is told what it
/// is, in the words of `verify`, and not at which byte a parser gave up.
pub(crate) fn outline(module: &[u8]) -> Result<ModuleShape, Failure> {
    trellis_engine::inspect(module).map_err(|error| {
        match trellis_claims::section::locate(module).map(drop) {
            Err(first) if first.source().is_none() && first.code() == error.code() => first.into(),
            _ => error.into(),
        }
    })
}
