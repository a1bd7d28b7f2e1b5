//! `trellis inspect`: everything a module says about itself, and which checks it passes.

mod report;
mod time;

use std::error::Error;
use std::path::PathBuf;

use clap::Args;
use trellis_claims::SystemClock;
use trellis_engine::ModuleShape;

use crate::failure::Failure;
use crate::files;
use crate::output::Output;

pub(crate) use report::hex;
pub(crate) use time::window;

#[derive(Args, Debug)]
#[command(after_help = "\
Inspect shows and does not judge: its exit code is 0 for a tampered or expired module too; use
`trellis verify` for that. Claims whose signature or hash does not hold may be forged.")]
pub(crate) struct InspectArgs {
    /// The module.
    file: PathBuf,
}

pub(crate) fn run(args: &InspectArgs, output: Output) -> Result<(), Failure> {
    let module = files::read_module(&args.file)?;
    let shape = outline(&module).map_err(|failure| failure.about(args.file.display()))?;
    let seen = trellis_claims::inspect(&module);
    output.show(&report::Report::new(&args.file, shape, seen, &SystemClock))
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
