//! What commands share that speak to registries.

use std::path::PathBuf;

use clap::Args;
use trellis_artifacts::{Credentials, Fetch, Fetched, Image, ImageKind, Registries};
use trellis_core::{CallError, Code};

use crate::failure::Failure;
use crate::files::MODULE_BYTES_MAX;
use crate::output::Output;

/// How registries are spoken to.
#[derive(Args, Clone, Copy, Debug)]
#[command(next_help_heading = "Registry")]
pub(crate) struct RegistryArgs {
    /// Speaks plain HTTP with the registry: others in the network can read and change all of it.
    #[arg(long)]
    pub(crate) plain_http: bool,
}

/// The way to registries, with the user's credentials.
pub(crate) fn registries() -> Registries {
    Registries::new(Credentials::of_user())
}

/// The image that a text names.
///
/// # Errors
/// `E_IMAGE`, for a wrong command line.
pub(crate) fn image(text: &str) -> Result<Image, Failure> {
    Ok(Image::parse(text)?)
}

/// Fetches an image of one of these kinds into the cache: this folder, or else where the host has
/// it.
///
/// # Errors
/// Those of the registry, and of what it holds.
pub(crate) async fn fetch(
    (image, kinds): (&Image, &'static [ImageKind]),
    args: RegistryArgs,
    cache: Option<PathBuf>,
    output: Output,
) -> Result<Fetched, Failure> {
    let of_host = || {
        let set = std::env::var_os("TRELLIS_CACHE_DIR").filter(|folder| !folder.is_empty());
        set.map(PathBuf::from).or_else(trellis_app::cache::default_dir)
    };
    let how = Fetch {
        cache: cache.or_else(of_host),
        plain_http: args.plain_http,
        kinds,
        bytes_max: MODULE_BYTES_MAX,
    };
    let fetched = registries().fetch(image, &how).await.map_err(|error| failed(image, error))?;
    if let Some(stale) = &fetched.stale {
        output.note(format_args!(
            "warning: {image} is what it was resolved to the last time: {}",
            stale.message()
        ));
    }
    Ok(fetched)
}

/// What a registry said of an image.
pub(crate) fn failed(image: &Image, error: CallError) -> Failure {
    let cure = match error.code() {
        Code::NotFound => {
            "Correct the name and the tag; or push the file to there: `trellis push FILE REFERENCE`."
        }
        code => code.cure(),
    };
    Failure::from(error).about(image).cure(cure)
}
