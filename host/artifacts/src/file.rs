//! Files, read within a bound.

use std::fmt::Display;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use bytes::Bytes;
use rustix::fs::OFlags;
use trellis_core::{CallError, Code};

use crate::hint;
use crate::stamp::Stamp;

/// How often a file is read that changes while it is read.
const READS_MAX: u32 = 3;

/// How the names of modules end.
const MODULES: &[&str] = &["wasm"];

/// What was read, and the stamp it had before and after.
pub(crate) struct Content {
    pub(crate) bytes: Bytes,
    pub(crate) stamp: Stamp,
}

/// Reads a module's file, never more than `bytes_max` bytes. Blocks: for threads that may.
///
/// # Errors
/// [`Code::NotFound`] when there is none, [`Code::ModuleLimit`] when it is larger,
/// [`Code::Storage`] when it cannot be read, is no file, or does not stand still.
pub fn read_bounded(path: &Path, bytes_max: u64) -> Result<Bytes, CallError> {
    read_stamped(path, bytes_max).map(|content| content.bytes)
}

pub(crate) fn read_stamped(path: &Path, bytes_max: u64) -> Result<Content, CallError> {
    let unreadable = |error: io::Error| unreadable(path, &error);
    for _ in 0..READS_MAX {
        let mut file = open(path).map_err(unreadable)?;
        let metadata = file.metadata().map_err(unreadable)?;
        if !metadata.is_file() {
            let message = hint::of_folder(path, MODULES)
                .unwrap_or_else(|| format!("{} is a device or a pipe, not a file", path.display()));
            return Err(CallError::new(Code::Storage, message));
        }
        let stamp = Stamp::from(&metadata);
        let bytes = read_open(&mut file, stamp.bytes(), bytes_max)
            .map_err(unreadable)?
            .ok_or_else(|| too_large(&path.display(), bytes_max))?;
        let after = file.metadata().map_err(unreadable)?;
        if Stamp::from(&after) == stamp {
            return Ok(Content { bytes, stamp });
        }
    }
    let message = format!("{} changes while it is read; is it being written?", path.display());
    Err(CallError::new(Code::Storage, message))
}

/// Without waiting: opening a pipe that nobody writes to would take forever.
fn open(path: &Path) -> io::Result<File> {
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).map_err(io::Error::other)?;
    OpenOptions::new().read(true).custom_flags(flags).open(path)
}

/// `None` when there are more than `bytes_max` bytes; that is known before they are read, unless
/// the file grows meanwhile.
fn read_open(file: &mut File, bytes: u64, bytes_max: u64) -> io::Result<Option<Bytes>> {
    if bytes > bytes_max {
        return Ok(None);
    }
    let room = usize::try_from(bytes).map_err(io::Error::other)?;
    let mut content = Vec::with_capacity(room.saturating_add(1));
    file.take(bytes_max.saturating_add(1)).read_to_end(&mut content)?;
    let fits = content.len() as u64 <= bytes_max;
    Ok(fits.then(|| content.into()))
}

pub(crate) fn too_large(what: &impl Display, bytes_max: u64) -> CallError {
    let message = format!("{what} is larger than module_bytes_max ({bytes_max} bytes)");
    CallError::new(Code::ModuleLimit, message)
}

fn unreadable(path: &Path, error: &io::Error) -> CallError {
    let code = match error.kind() {
        ErrorKind::NotFound => Code::NotFound,
        _ => Code::Storage,
    };
    let hint = match code {
        Code::NotFound => {
            let near = hint::of_missing(path, MODULES);
            format!("; {}", near.as_deref().unwrap_or("build and sign the actor first"))
        }
        _ => String::new(),
    };
    CallError::new(code, format!("{} cannot be read: {error}{hint}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_is_read_up_to_its_bound() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("a.wasm");
        fs::write(&path, b"12345").expect("a file");
        assert_eq!(&read_bounded(&path, 5).expect("five bytes fit")[..], b"12345");
        let error = read_bounded(&path, 4).expect_err("one too many");
        assert_eq!(error.code(), Code::ModuleLimit);
        assert!(error.message().contains("module_bytes_max (4 bytes)"), "{}", error.message());
    }

    #[test]
    fn what_is_no_file_is_refused_at_once() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let pipe = folder.path().join("pipe");
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RUSR).expect("a pipe");
        // The pipe has no writer, /dev/zero has no end.
        for path in [folder.path(), &pipe, Path::new("/dev/zero")] {
            let error = read_bounded(path, 10).expect_err("it is no file");
            assert_eq!(error.code(), Code::Storage, "{}", error.message());
        }
        let missing = read_bounded(&folder.path().join("none"), 10).expect_err("it is missing");
        assert_eq!(missing.code(), Code::NotFound);
        assert!(missing.message().contains("build and sign"), "{}", missing.message());
        fs::write(folder.path().join("nono.wasm"), "").expect("a file");
        let near = read_bounded(&folder.path().join("none.wasm"), 10).expect_err("it is missing");
        assert!(near.message().contains("did you mean"), "{}", near.message());
    }
}
