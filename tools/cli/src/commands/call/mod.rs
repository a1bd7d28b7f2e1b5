//! `trellis call`: one module alone, without a host, a manifest or a provider.
//!
//! The module runs in the host's own engine. Its host calls are answered from a list of replies, so
//! an actor can be tried and tested with nothing else installed.

mod advice;
mod args;
mod desk;
mod replies;
mod script;
mod session;
mod single;

use super::runtime;
use crate::failure::Failure;
use crate::output::Output;

pub(crate) use args::{CallArgs, timeout};

pub(crate) fn run(args: CallArgs, output: Output) -> Result<(), Failure> {
    match &args.script {
        Some(steps) => {
            let steps = script::read(steps)?;
            runtime::block_on(script::run(&args, steps, output))
        }
        None => {
            let call = single::Call::new(&args)?;
            runtime::block_on(call.run(&args, output))
        }
    }
}
