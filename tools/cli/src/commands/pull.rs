//! `trellis pull`: gets a module, or the archive of a provider, from a registry.

use std::fmt;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use trellis_artifacts::{ImageKind, written_digest};

use super::runtime;
use crate::failure::Failure;
use crate::files::{self, MODULE_BYTES_MAX};
use crate::output::Output;
use crate::registry::{self, RegistryArgs};

#[derive(Args, Debug)]
#[command(after_help = "\
Pull fetches and does not judge: `trellis verify` does, and `trellis par verify` of an archive. A
tag whose registry is down stands for what it was resolved to the last time, with a warning.

Exit codes: 0 it is there, 3 no such image, 4 the registry refuses or sends another digest,
5 it does not answer, 6 not a reference, or an image of something else.")]
pub(crate) struct PullArgs {
    /// The image: REGISTRY/NAME:TAG or REGISTRY/NAME@sha256:DIGEST.
    reference: String,

    /// Where it goes; `-` is stdout. Without it, NAME.wasm in this folder, or NAME.par.
    #[arg(short, long, value_name = "FILE")]
    destination: Option<PathBuf>,

    /// Replaces a file that holds something else.
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    registry: RegistryArgs,
}

/// What was pulled.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    file: String,
    reference: String,
    digest: String,
    /// `pulled` or `unchanged`.
    result: &'static str,
    /// True when the registry could not be asked what the tag stands for now.
    stale: bool,
}

pub(crate) fn run(args: &PullArgs, output: Output) -> Result<(), Failure> {
    let image = registry::image(&args.reference)?;
    args.destination.as_deref().map_or(Ok(()), files::check_folder)?;
    let wanted = (&image, ImageKind::ALL);
    let fetched = runtime::block_on(registry::fetch(wanted, args.registry, None, output))?;
    let extension = match fetched.kind {
        ImageKind::Module => "wasm",
        ImageKind::Archive => "par",
    };
    let named = PathBuf::from(format!("{}.{extension}", image.short_name()));
    let path = args.destination.as_ref().unwrap_or(&named);
    let content = fetched.read(MODULE_BYTES_MAX)?;
    if files::is_stdout(path) {
        return output.raw(&content);
    }
    let unchanged = is_there(path, &content, args.force)?;
    if !unchanged {
        files::write_whole(path, &content)?;
    }
    output.show(&Shown {
        file: path.display().to_string(),
        reference: image.to_string(),
        digest: written_digest(&fetched.digest),
        result: if unchanged { "unchanged" } else { "pulled" },
        stale: fetched.stale.is_some(),
    })
}

/// True when the file holds that already.
///
/// # Errors
/// When it holds something else, and is not to be replaced.
fn is_there(path: &Path, content: &[u8], force: bool) -> Result<bool, Failure> {
    if !path.is_file() {
        return Ok(false);
    }
    let is_same = files::read_input(path).is_ok_and(|there| there == content);
    if is_same || force {
        return Ok(is_same);
    }
    let message = format!("{} exists and holds something else", path.display());
    Err(Failure::usage(message).cure("Give --force to replace it, or another --destination."))
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} {} into {}", self.result, self.reference, self.file)?;
        writeln!(f, "  digest  {}", self.digest)
    }
}
