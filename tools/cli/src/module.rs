//! A module that a command line names: a file, or an image in a registry.

use std::path::{Path, PathBuf};

use trellis_artifacts::{ImageKind, Named, is_like_an_image};
use trellis_core::Code;

use crate::commands::runtime;
use crate::failure::Failure;
use crate::files::{self, MODULE_BYTES_MAX};
use crate::output::Output;
use crate::registry::{self, RegistryArgs};

/// Reads it, for a command that does nothing else meanwhile.
///
/// # Errors
/// As [`read`].
pub(crate) fn read_now(
    named: &Path,
    args: RegistryArgs,
    output: Output,
) -> Result<Vec<u8>, Failure> {
    match named.to_str().filter(|text| is_like_an_image(text)) {
        Some(_) => runtime::block_on(read(named, args, None, output)),
        None => files::read_module(named),
    }
}

/// Reads it; an image is kept in the folder `cache`, or else where the host has its own.
///
/// # Errors
/// As [`files::read_module`] of a file, and as [`registry::fetch`] of an image.
pub(crate) async fn read(
    named: &Path,
    args: RegistryArgs,
    cache: Option<PathBuf>,
    output: Output,
) -> Result<Vec<u8>, Failure> {
    // What is no text is no reference.
    let text = named.to_str().unwrap_or(".wasm");
    match Named::read(Path::new(""), text)? {
        Named::File(_) => files::read_module(named),
        Named::Image(image) => {
            let wanted: (_, &'static [_]) = (&image, &[ImageKind::Module]);
            let fetched = registry::fetch(wanted, args, cache, output).await?;
            let read = tokio::task::spawn_blocking(move || fetched.read(MODULE_BYTES_MAX));
            let bytes = read.await.map_err(|error| {
                Failure::new(Code::Internal, "reading the cache panicked").cause(&error)
            })?;
            Ok(bytes?.into())
        }
    }
}
