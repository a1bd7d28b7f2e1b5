//! `trellis up`: runs the host.

use trellis_app::{HostArgs, logging};

use crate::failure::Failure;
use crate::output::Output;

pub(crate) fn run(args: HostArgs, output: Output) -> Result<(), Failure> {
    logging::start(&args.log, args.log_format).map_err(Failure::usage)?;
    trellis_app::run_blocking(args).map_err(|failure| Failure::host(&failure, output.style()))
}
