//! The platform that a program was built for.

use std::env::consts::{ARCH, OS};

use clap::Args;
use trellis_archive::Target;

use crate::failure::Failure;

/// A platform; this machine's without a word.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Platform")]
pub(super) struct TargetArgs {
    /// The architecture, such as `x86_64` or `aarch64`; this machine's without it.
    #[arg(long, value_name = "ARCH", default_value = ARCH, hide_default_value = true)]
    arch: String,

    /// The system, such as `linux` or `macos`; this machine's without it.
    #[arg(long, value_name = "OS", default_value = OS, hide_default_value = true)]
    os: String,
}

impl TargetArgs {
    /// The platform that is meant.
    ///
    /// # Errors
    /// Wrong usage for what is the name of none.
    pub(super) fn target(&self) -> Result<Target, Failure> {
        Target::new(&self.arch, &self.os).map_err(|error| {
            Failure::usage(error.message()).cure("Give --arch and --os as Rust names them.")
        })
    }
}
