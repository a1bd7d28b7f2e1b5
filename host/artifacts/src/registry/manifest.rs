//! Manifests of images: which are taken, and how ours are written.
//!
//! The layout is that of the CNCF for WebAssembly: one layer, which is the content, and a config
//! that describes it. What the config says is not read: whatever has to be known of the content is
//! found in its own bytes. So it does not matter which version of it somebody wrote, or whether it
//! is one of another tool.

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use trellis_core::{CallError, Code};

use crate::digest::{Digest, digest_of, parse_digest, written_digest};
use crate::image_kind::ImageKind;

/// The media type of a manifest.
pub(super) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// Most kinds of layers that a message names.
const KINDS_NAMED_MAX: usize = 3;

/// A manifest, as far as it matters.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    schema_version: u32,
    media_type: Option<String>,
    layers: Option<Vec<Layer>>,
    /// Of an index, which stands for several manifests.
    manifests: Option<Vec<IgnoredAny>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Layer {
    media_type: String,
    digest: String,
    size: u64,
}

/// The content of an image.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Held {
    pub(crate) kind: ImageKind,
    pub(crate) digest: Digest,
    /// Its size, in bytes.
    pub(crate) bytes: u64,
}

/// The one thing in the image whose manifest this is, which is of one of these kinds.
///
/// # Errors
/// [`Code::Image`] when it is no image of one such thing; [`Code::ModuleLimit`] or
/// [`Code::Archive`] when that has more than `bytes_max` bytes.
pub(crate) fn held_by(
    manifest: &[u8],
    (wanted, bytes_max): (&[ImageKind], u64),
) -> Result<Held, CallError> {
    let refused = |found: &str| not_one_of(wanted, found);
    let manifest: Manifest = serde_json::from_slice(manifest)
        .map_err(|error| refused(&format!("what is no manifest: {error}")))?;
    if let Some(manifests) = &manifest.manifests {
        return Err(refused(&format!("an index of {} manifests", manifests.len())));
    }
    let media_type = manifest.media_type.as_deref().unwrap_or(MANIFEST);
    if manifest.schema_version != 2 || media_type != MANIFEST {
        let found = format!("a manifest of type `{}`", media_type.escape_debug());
        return Err(refused(&found));
    }
    let layers = manifest.layers.unwrap_or_default();
    let [layer] = &*layers else { return Err(refused(&kinds(&layers))) };
    let is_of = |kind: &&ImageKind| kind.layers().contains(&&*layer.media_type);
    let kind = *ImageKind::ALL.iter().find(is_of).ok_or_else(|| refused(&kinds(&layers)))?;
    if !wanted.contains(&kind) {
        return Err(refused(&format!("{}, which is {}", kinds(&layers), kind.word())));
    }
    let digest = parse_digest(&layer.digest).ok_or_else(|| refused(&kinds(&layers)))?;
    if layer.size > bytes_max {
        let (code, name) = kind.limit();
        let bytes = layer.size;
        let message = format!("it holds {bytes} bytes, more than {name} ({bytes_max} bytes)");
        return Err(CallError::new(code, message));
    }
    Ok(Held { kind, digest, bytes: layer.size })
}

/// That an image holds something else than one thing of these kinds.
fn not_one_of(wanted: &[ImageKind], found: &str) -> CallError {
    let words: Vec<_> = wanted.iter().map(|kind| kind.word()).collect();
    let types: Vec<_> = wanted.iter().map(|kind| kind.layers()[0]).collect();
    let (what, of_type) = (words.join(" or "), types.join(" or "));
    let message =
        format!("it is no image of {what}: expected one layer of type {of_type}, found {found}");
    CallError::new(Code::Image, message)
}

/// What layers there are, for a message.
fn kinds(layers: &[Layer]) -> String {
    let shown = |layer: &Layer| {
        let digest = parse_digest(&layer.digest).map_or(" with a digest that is no sha256", |_| "");
        format!("`{}`{digest}", layer.media_type.escape_debug())
    };
    let named: Vec<_> = layers.iter().take(KINDS_NAMED_MAX).map(shown).collect();
    let more = if layers.len() > KINDS_NAMED_MAX { ", …" } else { "" };
    match layers.len() {
        0 => "none".to_owned(),
        count => format!("{count}: {}{more}", named.join(", ")),
    }
}

/// What is pushed of an image besides its content.
pub(super) struct Written {
    pub(super) config: Vec<u8>,
    pub(super) manifest: Vec<u8>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WrittenConfig<'a> {
    created: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    architecture: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    os: Option<&'static str>,
    layer_digests: [&'a str; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WrittenManifest<'a> {
    schema_version: u32,
    media_type: &'static str,
    config: WrittenLayer<'a>,
    layers: [WrittenLayer<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WrittenLayer<'a> {
    media_type: &'static str,
    digest: &'a str,
    size: usize,
}

/// The manifest and the config of an image of this content: the same bytes for the same content
/// and time.
pub(super) fn written(kind: ImageKind, content: &[u8], created: &str) -> Written {
    let content_digest = written_digest(&digest_of(content));
    let (architecture, os) = kind.platform();
    let layer_digests = [&*content_digest];
    let config = json(&WrittenConfig { created, architecture, os, layer_digests });
    let config_digest = written_digest(&digest_of(&config));
    let of = |media_type, digest, size| WrittenLayer { media_type, digest, size };
    let manifest = json(&WrittenManifest {
        schema_version: 2,
        media_type: MANIFEST,
        config: of(kind.config(), &config_digest, config.len()),
        layers: [of(kind.layers()[0], &content_digest, content.len())],
    });
    Written { config, manifest }
}

fn json(content: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(content).expect("structs of texts and numbers are JSON")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const MODULE: &str = "application/wasm";

    fn read(manifest: &serde_json::Value) -> Result<Held, CallError> {
        held_by(manifest.to_string().as_bytes(), (&[ImageKind::Module], 1_000))
    }

    #[test]
    fn every_config_is_taken_and_none_is_read() {
        let digest = digest_of(b"module");
        for config in [
            json!({ "mediaType": "application/vnd.wasm.config.v0+json", "digest": "no", "size": 1 }),
            json!({ "mediaType": "application/vnd.wasm.config.v1+json" }),
            json!({ "mediaType": "application/vnd.wasmcloud.actor.archive.config" }),
            json!(null),
        ] {
            for kind in ImageKind::Module.layers() {
                let layer =
                    json!({ "mediaType": kind, "digest": written_digest(&digest), "size": 6 });
                let manifest = json!({ "schemaVersion": 2, "config": config, "layers": [layer] });
                assert_eq!(
                    read(&manifest),
                    Ok(Held { kind: ImageKind::Module, digest, bytes: 6 }),
                    "{manifest}"
                );
            }
        }
    }

    #[test]
    fn what_is_no_image_of_one_module_is_told_what_it_is() {
        let layer = |kind: &str, digest: &str, size: u64| json!({ "mediaType": kind, "digest": digest, "size": size });
        let digest = written_digest(&digest_of(b"module"));
        let module = layer(MODULE, &digest, 6);
        let archive = layer(ImageKind::Archive.layers()[0], &digest, 6);
        let tar = layer("application/vnd.oci.image.layer.v1.tar+gzip", &digest, 6);
        let of = |layers: serde_json::Value| json!({ "schemaVersion": 2, "layers": layers });
        for (manifest, code, found) in [
            (of(json!([module, module])), Code::Image, "2: `application/wasm`, `application/wasm`"),
            (of(json!([tar])), Code::Image, "1: `application/vnd.oci.image.layer.v1.tar+gzip`"),
            (of(json!([archive])), Code::Image, "which is an archive"),
            (of(json!([])), Code::Image, "found none"),
            (of(json!([layer(MODULE, "md5:0", 6)])), Code::Image, "no sha256"),
            (
                of(json!([layer(MODULE, &digest, 1_001)])),
                Code::ModuleLimit,
                "module_bytes_max (1000",
            ),
            (json!({ "schemaVersion": 2, "manifests": [1, 2] }), Code::Image, "an index of 2"),
            (json!({ "schemaVersion": 1, "layers": [module] }), Code::Image, "a manifest of type"),
            (json!([]), Code::Image, "no manifest"),
        ] {
            let error = read(&manifest).expect_err("it is no image of one module");
            assert_eq!(error.code(), code, "{error}");
            assert!(error.message().contains(found), "{found} not in {error}");
        }
    }

    #[test]
    fn the_same_content_is_written_as_the_same_image() {
        for &kind in ImageKind::ALL {
            let [one, two] = [(); 2].map(|()| written(kind, b"module", "2026-01-01T00:00:00Z"));
            assert_eq!((&one.config, &one.manifest), (&two.config, &two.manifest));
            let held = held_by(&one.manifest, (&[kind], 6)).expect("it is an image");
            assert_eq!(held, Held { kind, digest: digest_of(b"module"), bytes: 6 });
            let large = held_by(&one.manifest, (ImageKind::ALL, 5)).expect_err("too large");
            assert!(large.code() == kind.limit().0 && large.message().contains(kind.limit().1));
            let config: serde_json::Value = serde_json::from_slice(&one.config).expect("JSON");
            assert_eq!(config["layerDigests"][0], written_digest(&held.digest));
            let (architecture, os) = kind.platform();
            assert_eq!(
                (&config["architecture"], &config["os"]),
                (&json!(architecture), &json!(os))
            );
        }
    }
}
