//! The blocks of a tar, within a budget: every read is paid for before it is made.

use std::io::{ErrorKind, Read};

use flate2::bufread::GzDecoder;
use tar::{EntryType, Header};
use trellis_core::CallError;

use crate::bounds::{Bounds, unsound};

/// The unit of a tar, in bytes.
const BLOCK_BYTES: usize = 512;
/// What is read at once, in bytes.
const PIECE_BYTES: usize = 64 << 10;
/// The first bytes of what is compressed with gzip.
pub(crate) const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];
/// Where a header has its own sum, which is added as spaces.
const SUM: std::ops::Range<usize> = 148..156;

/// An archive that is read from front to back.
pub(crate) struct Source<'a> {
    from: Packed<'a>,
    /// How many bytes may still be read.
    left: u64,
    /// Why not more.
    spent: CallError,
}

enum Packed<'a> {
    No(&'a [u8]),
    Gzip(Box<GzDecoder<&'a [u8]>>),
}

/// The header of one entry.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) bytes: u64,
}

impl<'a> Source<'a> {
    pub(crate) fn new(archive: &'a [u8], bounds: &Bounds) -> Self {
        let bytes = archive.len() as u64;
        if archive.starts_with(GZIP_MAGIC) {
            let (left, spent) = bounds.unpacked(bytes);
            return Self { from: Packed::Gzip(Box::new(GzDecoder::new(archive))), left, spent };
        }
        Self { from: Packed::No(archive), left: bytes, spent: cut() }
    }

    /// The next entry; `None` where the end is marked.
    pub(crate) fn entry(&mut self) -> Result<Option<Entry>, CallError> {
        let mut block = [0; BLOCK_BYTES];
        self.fill(&mut block)?;
        if block == [0; BLOCK_BYTES] {
            return Ok(None);
        }
        let header = Header::from_byte_slice(&block);
        let claimed = header.cksum().ok();
        if claimed != Some(sum(&block)) {
            return Err(unsound(
                "it is not a provider archive: a tar, compressed with gzip or not, whose headers \
                 are whole",
            ));
        }
        let name = header.path_bytes();
        let name = std::str::from_utf8(&name).map_err(|_| unsound("an entry's name is no text"))?;
        if header.entry_type() != EntryType::Regular {
            let kind = header.entry_type();
            return Err(unsound(format!("its entry {name:?} is no plain file but a {kind:?}")));
        }
        let bytes = header.entry_size();
        let bytes = bytes.map_err(|_| unsound(format!("its entry {name:?} has no size")))?;
        Ok(Some(Entry { name: name.to_owned(), bytes }))
    }

    /// Reads what an entry holds, in pieces.
    pub(crate) fn content(
        &mut self,
        bytes: u64,
        mut take: impl FnMut(&[u8]),
    ) -> Result<(), CallError> {
        // It is paid for as it is read, not by what its header says: an archive that was cut off is
        // small for what it promises, and is told by its end.
        let mut piece = vec![0; PIECE_BYTES];
        let mut left = bytes;
        while left > 0 {
            let length = usize::try_from(left).unwrap_or(PIECE_BYTES).min(PIECE_BYTES);
            self.fill(&mut piece[..length])?;
            take(&piece[..length]);
            left -= length as u64;
        }
        let padding = bytes.next_multiple_of(BLOCK_BYTES as u64) - bytes;
        let padding = usize::try_from(padding).unwrap_or_default();
        self.fill(&mut piece[..padding])
    }

    /// Makes sure that nothing follows the mark of the end, whose first half was read.
    pub(crate) fn end(mut self) -> Result<(), CallError> {
        let mut block = [0; BLOCK_BYTES];
        self.fill(&mut block)?;
        let mut piece = vec![0; PIECE_BYTES];
        let mut length = BLOCK_BYTES;
        piece[..length].copy_from_slice(&block);
        while length > 0 {
            if piece[..length].iter().any(|byte| *byte != 0) {
                return Err(unsound("something follows its end"));
            }
            length = self.from.read(&mut piece)?;
            self.pay(length as u64)?;
        }
        match &self.from {
            // A second member, or anything else.
            Packed::Gzip(decoder) if !decoder.get_ref().is_empty() => {
                Err(unsound("something follows its compressed part"))
            }
            _ => Ok(()),
        }
    }

    /// Reads exactly so much.
    fn fill(&mut self, buffer: &mut [u8]) -> Result<(), CallError> {
        self.pay(buffer.len() as u64)?;
        let mut filled = 0;
        while filled < buffer.len() {
            match self.from.read(&mut buffer[filled..])? {
                0 => return Err(cut()),
                read => filled += read,
            }
        }
        Ok(())
    }

    fn pay(&mut self, bytes: u64) -> Result<(), CallError> {
        self.afford(bytes)?;
        self.left -= bytes;
        Ok(())
    }

    fn afford(&self, bytes: u64) -> Result<(), CallError> {
        if bytes <= self.left { Ok(()) } else { Err(self.spent.clone()) }
    }
}

impl Packed<'_> {
    /// Reads some bytes; none at the end.
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, CallError> {
        let read = match self {
            Self::No(bytes) => bytes.read(buffer),
            Self::Gzip(decoder) => decoder.read(buffer),
        };
        read.map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => cut(),
            _ => unsound(format!("its compression is broken: {error}")),
        })
    }
}

fn cut() -> CallError {
    unsound("it ends too early: it was not copied whole, or is not an archive")
}

/// The sum of a header, as it is to have it.
fn sum(block: &[u8; BLOCK_BYTES]) -> u32 {
    let byte = |(place, byte): (usize, &u8)| if SUM.contains(&place) { b' ' } else { *byte };
    block.iter().enumerate().map(byte).map(u32::from).sum()
}
