//! What an edit brought, kept where nobody changes it: the file that was named may be another one
//! tomorrow, and what was checked is what runs.

use std::path::Path;

use trellis_artifacts::{KeptProgram, ProgramCache, digest_of, is_like_an_image, read_bounded};
use trellis_core::{CallError, Code};
use trellis_limits::ActorLimits;
use trellis_limits::fixed::ARCHIVE_BYTES;
use trellis_manifest::{ActorSpec, ProgramSpec, ProviderKind};
use trellis_supervisor::Part;

use super::version::{Entry, Replacement};

/// The folder in the cache where they are kept, each by the digest of its content.
const FOLDER: &str = "edits";

/// The same with its file, if it has one, in the `cache` of the host. Blocks.
///
/// # Errors
/// As [`read_bounded`]; [`Code::Message`] for a path that is not absolute, [`Code::Storage`] when
/// there is no cache or no room in it.
pub(crate) fn kept(
    replacement: Replacement,
    base: &Entry,
    cache: Option<&Path>,
) -> Result<(Replacement, Option<KeptProgram>), CallError> {
    match (replacement, base) {
        (Replacement::Actor { name, image }, base) => {
            let bytes_max = match base {
                Entry::Actor(ActorSpec { limits, .. }) => limits.module_bytes_max,
                Entry::Provider(_) | Entry::Absent => ActorLimits::default().module_bytes_max,
            };
            let (image, file) = copy(image, bytes_max, cache)?;
            Ok((Replacement::Actor { name, image }, file))
        }
        // The manifest's own file stays the manifest's.
        (Replacement::Provider { kind, values }, Entry::Provider(spec)) if kind == spec.kind => {
            Ok((Replacement::Provider { kind, values }, None))
        }
        (Replacement::Provider { mut kind, values }, _) => {
            let mut kept = None;
            match &mut kind {
                ProviderKind::Module(module) => {
                    let bytes_max = module.limits.module_bytes_max;
                    let file = std::mem::take(&mut module.file.value);
                    (module.file.value, kept) = copy(file, bytes_max, cache)?;
                }
                ProviderKind::Process(process) => {
                    if let ProgramSpec::Archive(file) = &mut process.program {
                        let named = std::mem::take(&mut file.value);
                        (file.value, kept) = copy(named, ARCHIVE_BYTES.default, cache)?;
                    }
                }
                ProviderKind::Builtin(_) => {}
            }
            Ok((Replacement::Provider { kind, values }, kept))
        }
    }
}

/// What ran before an edit, with its file in the `cache` of the host, if it has one. Blocks.
///
/// # Errors
/// As [`Part::kept_in`]: the file may be another one by now.
pub(crate) fn kept_part(part: &Part, cache: Option<&Path>) -> Result<Part, CallError> {
    match cache {
        Some(cache) => part.kept_in(&ProgramCache::new(cache.join(FOLDER))),
        None => Ok(part.clone()),
    }
}

/// Where a copy of a file is, and the copy; an image is in a cache of its own.
fn copy(
    named: String,
    bytes_max: u64,
    cache: Option<&Path>,
) -> Result<(String, Option<KeptProgram>), CallError> {
    if is_like_an_image(&named) {
        return Ok((named, None));
    }
    let path = Path::new(&named);
    // What the manifest names is looked for in its folder, and stays the manifest's.
    if !path.is_absolute() {
        let text = format!("`{named}` is no absolute path, which a file of an edit needs");
        return Err(CallError::new(Code::Message, text));
    }
    let Some(cache) = cache else {
        let text = "the host has no cache folder (`--no-cache`), where the files of edits are kept";
        return Err(CallError::new(Code::Storage, text));
    };
    let content = read_bounded(path, bytes_max)?;
    let kept = ProgramCache::new(cache.join(FOLDER)).keep(&digest_of(&content), &content);
    let kept = kept.map_err(|error| {
        let text = format!("{named} cannot be kept for the edit: {}", error.message());
        CallError::new(error.code(), text)
    })?;
    let place = std::path::absolute(kept.path()).map(|place| place.into_os_string().into_string());
    match place {
        Ok(Ok(place)) => Ok((place, Some(kept))),
        _ => Err(CallError::new(Code::Storage, "the path of the host's cache is no text")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_kept_as_it_was_and_an_image_is_left_alone() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("a.wasm");
        let named = file.display().to_string();
        std::fs::write(&file, b"one").expect("it is ours");
        let cache = folder.path().join("cache");
        let (copied, held) = copy(named.clone(), 100, Some(&cache)).expect("it is kept");
        std::fs::write(&file, b"two").expect("it is ours");
        assert_eq!(std::fs::read(&copied).expect("it is there"), b"one");
        assert!(held.is_some(), "nobody makes room with it");
        let (other, _held) = copy(named.clone(), 100, Some(&cache)).expect("it is kept");
        assert_ne!(copied, other);
        let image = "localhost:5000/a:1".to_owned();
        assert_eq!(copy(image.clone(), 100, Some(&cache)), Ok((image, None)));
        for (named, bytes_max, cache, code) in [
            ("a.wasm".to_owned(), 100, Some(&*cache), Code::Message),
            (named.clone(), 2, Some(&*cache), Code::ModuleLimit),
            (format!("{named}x"), 100, Some(&*cache), Code::NotFound),
            (named, 100, None, Code::Storage),
        ] {
            let error = copy(named, bytes_max, cache).expect_err("it is refused");
            assert_eq!(error.code(), code, "{error}");
        }
    }
}
