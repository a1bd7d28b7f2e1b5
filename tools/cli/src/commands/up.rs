//! `trellis up`: runs the host.

use std::process::ExitCode;

use trellis_app::{Form, HostArgs};

use crate::output::Output;

/// Runs it to its exit code: what it prints, errors included, is the host's own.
pub(crate) fn run(args: HostArgs, output: Output) -> ExitCode {
    let form = if output.is_document() { Form::Json } else { Form::Text };
    trellis_app::run_to_exit(args, trellis_app::Output::new(form, output.style()))
}
