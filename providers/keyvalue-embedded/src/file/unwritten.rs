//! A file that is read as it is, and written in memory alone.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use parking_lot::Mutex;
use redb::StorageBackend;

/// Bytes that are kept together when any of them is written.
const PIECE_BYTES: u64 = 4_096;

/// The file, and what a store would have written into it.
#[derive(Debug)]
pub(super) struct Unwritten {
    file: File,
    written: Mutex<Written>,
}

#[derive(Debug)]
struct Written {
    bytes: u64,
    /// So much of the file is still part of it.
    file_bytes: u64,
    /// By their number.
    pieces: BTreeMap<u64, Vec<u8>>,
}

impl Unwritten {
    /// Nothing is written yet.
    ///
    /// # Errors
    /// That the length of the file cannot be told.
    pub(super) fn over(file: File) -> io::Result<Self> {
        let bytes = file.metadata()?.len();
        let written = Written { bytes, file_bytes: bytes, pieces: BTreeMap::new() };
        Ok(Self { file, written: Mutex::new(written) })
    }

    /// A piece as the file has it, with zeros where it has nothing.
    fn of_file(&self, piece: u64, file_bytes: u64) -> io::Result<Vec<u8>> {
        let start = piece * PIECE_BYTES;
        let mut bytes = vec![0; PIECE_BYTES as usize];
        let there = file_bytes.saturating_sub(start).min(PIECE_BYTES);
        self.file.read_exact_at(&mut bytes[..there as usize], start)?;
        Ok(bytes)
    }

    /// Does something with each piece from `offset` on: its number, where in it to begin, and the
    /// range of the `len` bytes that it has.
    fn each(
        (offset, len): (u64, usize),
        mut act: impl FnMut(u64, usize, std::ops::Range<usize>) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut done = 0;
        while done < len {
            let at = offset + done as u64;
            let begin = (at % PIECE_BYTES) as usize;
            let count = (len - done).min(PIECE_BYTES as usize - begin);
            act(at / PIECE_BYTES, begin, done..done + count)?;
            done += count;
        }
        Ok(())
    }
}

impl StorageBackend for Unwritten {
    fn len(&self) -> io::Result<u64> {
        Ok(self.written.lock().bytes)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let written = self.written.lock();
        if offset + out.len() as u64 > written.bytes {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Self::each((offset, out.len()), |piece, begin, range| {
            let count = range.len();
            match written.pieces.get(&piece) {
                Some(bytes) => out[range].copy_from_slice(&bytes[begin..begin + count]),
                None => {
                    let bytes = self.of_file(piece, written.file_bytes)?;
                    out[range].copy_from_slice(&bytes[begin..begin + count]);
                }
            }
            Ok(())
        })
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut written = self.written.lock();
        written.bytes = len;
        written.file_bytes = written.file_bytes.min(len);
        written.pieces.retain(|piece, _| piece * PIECE_BYTES < len);
        if let Some(last) = written.pieces.get_mut(&(len / PIECE_BYTES)) {
            last[(len % PIECE_BYTES) as usize..].fill(0);
        }
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut written = self.written.lock();
        let file_bytes = written.file_bytes;
        Self::each((offset, data.len()), |piece, begin, range| {
            let bytes = match written.pieces.entry(piece) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(free) => free.insert(self.of_file(piece, file_bytes)?),
            };
            bytes[begin..begin + range.len()].copy_from_slice(&data[range]);
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_not_in_the_file() {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let path = folder.path().join("file");
        std::fs::write(&path, [1; 6_000]).expect("the folder is ours");
        let file = File::open(&path).expect("it is there");
        let unwritten = Unwritten::over(file).expect("it has a length");
        let read = |offset, count: usize| {
            let mut bytes = vec![9; count];
            unwritten.read(offset, &mut bytes).map(|()| bytes)
        };
        assert!(read(5_999, 2).is_err(), "beyond the end");
        unwritten.write(4_000, &[2; 200]).expect("in memory");
        assert_eq!(read(3_999, 202).expect("whole"), [&[1][..], &[2; 200], &[1]].concat());
        unwritten.set_len(4_100).expect("in memory");
        unwritten.set_len(9_000).expect("in memory");
        assert_eq!(read(4_099, 3).expect("whole"), [2, 0, 0], "what was cut does not come back");
        assert_eq!(read(8_999, 1).expect("whole"), [0]);
        assert_eq!(std::fs::read(&path).expect("it is there"), [1; 6_000]);
    }
}
