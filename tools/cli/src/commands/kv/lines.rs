//! The lines of an export: a key, or a part of one, in each; and a last one that says how many came
//! before it, with their hash, so that a file that was cut is not taken for a whole one.

use std::collections::HashSet;
use std::io::{self, BufRead, Write};

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use trellis_control::{DataBytes, DataKind, DataPiece};
use trellis_core::Code;

use crate::failure::Failure;

/// Most bytes of one line of an import: a text of a store has at most 16 MiB, and more when it is
/// written as JSON.
const LINE_BYTES_MAX: u64 = 17 << 20;

/// The last line.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Last {
    end: End,
}

/// What came before it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct End {
    /// How many lines.
    lines: u64,
    /// SHA-256 of these, line ends included, in hex.
    sha256: String,
}

/// Writes an export.
pub(super) struct Writing<W> {
    out: W,
    lines: u64,
    hash: Sha256,
}

impl<W: Write> Writing<W> {
    pub(super) fn to(out: W) -> Self {
        Self { out, lines: 0, hash: Sha256::new() }
    }

    /// A line more.
    ///
    /// # Errors
    /// When nobody takes it.
    pub(super) fn write(&mut self, piece: &DataPiece) -> Result<(), Failure> {
        let mut text = serde_json::to_vec(piece).map_err(|error| no_json(&error))?;
        text.push(b'\n');
        self.hash.update(&text);
        self.lines += 1;
        self.out.write_all(&text).map_err(|error| Failure::stdout(&error))
    }

    /// The last line.
    ///
    /// # Errors
    /// When nobody takes it.
    pub(super) fn end(mut self) -> Result<(), Failure> {
        let sha256 = HEXLOWER.encode(&self.hash.finalize());
        let last = Last { end: End { lines: self.lines, sha256 } };
        let text = serde_json::to_string(&last).map_err(|error| no_json(&error))?;
        let written = writeln!(self.out, "{text}").and_then(|()| self.out.flush());
        written.map_err(|error| Failure::stdout(&error))
    }
}

/// The pieces of an export, each checked to make sense behind the one before. A key that stands
/// there twice, as a server may tell of one, counts once: the first time.
pub(super) struct Reading<R> {
    input: R,
    wholeness: Wholeness,
    /// The number of the last line, where it was cut: it is left out.
    pub(super) cut: Option<u64>,
    /// The number of the line that was read last.
    pub(super) line: u64,
    hash: Sha256,
    /// Lines that are keys, empty ones included.
    pieces: u64,
    before: Option<Before>,
    seen: HashSet<[u8; 16]>,
    /// What the last line says.
    end: Option<End>,
}

/// How far the key of the line before came.
struct Before {
    key: DataBytes,
    kind: DataKind,
    told: u64,
    /// It stood there already.
    is_again: bool,
}

/// Whether the last line has to be there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Wholeness {
    /// Its absence means that a part is missing.
    Asked,
    /// Whoever imports knows that.
    Waived,
}

impl<R: BufRead> Reading<R> {
    pub(super) fn of(input: R, wholeness: Wholeness) -> Self {
        let (hash, seen) = (Sha256::new(), HashSet::new());
        let (cut, line, pieces, before, end) = (None, 0, 0, None, None);
        Self { input, wholeness, cut, line, hash, pieces, before, seen, end }
    }

    /// The next piece, and how long its line is; none at the end.
    ///
    /// # Errors
    /// Naming the line that is wrong, and why.
    pub(super) fn next(&mut self) -> Result<Option<(DataPiece, usize)>, Failure> {
        while let Some(text) = self.next_line()? {
            if text.iter().all(u8::is_ascii_whitespace) {
                if self.end.is_none() {
                    self.count(&text);
                }
                continue;
            }
            if self.end.is_some() {
                return Err(self.wrong("it comes after the last one (`end`)"));
            }
            if let Ok(Last { end }) = serde_json::from_slice(&text) {
                self.end = Some(end);
                continue;
            }
            self.count(&text);
            let piece: DataPiece = match serde_json::from_slice(&text) {
                Ok(piece) => piece,
                Err(_) if self.is_cut(&text) => {
                    self.cut = Some(self.line);
                    return Ok(None);
                }
                Err(error) => return Err(self.wrong(&error.to_string())),
            };
            if self.follow(&piece)? {
                return Ok(Some((piece, text.len())));
            }
        }
        Ok(None)
    }

    /// Makes sure that nothing is missing, once all was read.
    ///
    /// # Errors
    /// [`Code::Message`] when there is.
    pub(super) fn check_end(self) -> Result<(), Failure> {
        if self.wholeness == Wholeness::Waived {
            return Ok(());
        }
        let sha256 = HEXLOWER.encode(&self.hash.finalize());
        let found = End { lines: self.pieces, sha256 };
        let why = match self.end {
            Some(end) if end == found => return Ok(()),
            Some(end) if end.lines != found.lines => format!(
                "its last line says that {} lines come before it, and there are {}",
                end.lines, found.lines
            ),
            Some(_) => "its lines were changed since `trellis kv export` wrote them".to_owned(),
            None => "it has no last line as `trellis kv export` writes it, so it may have been cut"
                .to_owned(),
        };
        Err(Failure::new(Code::Message, format!("the export is not whole: {why}"))
            .cure("Export again. `--partial` takes the lines that are there."))
    }

    fn next_line(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        let mut text = Vec::new();
        let read = io::Read::take(&mut self.input, LINE_BYTES_MAX).read_until(b'\n', &mut text);
        let read = read.map_err(|error| Failure::file("the lines cannot be read", &error))?;
        if read == 0 {
            return Ok(None);
        }
        self.line += 1;
        if read as u64 == LINE_BYTES_MAX {
            return Err(self.wrong("it is too long"));
        }
        Ok(Some(text))
    }

    /// Whether a line that makes no sense is only the beginning of one, and that may be: nothing
    /// but the last line has no end.
    fn is_cut(&self, text: &[u8]) -> bool {
        self.wholeness == Wholeness::Waived && !text.ends_with(b"\n")
    }

    fn count(&mut self, text: &[u8]) {
        self.hash.update(text);
        self.pieces += 1;
    }

    /// Whether a piece is to be put there; an error when it makes no sense.
    fn follow(&mut self, piece: &DataPiece) -> Result<bool, Failure> {
        let before = self.before.take();
        let told = piece.start.saturating_add(piece.values.len() as u64);
        let is_again = if piece.start == 0 {
            !self.seen.insert(digest(&piece.key.0))
        } else {
            let same = before
                .filter(|it| (&it.key, it.kind, it.told) == (&piece.key, piece.kind, piece.start));
            match same {
                Some(it) => it.is_again,
                None => return Err(self.wrong("it goes on with a key that did not come before it")),
            }
        };
        let wrong = match piece.kind {
            DataKind::Other => Some("`other` is what cannot be put into a store"),
            DataKind::Text if piece.count != 1 || told != 1 => Some("a text is one value"),
            _ if piece.values.is_empty() => Some("it has no values"),
            DataKind::List if told > piece.count => Some("it has more values than count"),
            _ => None,
        };
        if let Some(wrong) = wrong {
            return Err(self.wrong(wrong));
        }
        self.before = Some(Before { key: piece.key.clone(), kind: piece.kind, told, is_again });
        Ok(!is_again)
    }

    fn wrong(&self, why: &str) -> Failure {
        let text =
            format!("line {} is not a key as `trellis kv export` writes it: {why}", self.line);
        Failure::new(Code::Message, text).cure("Correct the line, or export again.")
    }
}

/// A key in few bytes, which no other one has.
fn digest(key: &[u8]) -> [u8; 16] {
    let mut short = [0; 16];
    short.copy_from_slice(&Sha256::digest(key)[..16]);
    short
}

/// What does not become JSON.
pub(super) fn no_json(error: &serde_json::Error) -> Failure {
    Failure::new(Code::Internal, format!("it does not become JSON: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::kv::values::shown;

    fn piece(key: &str, (kind, count, start): (DataKind, u64, u64), values: &[&str]) -> DataPiece {
        let values = values.iter().map(|value| (*value).into()).collect();
        DataPiece { key: key.into(), kind, expires_unix_ms: 0, count, start, values }
    }

    /// An export of a text, and of a list in two parts.
    fn exported() -> Vec<u8> {
        let mut written = Vec::new();
        let mut lines = Writing::to(&mut written);
        for piece in [
            piece("a", (DataKind::Text, 1, 0), &["1"]),
            piece("l", (DataKind::List, 3, 0), &["x", "y"]),
            piece("l", (DataKind::List, 3, 2), &["z"]),
        ] {
            lines.write(&piece).expect("a vector takes all");
        }
        lines.end().expect("a vector takes all");
        written
    }

    /// The keys and starts of an export, or what is wrong with it.
    fn read(text: &[u8], wholeness: Wholeness) -> Result<Vec<String>, String> {
        let (mut lines, mut found) = (Reading::of(text, wholeness), Vec::new());
        let ended = loop {
            match lines.next() {
                Ok(Some((piece, _))) => {
                    found.push(format!("{}{}", shown(&piece.key.0), piece.start));
                }
                Ok(None) => break lines.check_end(),
                Err(wrong) => break Err(wrong),
            }
        };
        ended.map(|()| found).map_err(|wrong| wrong.message().to_owned())
    }

    #[test]
    fn what_was_written_reads_back() {
        let written = exported();
        assert_eq!(
            read(&written, Wholeness::Asked),
            Ok(["a0", "l0", "l2"].map(str::to_owned).into())
        );
        assert!(written.ends_with(b"\"}}\n"), "the last line says that it is");
        let none = Writing::to(Vec::new());
        let mut nothing = Vec::new();
        Writing { out: &mut nothing, lines: none.lines, hash: none.hash }.end().expect("it takes");
        assert_eq!(read(&nothing, Wholeness::Asked), Ok(Vec::new()), "an empty store is whole");
    }

    /// Wherever a file ends too early, that is known.
    #[test]
    fn a_file_that_was_cut_anywhere_is_not_whole() {
        let written = exported();
        for cut in 0..written.len() - 1 {
            assert!(read(&written[..cut], Wholeness::Asked).is_err(), "cut at {cut}");
        }
        let text = String::from_utf8(written).expect("it is JSON");
        let lines: Vec<_> = text.lines().collect();
        let without = |at: usize| {
            let kept = lines.iter().enumerate().filter(|(line, _)| *line != at);
            kept.map(|(_, line)| format!("{line}\n")).collect::<String>()
        };
        let said = |text: String| read(text.as_bytes(), Wholeness::Asked).expect_err("not whole");
        assert!(said(without(0)).contains("3 lines come before it, and there are 2"));
        assert!(said(without(1)).contains("goes on with a key"));
        assert!(said(without(2)).contains("3 lines come before it, and there are 2"));
        assert!(said(without(3)).contains("it may have been cut"));
        assert!(said(text.replace("\"1\"", "\"2\"")).contains("were changed"));
        assert!(said(format!("{text}{}\n", lines[0])).contains("after the last one"));
        let by_hand = without(3);
        assert_eq!(read(by_hand.as_bytes(), Wholeness::Waived).map(|it| it.len()), Ok(3));
        let changed = text.replace("\"1\"", "\"2\"");
        assert_eq!(read(changed.as_bytes(), Wholeness::Waived).map(|it| it.len()), Ok(3));
    }

    /// Whoever takes a part takes all that is whole of it.
    #[test]
    fn of_a_part_the_line_that_was_cut_is_left_out() {
        let written = exported();
        let ends: Vec<_> = (0..written.len()).filter(|at| written[*at] == b'\n').collect();
        for cut in 1..written.len() - 1 {
            let mut lines = Reading::of(&written[..cut], Wholeness::Waived);
            let mut found = 0;
            while lines.next().unwrap_or_else(|wrong| panic!("{cut}: {wrong:?}")).is_some() {
                found += 1;
            }
            let whole = ends.iter().filter(|end| **end <= cut).count();
            assert_eq!(found, whole, "cut at {cut}");
            let is_cut = !ends.iter().any(|end| [*end, *end + 1].contains(&cut));
            assert_eq!(lines.cut, is_cut.then_some(whole as u64 + 1), "cut at {cut}");
        }
        let middle = format!("{{\"key\":\n{}", String::from_utf8_lossy(&written));
        assert!(read(middle.as_bytes(), Wholeness::Waived).is_err(), "one in the middle is wrong");
    }

    #[test]
    fn a_key_that_is_told_of_twice_counts_once() {
        let list = |start, values: &[&str]| piece("l", (DataKind::List, 3, start), values);
        let mut written = Vec::new();
        let mut lines = Writing::to(&mut written);
        for piece in [
            list(0, &["x", "y", "z"]),
            piece("a", (DataKind::Text, 1, 0), &["1"]),
            list(0, &["x", "y"]),
            list(2, &["z"]),
        ] {
            lines.write(&piece).expect("a vector takes all");
        }
        lines.end().expect("a vector takes all");
        assert_eq!(read(&written, Wholeness::Asked), Ok(["l0", "a0"].map(str::to_owned).into()));
    }

    #[test]
    fn a_wrong_line_is_named() {
        let right = r#"{"key":"a","kind":"text","count":1,"values":["1"]}"#;
        for (line, says) in [
            (r#"{"key":"b","kind":"lists","count":1}"#, "unknown variant"),
            (r#"{"key":"b","kind":"list","count":1}"#, "no values"),
            (r#"{"key":"b","kind":"text","count":2,"values":["1","2"]}"#, "a text is one value"),
            (r#"{"key":"b","kind":"list","count":1,"values":["1","2"]}"#, "more values than count"),
            (r#"{"key":"b","kind":"other","count":0}"#, "cannot be put into a store"),
        ] {
            let text = format!("{right}\n\n{line}\n");
            let wrong = read(text.as_bytes(), Wholeness::Waived).expect_err("it is wrong");
            assert!(wrong.contains("line 3 ") && wrong.contains(says), "{wrong}");
        }
    }

    #[test]
    fn a_line_is_bounded() {
        let long = vec![b' '; LINE_BYTES_MAX as usize + 1];
        let wrong = read(&long, Wholeness::Waived).expect_err("it never ends");
        assert!(wrong.contains("too long"), "{wrong}");
    }
}
