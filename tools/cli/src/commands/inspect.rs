//! `trellis inspect`: everything a module says about itself, and which checks it passes.

mod report;
mod time;

use std::path::PathBuf;

use clap::Args;
use trellis_claims::SystemClock;

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
    let shape = trellis_engine::inspect(&module)
        .map_err(|error| Failure::from(error).about(args.file.display()))?;
    let seen = trellis_claims::inspect(&module);
    output.show(&report::Report::new(&args.file, shape, seen, &SystemClock))
}
