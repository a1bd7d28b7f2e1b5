//! The file of a record: where it is, read, written, and put aside when it is damaged.

use std::fs::File;
use std::io::{Error, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use super::content::Content;
use crate::state::name_of;

/// Largest record, in bytes: more than a thousand for each of ten thousand actors. None larger is
/// written, so that what is written can be read.
pub(super) const RECORD_BYTES_MAX: usize = 16 << 20;

/// `None` when the manifest has no path.
pub(super) fn file_of(state: &Path, manifest: &Path) -> Option<PathBuf> {
    Some(state.join("trellis/keys").join(name_of(manifest)?).with_extension("json"))
}

/// What a file says, as far as it can be read, and why it cannot be read whole. One that is not
/// there says nothing.
pub(super) fn read(file: &Path) -> (Content, Option<String>) {
    let mut bytes = Vec::new();
    let bytes_max = RECORD_BYTES_MAX as u64;
    let read = File::open(file)
        .and_then(|open| open.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes));
    match read {
        Err(error) if error.kind() == ErrorKind::NotFound => return (Content::default(), None),
        Err(error) => return (Content::default(), Some(error.to_string())),
        Ok(_) if bytes.len() > RECORD_BYTES_MAX => {
            let why = format!("it is larger than {RECORD_BYTES_MAX} bytes, which no host writes");
            return (Content::default(), Some(why));
        }
        Ok(_) => {}
    }
    match std::str::from_utf8(&bytes) {
        Ok(text) => Content::parse(text),
        Err(error) => (Content::default(), Some(format!("it is no text: {error}"))),
    }
}

/// Replaces the file in one step: if the host is killed or the machine loses power, the old record
/// or the new one is there.
pub(super) fn write(file: &Path, manifest: &Path, content: &Content) -> std::io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let text = content.text(&std::path::absolute(manifest)?.display().to_string());
    if text.len() > RECORD_BYTES_MAX {
        let (bytes, most) = (text.len(), RECORD_BYTES_MAX);
        let why = format!("it would have {bytes} bytes, and a host reads no more than {most}");
        return Err(Error::new(ErrorKind::FileTooLarge, why));
    }
    let mut new = tempfile::NamedTempFile::new_in(folder)?;
    new.write_all(text.as_bytes())?;
    new.as_file().sync_all()?;
    new.persist(file)?;
    File::open(folder)?.sync_all()
}

/// Where a damaged record goes. One that went there before is replaced.
pub(super) fn aside(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".damaged");
    name.into()
}
