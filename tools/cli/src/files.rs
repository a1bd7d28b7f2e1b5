//! Files as the commands read and write them: bounded, and whole or not at all.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use trellis_artifacts::{ImageKind, hint};
use trellis_core::Code;
use trellis_keystore::destination::{self, Existing, Privacy};
use trellis_limits::Limit;
use trellis_limits::fixed::{ARCHIVE_BYTES, ARCHIVE_PROGRAM_BYTES};

use crate::failure::Failure;

/// Largest module file that is read, in bytes: no host can be told to run a larger one.
pub(crate) const MODULE_BYTES_MAX: u64 = 256 << 20;
/// Largest payload, script or list of replies that is read, in bytes.
const INPUT_BYTES_MAX: u64 = 256 << 20;

/// Reads a module.
///
/// # Errors
/// `E_NOT_FOUND`, which suggests building it, `E_STORAGE`, or `E_MODULE_LIMIT`.
pub(crate) fn read_module(path: &Path) -> Result<Vec<u8>, Failure> {
    match read_artifact(path)? {
        (ImageKind::Module, module) => Ok(module),
        (ImageKind::Archive, _) => Err(of_archive(path)),
    }
}

/// Reads a module, or the archive of a provider.
///
/// # Errors
/// As [`read_module`].
pub(crate) fn read_artifact(path: &Path) -> Result<(ImageKind, Vec<u8>), Failure> {
    let unreadable = |error: io::Error| {
        let failure = Failure::file(format!("cannot read the module {}", path.display()), &error);
        let hint = hint(path, &error, &["wasm"]);
        if error.kind() != io::ErrorKind::NotFound {
            return with_hint(failure, hint);
        }
        failure.cure(format!(
            "{} If the actor is not built yet: \
             `cargo build --release --target wasm32-unknown-unknown`.",
            hint.unwrap_or_else(|| "Check the path.".to_owned())
        ))
    };
    let file = File::open(path).map_err(unreadable)?;
    let module = read_bounded(file, MODULE_BYTES_MAX).map_err(unreadable)?.ok_or_else(|| {
        let message = format!(
            "{} is larger than {MODULE_BYTES_MAX} bytes, which no host runs",
            path.display()
        );
        Failure::new(Code::ModuleLimit, message)
    })?;
    let kind = if is_archive(&module) { ImageKind::Archive } else { ImageKind::Module };
    Ok((kind, module))
}

/// True for what begins as an archive of a provider does, packed or not.
fn is_archive(bytes: &[u8]) -> bool {
    // RFC 1952, 2.3.1, and the magic of POSIX's ustar.
    bytes.starts_with(b"\x1f\x8b") || bytes.get(257..262) == Some(b"ustar")
}

/// An archive where a module is wanted.
fn of_archive(path: &Path) -> Failure {
    let path = path.display();
    let message = format!("{path} is an archive, and no module");
    Failure::new(Code::ModuleInvalid, message).cure(format!(
        "If it is that of a provider: `trellis par inspect {path}` shows it, `trellis par verify \
         {path}` checks it, and `trellis par create` signs one anew."
    ))
}

/// Reads the archive of a provider.
///
/// # Errors
/// `E_NOT_FOUND`, `E_STORAGE`, or `E_ARCHIVE` for one that is too large.
pub(crate) fn read_archive(path: &Path) -> Result<Vec<u8>, Failure> {
    let too_large = |text| Failure::new(Code::Archive, text);
    read_file(path, "archive", (&ARCHIVE_BYTES, &["par", "gz"]), too_large)
}

/// Reads a program that goes into an archive.
///
/// # Errors
/// `E_NOT_FOUND`, `E_STORAGE`, or wrong usage for one that is too large.
pub(crate) fn read_program(path: &Path) -> Result<Vec<u8>, Failure> {
    let too_large =
        |text| Failure::usage(text).cure("Strip it of debug information: `strip PROGRAM`.");
    read_file(path, "program", (&ARCHIVE_PROGRAM_BYTES, &[]), too_large)
}

fn read_file(
    path: &Path,
    what: &str,
    (limit, extensions): (&Limit, &[&str]),
    too_large: impl FnOnce(String) -> Failure,
) -> Result<Vec<u8>, Failure> {
    let unreadable = |error: io::Error| {
        let failure = Failure::file(format!("cannot read the {what} {}", path.display()), &error);
        with_hint(failure, hint(path, &error, extensions))
    };
    let file = File::open(path).map_err(unreadable)?;
    read_bounded(file, limit.default).map_err(unreadable)?.ok_or_else(|| {
        let (path, name, max) = (path.display(), limit.name, limit.default);
        too_large(format!("{path} is larger than {name} ({max} bytes)"))
    })
}

/// The file that may be meant by a path that names none.
fn hint(path: &Path, error: &io::Error, extensions: &[&str]) -> Option<String> {
    let hint = match error.kind() {
        io::ErrorKind::NotFound => hint::of_missing(path, extensions)?,
        io::ErrorKind::IsADirectory => format!("{}.", hint::of_folder(path, extensions)?),
        _ => return None,
    };
    let mut letters = hint.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    Some(first.into_iter().chain(letters).collect())
}

fn with_hint(failure: Failure, hint: Option<String>) -> Failure {
    match hint {
        Some(hint) => failure.cure(hint),
        None => failure,
    }
}

/// Reads a file, or stdin for `-`.
///
/// # Errors
/// When it cannot be read, or is too large to be the right file.
pub(crate) fn read_input(path: &Path) -> Result<Vec<u8>, Failure> {
    let (name, read) = if path == Path::new("-") {
        ("stdin".to_owned(), read_bounded(io::stdin().lock(), INPUT_BYTES_MAX))
    } else {
        let read = File::open(path).and_then(|file| read_bounded(file, INPUT_BYTES_MAX));
        (path.display().to_string(), read)
    };
    let unreadable = |error: io::Error| {
        let hint = hint(path, &error, &["yaml", "yml", "json"]);
        with_hint(Failure::file(format!("cannot read {name}"), &error), hint)
    };
    read.map_err(unreadable)?
        .ok_or_else(|| Failure::usage(format!("{name} is larger than {INPUT_BYTES_MAX} bytes")))
}

/// True for a path that means this program's stdout.
pub(crate) fn is_stdout(path: &Path) -> bool {
    ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"].iter().any(|name| path == Path::new(name))
}

/// What a module would be written over: the module that is there, or nothing. A device or a pipe
/// holds nothing that would be lost.
///
/// # Errors
/// When the file is there and is no module, or cannot be read.
pub(crate) fn read_destination(path: &Path) -> Result<Vec<u8>, Failure> {
    if is_stdout(path) || !destination::is_file(path) {
        return Ok(Vec::new());
    }
    let there = read_module(path)?;
    if there.is_empty() || there.starts_with(b"\0asm") {
        return Ok(there);
    }
    let message = format!("{} exists and is not a module", path.display());
    Err(Failure::usage(message).cure("Choose another --destination."))
}

/// Checks that a file may be made at `path`, as far as its folder goes.
///
/// # Errors
/// `E_NOT_FOUND`, which names the folder that is missing and how to make it.
pub(crate) fn check_folder(path: &Path) -> Result<(), Failure> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    // A link leads to a folder of its own.
    let Some(folder) = folder.filter(|folder| !(folder.is_dir() || path.is_symlink())) else {
        return Ok(());
    };
    let (path, folder) = (path.display(), folder.display());
    let message = format!("cannot write {path}: there is no folder {folder}");
    Err(Failure::new(Code::NotFound, message)
        .cure(format!("Make it with `mkdir -p {folder}`, or choose another path.")))
}

/// Writes a file whole or not at all; see [`destination`] for links, devices and permissions.
///
/// # Errors
/// When the file cannot be written.
pub(crate) fn write_whole(path: &Path, content: &[u8]) -> Result<(), Failure> {
    destination::write(path, content, Privacy::Shared, Existing::Replace)
        .map_err(|error| Failure::file(format!("cannot write {}", path.display()), &error))
}

/// Everything a reader gives, or `None` when that is more than `bytes_max`.
fn read_bounded(reader: impl Read, bytes_max: u64) -> io::Result<Option<Vec<u8>>> {
    let mut content = Vec::new();
    reader.take(bytes_max + 1).read_to_end(&mut content)?;
    Ok((content.len() as u64 <= bytes_max).then_some(content))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_is_told_from_a_module() {
        let mut tar = vec![0; 512];
        tar[257..262].copy_from_slice(b"ustar");
        assert!(is_archive(&tar) && is_archive(b"\x1f\x8b\x08"));
        assert!(!is_archive(b"\0asm\x01\0\0\0") && !is_archive(b"") && !is_archive(&[0; 300]));
        let failure = of_archive(Path::new("geo.par"));
        assert!(failure.to_string().contains("trellis par inspect geo.par"), "{failure}");
    }
}
