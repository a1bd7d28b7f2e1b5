//! From what a manifest names to a module or an archive on this machine: images are fetched.

use futures_util::future::join_all;
use trellis_artifacts::{Fetch, Image, ImageKind, Named, Reference, Wanted};
use trellis_core::CallError;
use trellis_manifest::Manifest;

use super::context::PrepareContext;
use super::located::{Located, Resolved};

/// What to do about an image that its registry does not have.
pub(super) const PUSH_IT: &str = "correct the name and the tag; or push the file to there: \
                                  `trellis push FILE REFERENCE`";

/// Finds these, each as it is written and with the most bytes it may have. Images are fetched, all
/// at once as far as their registries allow.
pub(super) async fn locate(
    kinds: &'static [ImageKind],
    named: impl Iterator<Item = (&str, u64)>,
    manifest: &Manifest,
    context: &PrepareContext<'_>,
) -> Vec<Result<Located, CallError>> {
    let mut locating = Vec::new();
    for named in named {
        locating.push(one((kinds, named), manifest, context));
    }
    join_all(locating).await
}

async fn one(
    (kinds, (text, bytes_max)): (&'static [ImageKind], (&str, u64)),
    manifest: &Manifest,
    context: &PrepareContext<'_>,
) -> Result<Located, CallError> {
    let (reference, resolved) = match Named::read(context.folder, text)? {
        Named::File(path) => (Reference::File(path), None),
        Named::Image(image) => {
            let images = &context.images;
            let plain_http = speaks_plain_http(manifest, &image);
            let how = Fetch { cache: images.cache.clone(), plain_http, kinds, bytes_max };
            // Boxed, so that a file costs nothing of it.
            let fetched = Box::pin(images.registries.fetch(&image, &how)).await;
            let fetched = fetched.map_err(|error| {
                CallError::new(error.code(), format!("{image}: {}", error.message()))
            })?;
            let resolved = Resolved { digest: fetched.digest, stale: fetched.stale };
            (fetched.reference, Some(resolved))
        }
    };
    Ok(Located { module: Wanted { reference, bytes_max }, resolved, held: None })
}

fn speaks_plain_http(manifest: &Manifest, image: &Image) -> bool {
    manifest.registries.iter().any(|it| it.insecure && it.name.value == image.registry())
}
