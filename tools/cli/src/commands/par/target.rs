//! The platform that a program was built for.

use std::env::consts::{ARCH, OS};

use clap::Args;
use trellis_archive::Target;
use trellis_core::nearest;

use crate::failure::Failure;

/// The architectures as Rust names them. Source: `std::env::consts::ARCH`.
const ARCHITECTURES: &[&str] = &[
    "aarch64",
    "arm",
    "csky",
    "hexagon",
    "loongarch32",
    "loongarch64",
    "m68k",
    "mips",
    "mips32r6",
    "mips64",
    "mips64r6",
    "powerpc",
    "powerpc64",
    "riscv32",
    "riscv64",
    "s390x",
    "sparc",
    "sparc64",
    "x86",
    "x86_64",
];
/// The systems. Source: `std::env::consts::OS`.
const SYSTEMS: &[&str] = &[
    "aix",
    "android",
    "dragonfly",
    "freebsd",
    "haiku",
    "illumos",
    "ios",
    "linux",
    "macos",
    "netbsd",
    "openbsd",
    "solaris",
    "windows",
];
/// What others call them.
const OTHER_NAMES: &[(&str, &str)] = &[
    ("amd64", "x86_64"),
    ("x64", "x86_64"),
    ("arm64", "aarch64"),
    ("i386", "x86"),
    ("i686", "x86"),
    ("armv7", "arm"),
    ("darwin", "macos"),
    ("osx", "macos"),
];

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
    /// Wrong usage for what is the name of none: no host would ever look for it.
    pub(super) fn target(&self) -> Result<Target, Failure> {
        let target = Target::new(&self.arch, &self.os).map_err(|error| {
            Failure::usage(error.message()).cure("Give --arch and --os as Rust names them.")
        })?;
        known("architecture", &self.arch, ARCHITECTURES)?;
        known("system", &self.os, SYSTEMS)?;
        Ok(target)
    }
}

fn known(what: &str, word: &str, all: &[&str]) -> Result<(), Failure> {
    // The machine it runs on is known to itself.
    if all.contains(&word) || [ARCH, OS].contains(&word) {
        return Ok(());
    }
    let meant = OTHER_NAMES.iter().find(|(other, _)| *other == word).map(|(_, name)| *name);
    let meant = meant.or_else(|| nearest(word, all.iter().copied()));
    let cure = match meant {
        Some(meant) => format!("Did you mean `{meant}`?"),
        None => format!("Those known are: {}.", all.join(", ")),
    };
    Err(Failure::usage(format!("no {what} is called `{word}`")).cure(cure))
}
