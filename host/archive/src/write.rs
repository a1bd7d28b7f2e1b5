//! Writing an archive: the same bytes for the same content.

use std::collections::BTreeMap;
use std::io::{self, Write};

use flate2::{Compression, GzBuilder};
use tar::{Builder, EntryType, Header};
use trellis_core::{CallError, Code};

use crate::source::GZIP_MAGIC;
use crate::target::{TOKEN_ENTRY, Target};

/// The permissions that an unpacked token gets.
const TOKEN_MODE: u32 = 0o644;
/// The permissions that an unpacked program gets.
const PROGRAM_MODE: u32 = 0o755;

/// The bytes of programs, each by the platform that it is for.
pub type Contents = BTreeMap<Target, Vec<u8>>;

/// How an archive is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// As a tar.
    Plain,
    /// As a tar that is compressed with gzip.
    Gzip,
}

impl Form {
    /// The form of what is there.
    #[must_use]
    pub fn of(archive: &[u8]) -> Self {
        if archive.starts_with(GZIP_MAGIC) { Self::Gzip } else { Self::Plain }
    }
}

/// Writes a token and programs.
///
/// # Errors
/// [`Code::Internal`] when that fails, which it does for no content.
pub(crate) fn write(token: &str, programs: &Contents, form: Form) -> Result<Vec<u8>, CallError> {
    let packed = pack(token, programs).and_then(|tar| match form {
        Form::Plain => Ok(tar),
        Form::Gzip => compress(&tar),
    });
    packed.map_err(|error| CallError::new(Code::Internal, format!("it cannot be packed: {error}")))
}

fn pack(token: &str, programs: &Contents) -> io::Result<Vec<u8>> {
    let mut tar = Builder::new(Vec::new());
    append(&mut tar, TOKEN_ENTRY, TOKEN_MODE, token.as_bytes())?;
    for (target, program) in programs {
        append(&mut tar, &target.entry(), PROGRAM_MODE, program)?;
    }
    tar.into_inner()
}

/// Adds an entry that says nothing of this machine, its user or its clock.
fn append(tar: &mut Builder<Vec<u8>>, name: &str, mode: u32, content: &[u8]) -> io::Result<()> {
    let mut header = Header::new_ustar();
    header.set_path(name)?;
    header.set_entry_type(EntryType::Regular);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(content.len() as u64);
    header.set_cksum();
    tar.append(&header, content)
}

fn compress(tar: &[u8]) -> io::Result<Vec<u8>> {
    let mut packed = GzBuilder::new().mtime(0).write(Vec::new(), Compression::default());
    packed.write_all(tar)?;
    packed.finish()
}
