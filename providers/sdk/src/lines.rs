//! Lines for a stream that may be full, or fail: whole lines, or lines that are known to be lost.

use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;

use rustix::event::{PollFd, PollFlags, poll};

/// Writes whole lines, and says which it could not.
#[derive(Debug)]
pub struct LineWriter<S> {
    stream: S,
    /// The stream ends within a line, the rest of which was lost.
    cut: bool,
}

/// Lines that were lost; of the first of them a part may have been written.
#[derive(Debug)]
pub struct Lost {
    /// How many.
    pub lines: u64,
    /// Why.
    pub error: io::Error,
}

impl<S: Write> LineWriter<S> {
    /// Lines for `stream`.
    pub const fn new(stream: S) -> Self {
        Self { stream, cut: false }
    }

    /// Writes lines, each of which brings its own end. Waits for a stream that is full.
    ///
    /// # Errors
    /// The lines that could not be written. What is written later begins in a line of its own.
    pub fn write(&mut self, lines: &[u8]) -> Result<(), Lost> {
        if self.cut {
            self.write_all(b"\n").map_err(|(_, error)| lost(lines, error))?;
            self.cut = false;
        }
        self.write_all(lines).map_err(|(written, error)| {
            self.cut = !matches!(lines[..written].last(), None | Some(b'\n'));
            lost(&lines[written..], error)
        })
    }

    /// On failure also gives how much was written.
    fn write_all(&mut self, bytes: &[u8]) -> Result<(), (usize, io::Error)> {
        let mut written = 0;
        while written < bytes.len() {
            match self.stream.write(&bytes[written..]) {
                Ok(0) => return Err((written, ErrorKind::WriteZero.into())),
                Ok(more) => written += more,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err((written, error)),
            }
        }
        self.stream.flush().map_err(|error| (written, error))
    }
}

fn lost(lines: &[u8], error: io::Error) -> Lost {
    let ends = lines.iter().filter(|byte| **byte == b'\n').count();
    Lost { lines: ends as u64, error }
}

/// Writes past the lock of the standard library's stream. It would be held while a pipe that nobody
/// reads is full, and whatever else the process has to say there would wait for it, for ever. A
/// pipe that is full and does not block is waited for as one that does: it may be shared with a
/// process that made it so.
#[derive(Debug)]
pub struct Unlocked<S>(pub S);

impl<S: AsFd> Write for Unlocked<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match rustix::io::write(&self.0, bytes) {
                Ok(written) => return Ok(written),
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::AGAIN) => {
                    let mut stream = [PollFd::new(&self.0, PollFlags::OUT)];
                    rustix::io::retry_on_intr(|| poll(&mut stream, None))?;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::io::Read;
    use std::os::fd::AsFd;

    use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

    use super::*;

    /// A stream that takes so many bytes at a time, or fails.
    #[derive(Default)]
    struct Disk {
        takes: VecDeque<Option<usize>>,
        content: Vec<u8>,
    }

    impl Write for &mut Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            match self.takes.pop_front() {
                Some(Some(takes)) => {
                    let taken = takes.min(bytes.len());
                    self.content.extend_from_slice(&bytes[..taken]);
                    Ok(taken)
                }
                Some(None) => Err(ErrorKind::StorageFull.into()),
                None => {
                    self.content.extend_from_slice(bytes);
                    Ok(bytes.len())
                }
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What a disk holds that takes `first` and `second`, and how many of these were lost.
    fn written(takes: &[Option<usize>], first: &[u8], second: &[u8]) -> (String, [u64; 2]) {
        let mut disk = Disk { takes: takes.iter().copied().collect(), ..Disk::default() };
        let mut lines = LineWriter::new(&mut disk);
        let lost = [first, second].map(|it| lines.write(it).err().map_or(0, |lost| lost.lines));
        (String::from_utf8(disk.content).expect("text"), lost)
    }

    #[test]
    fn lines_that_could_not_be_written_are_counted_and_glued_to_none() {
        let two = b"one\ntwo\n";
        assert_eq!(written(&[], two, b"three\n"), ("one\ntwo\nthree\n".to_owned(), [0, 0]));
        assert_eq!(written(&[None], two, b"three\n"), ("three\n".to_owned(), [2, 0]));
        let at_an_end = written(&[Some(4), None], two, b"three\n");
        assert_eq!(at_an_end, ("one\nthree\n".to_owned(), [1, 0]));
        let within = written(&[Some(6), None], two, b"three\n");
        assert_eq!(within, ("one\ntw\nthree\n".to_owned(), [1, 0]));
        let again = written(&[Some(1), None, None], two, b"three\n");
        assert_eq!(again, ("o".to_owned(), [2, 1]));
        let none = written(&[Some(0)], two, b"");
        assert_eq!(none, (String::new(), [2, 0]));
    }

    #[test]
    fn a_pipe_that_does_not_block_is_waited_for() {
        let (mut reader, writer) = io::pipe().expect("a pipe");
        let flags = fcntl_getfl(writer.as_fd()).expect("its flags");
        fcntl_setfl(writer.as_fd(), flags | OFlags::NONBLOCK).expect("it does not block");
        let lines = b"a line\n".repeat(100_000);
        let said = lines.clone();
        let says = std::thread::spawn(move || LineWriter::new(Unlocked(writer)).write(&said));
        let mut read = Vec::new();
        reader.read_to_end(&mut read).expect("a pipe is read");
        says.join().expect("it ends").expect("nothing is lost");
        assert_eq!(read.len(), lines.len());
    }
}
