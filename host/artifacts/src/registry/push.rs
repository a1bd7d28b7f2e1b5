//! Putting an image into a registry.

use bytes::Bytes;
use reqwest::header::{ACCEPT, CONTENT_TYPE, LOCATION};
use reqwest::{Method, Response, StatusCode};
use trellis_core::Code;

use super::http::Trouble;
use super::manifest::{MANIFEST, written};
use super::session::Session;
use crate::digest::{Digest, digest_of, written_digest};
use crate::image::Image;
use crate::image_kind::ImageKind;

/// What is pushed.
#[derive(Clone, Debug)]
pub struct Package {
    /// What it is.
    pub kind: ImageKind,
    /// The module, or the archive.
    pub content: Bytes,
    /// When it was made, as RFC 3339 has it: a part of the image's digest.
    pub created: String,
}

/// What was pushed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pushed {
    /// The digest of the image's manifest.
    pub digest: Digest,
    /// True when the registry had it like this.
    pub unchanged: bool,
}

/// Puts an image into a registry: first its parts, unless they are there, then its manifest, so
/// that nobody ever finds half of it.
///
/// # Errors
/// [`Code::Registry`] and [`Code::Credentials`]; [`Code::Digest`] when the reference has another
/// digest than the image.
pub(crate) async fn push(
    session: &mut Session<'_>,
    image: &Image,
    package: Package,
) -> Result<Pushed, Trouble> {
    let parts = written(package.kind, &package.content, &package.created);
    let digest = digest_of(&parts.manifest);
    if let Some(wanted) = image.digest().filter(|wanted| **wanted != digest) {
        let message = format!(
            "the image of this file has the digest {}, not {}",
            written_digest(&digest),
            written_digest(wanted)
        );
        return Err(Trouble::lasting(Code::Digest, message));
    }
    let version = image.tag().map_or_else(|| written_digest(&digest), str::to_owned);
    let path = format!("v2/{}/manifests/{version}", image.name());
    if there(session, &path, &parts.manifest).await? {
        return Ok(Pushed { digest, unchanged: true });
    }
    for part in [package.content, parts.config.into()] {
        push_blob(session, image, part).await?;
    }
    let request = session.request(Method::PUT, &path).await?;
    let request = request.header(CONTENT_TYPE, MANIFEST).body(parts.manifest);
    let what = "the manifest of the image";
    let response = session.send(request, what).await?;
    expect(session, what, &response, StatusCode::CREATED)?;
    Ok(Pushed { digest, unchanged: false })
}

/// True when the registry has exactly this manifest there.
async fn there(session: &mut Session<'_>, path: &str, manifest: &[u8]) -> Result<bool, Trouble> {
    let request = session.request(Method::GET, path).await?.header(ACCEPT, MANIFEST);
    let response = session.send(request, "a manifest").await?;
    match response.status() {
        StatusCode::OK => Ok(session.http.whole(session.registry, response).await? == manifest),
        StatusCode::NOT_FOUND => Ok(false),
        status => Err(Trouble::of_status(session.registry, "a manifest", status)),
    }
}

async fn push_blob(session: &mut Session<'_>, image: &Image, blob: Bytes) -> Result<(), Trouble> {
    let digest = written_digest(&digest_of(&blob));
    let (what, blobs) = ("a part of the image", format!("v2/{}/blobs", image.name()));
    let request = session.request(Method::HEAD, &format!("{blobs}/{digest}")).await?;
    if session.send(request, what).await?.status() == StatusCode::OK {
        return Ok(());
    }
    let request = session.request(Method::POST, &format!("{blobs}/uploads/")).await?;
    let response = session.send(request, what).await?;
    expect(session, what, &response, StatusCode::ACCEPTED)?;
    let place = response.headers().get(LOCATION).and_then(|it| it.to_str().ok());
    let place = place.ok_or_else(|| {
        let message = format!("{} does not say where to put {what}", session.registry);
        Trouble::lasting(Code::Registry, message)
    })?;
    let mut place = session.url(place)?;
    place.query_pairs_mut().append_pair("digest", &digest);
    let request = session.request(Method::PUT, place.as_str()).await?;
    let request = request.header(CONTENT_TYPE, "application/octet-stream").body(blob);
    let response = session.send(request, what).await?;
    expect(session, what, &response, StatusCode::CREATED)
}

fn expect(
    session: &Session<'_>,
    what: &str,
    response: &Response,
    wanted: StatusCode,
) -> Result<(), Trouble> {
    if response.status() == wanted {
        return Ok(());
    }
    Err(Trouble::of_status(session.registry, what, response.status()))
}
