//! Fetching a manifest and what it is of.

use reqwest::Method;
use reqwest::header::ACCEPT;
use sha2::{Digest as _, Sha256};
use tokio::fs::File;
use tokio::io::{AsyncSeekExt as _, AsyncWriteExt as _};
use trellis_core::Code;

use super::http::{Tries, Trouble};
use super::manifest::{Held, MANIFEST};
use super::session::Session;
use crate::digest::{Digest, digest_of, parse_digest, written_digest};
use crate::image::Image;

/// Where a registry says what the digest of a manifest is.
const DIGEST_HEADER: &str = "docker-content-digest";

/// The manifest of an image, and its digest, which was checked.
///
/// # Errors
/// [`Code::NotFound`], [`Code::Registry`] and [`Code::Credentials`]; [`Code::Digest`] when it is
/// another one than was asked for, or than the registry says it is.
pub(crate) async fn pull_manifest(
    session: &mut Session<'_>,
    image: &Image,
) -> Result<(Vec<u8>, Digest), Trouble> {
    let mut tries = Tries::new();
    let (content, said) = loop {
        match manifest_once(session, image).await {
            Ok(answer) => break answer,
            Err(trouble) => tries.after(trouble).await?,
        }
    };
    let digest = digest_of(&content);
    for wanted in image.digest().copied().into_iter().chain(said) {
        if wanted != digest {
            return Err(other("a manifest", &wanted, &digest));
        }
    }
    Ok((content, digest))
}

/// The manifest, and the digest that the registry says it has.
async fn manifest_once(
    session: &mut Session<'_>,
    image: &Image,
) -> Result<(Vec<u8>, Option<Digest>), Trouble> {
    let (name, version) = (image.name(), image.version());
    let what = format!("image {name}{}{version}", if image.digest().is_some() { '@' } else { ':' });
    let request = session.request(Method::GET, &format!("v2/{name}/manifests/{version}")).await?;
    let response = session.send(request.header(ACCEPT, MANIFEST), &what).await?;
    if !response.status().is_success() {
        return Err(Trouble::of_status(session.registry, &what, response.status()));
    }
    let said = response.headers().get(DIGEST_HEADER).and_then(|it| it.to_str().ok());
    let said = said.and_then(parse_digest);
    Ok((session.http.whole(session.registry, response).await?, said))
}

/// Fetches the content of an image into a file, which is on the disk then and holds exactly that.
///
/// # Errors
/// As [`pull_manifest`], and [`Code::Storage`] when it cannot be written.
pub(crate) async fn pull_content(
    session: &mut Session<'_>,
    (image, held): (&Image, &Held),
    file: std::fs::File,
) -> Result<(), Trouble> {
    let mut file = File::from_std(file);
    let mut tries = Tries::new();
    while let Err(trouble) = content_once(session, (image, held), &mut file).await {
        tries.after(trouble).await?;
    }
    file.sync_all().await.map_err(|error| Trouble::of_disk(&error))
}

async fn content_once(
    session: &mut Session<'_>,
    (image, held): (&Image, &Held),
    file: &mut File,
) -> Result<(), Trouble> {
    let (name, wanted) = (image.name(), written_digest(&held.digest));
    let what = format!("content {wanted} of {name}");
    let request = session.request(Method::GET, &format!("v2/{name}/blobs/{wanted}")).await?;
    let mut response = session.send(request, &what).await?;
    if !response.status().is_success() {
        return Err(Trouble::of_status(session.registry, &what, response.status()));
    }
    // An earlier try may have written a part of it.
    file.rewind().await.map_err(|error| Trouble::of_disk(&error))?;
    let (mut hash, mut left) = (Sha256::new(), held.bytes);
    let other_size = |compared: &str| {
        let message = format!("the content has {compared} {} bytes of its manifest", held.bytes);
        Trouble::lasting(Code::Digest, message)
    };
    while let Some(piece) = session.http.piece(session.registry, &mut response).await? {
        left = left.checked_sub(piece.len() as u64).ok_or_else(|| other_size("more than the"))?;
        hash.update(&piece);
        file.write_all(&piece).await.map_err(|error| Trouble::of_disk(&error))?;
    }
    let digest: Digest = hash.finalize().into();
    match left {
        0 if digest == held.digest => Ok(()),
        0 => Err(other("content", &held.digest, &digest)),
        _ => Err(other_size("less than the")),
    }
}

fn other(what: &str, wanted: &Digest, sent: &Digest) -> Trouble {
    let message = format!(
        "the registry sent {what} with the digest {}, not {}",
        written_digest(sent),
        written_digest(wanted)
    );
    Trouble::lasting(Code::Digest, message)
}
