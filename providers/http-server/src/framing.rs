//! Where each request on a connection begins and ends, by its own reading of the bytes.
//!
//! RFC 9112 section 6.3 lets a server take a request with both `Content-Length` and
//! `Transfer-Encoding`, or with the same length twice, and hyper does; such requests are how
//! smuggling past a proxy begins, so this provider refuses them. hyper hides the evidence, so the
//! bytes are followed here beside it: line by line through headers, by count through bodies. What
//! cannot be followed is refused too.

/// Longest start of a line that is kept when a line comes in pieces.
const LINE_KEPT: usize = 64;

/// Follows the requests of one connection.
#[derive(Debug)]
pub(crate) struct Framing {
    state: State,
    /// The start of a line whose end has not arrived.
    partial: Vec<u8>,
    /// True when `partial` is only the start of what came.
    cut: bool,
    head: Head,
    heads: u64,
    suspect_from: Option<u64>,
}

/// Where in the stream the next byte lies. Counts are bytes still to come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    BetweenRequests,
    Head,
    Body(u64),
    ChunkSize,
    ChunkData(u64),
    Trailer,
    Lost,
}

/// What the header said about the body so far.
#[derive(Clone, Copy, Default, Debug)]
struct Head {
    length: Option<u64>,
    chunked: bool,
    contradictory: bool,
}

impl Framing {
    pub(crate) const fn new() -> Self {
        Self {
            state: State::BetweenRequests,
            partial: Vec::new(),
            cut: false,
            head: Head { length: None, chunked: false, contradictory: false },
            heads: 0,
            suspect_from: None,
        }
    }

    /// True when the `number`th request of the connection (from 1), or one before it, contradicts
    /// itself about the length of its body.
    pub(crate) fn suspects(&self, number: u64) -> bool {
        self.suspect_from.is_some_and(|from| number >= from)
    }

    /// True between the first byte of a request and the end of its header.
    pub(crate) fn inside_head(&self) -> bool {
        self.state == State::Head
            || (self.state == State::BetweenRequests && !matches!(&self.partial[..], [] | b"\r"))
    }

    /// Takes the next bytes of the connection.
    pub(crate) fn feed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            match self.state {
                State::Lost => return,
                State::Body(left) => bytes = self.skip(bytes, left),
                State::ChunkData(left) => bytes = self.skip(bytes, left),
                _ => match memchr::memchr(b'\n', bytes) {
                    None => return self.keep(bytes),
                    Some(end) => {
                        self.end_line(&bytes[..end]);
                        bytes = &bytes[end + 1..];
                    }
                },
            }
        }
    }

    fn skip<'a>(&mut self, bytes: &'a [u8], left: u64) -> &'a [u8] {
        let here = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        let left = left - here as u64;
        self.state = match self.state {
            State::Body(_) if left == 0 => State::BetweenRequests,
            State::Body(_) => State::Body(left),
            _ if left == 0 => State::ChunkSize,
            _ => State::ChunkData(left),
        };
        &bytes[here..]
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = LINE_KEPT - self.partial.len();
        self.partial.extend_from_slice(&bytes[..bytes.len().min(room)]);
        self.cut |= bytes.len() > room;
    }

    fn end_line(&mut self, rest: &[u8]) {
        if self.partial.is_empty() {
            return self.line(rest, false);
        }
        self.keep(rest);
        let mut line = std::mem::take(&mut self.partial);
        let cut = std::mem::take(&mut self.cut);
        self.line(&line, cut);
        line.clear();
        self.partial = line;
    }

    /// One line without its line feed; `cut` when only its start is known.
    fn line(&mut self, line: &[u8], cut: bool) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match self.state {
            State::BetweenRequests if line.is_empty() => {}
            State::BetweenRequests => {
                self.head = Head::default();
                self.state = State::Head;
            }
            State::Head if line.is_empty() => self.end_head(),
            State::Head => self.head.field(line, cut),
            State::ChunkSize => self.state = chunk(line).unwrap_or(State::Lost),
            State::Trailer if line.is_empty() => self.state = State::BetweenRequests,
            State::Trailer | State::Body(_) | State::ChunkData(_) | State::Lost => {}
        }
        if self.state == State::Lost {
            self.suspect_from.get_or_insert(self.heads + 1);
        }
    }

    fn end_head(&mut self) {
        self.heads += 1;
        let Head { length, chunked, contradictory } = self.head;
        self.state = if contradictory || (chunked && length.is_some()) {
            self.suspect_from.get_or_insert(self.heads);
            State::Lost
        } else if chunked {
            State::ChunkSize
        } else {
            length.filter(|length| *length > 0).map_or(State::BetweenRequests, State::Body)
        };
    }
}

impl Head {
    fn field(&mut self, line: &[u8], cut: bool) {
        // Most lines are told apart by their first byte.
        match line.first() {
            Some(b'c' | b'C') => {
                if let Some(value) = value_of(line, b"content-length:") {
                    let length = number(value).filter(|_| !cut && self.length.is_none());
                    self.contradictory |= length.is_none();
                    self.length = self.length.or(length);
                }
            }
            Some(b't' | b'T') => {
                if let Some(value) = value_of(line, b"transfer-encoding:") {
                    let chunked = value.eq_ignore_ascii_case(b"chunked");
                    self.contradictory |= cut || self.chunked || !chunked;
                    self.chunked = true;
                }
            }
            _ => {}
        }
    }
}

fn value_of<'a>(line: &'a [u8], name_and_colon: &[u8]) -> Option<&'a [u8]> {
    let (name, value) = line.split_at_checked(name_and_colon.len())?;
    name.eq_ignore_ascii_case(name_and_colon).then(|| value.trim_ascii())
}

fn number(digits: &[u8]) -> Option<u64> {
    let plain = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(digits).ok().filter(|_| plain)?.parse().ok()
}

fn chunk(line: &[u8]) -> Option<State> {
    let digits = line.split(|byte| !byte.is_ascii_hexdigit()).next()?;
    let size = u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    // The data is followed by its own line end.
    if size == 0 { Some(State::Trailer) } else { size.checked_add(2).map(State::ChunkData) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds in pieces of every size, and checks that the verdict does not depend on it.
    fn first_suspect(bytes: &[u8]) -> Option<u64> {
        let mut whole = Framing::new();
        whole.feed(bytes);
        for size in 1..bytes.len().min(80) {
            let mut pieces = Framing::new();
            bytes.chunks(size).for_each(|piece| pieces.feed(piece));
            assert_eq!(pieces.suspect_from, whole.suspect_from, "pieces of {size}");
            assert_eq!((pieces.state, pieces.heads), (whole.state, whole.heads), "{size}");
        }
        whole.suspect_from
    }

    #[test]
    fn plain_requests_are_followed() {
        let stream = b"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\nPOST / HTTP/1.1\r\n\
            Content-Length: 5\r\n\r\nhelloPOST / HTTP/1.1\ntransfer-encoding: Chunked\n\n\
            5;ext=1\r\nhello\r\n0\r\nContent-Length: 3\r\n\r\nGET / HTTP/1.1\r\n\r\n";
        assert_eq!(first_suspect(stream), None);
        let mut framing = Framing::new();
        framing.feed(stream);
        assert_eq!((framing.heads, framing.state), (4, State::BetweenRequests));
    }

    #[test]
    fn a_body_that_looks_like_smuggling_is_a_body() {
        let inner = "POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n";
        let sized = format!("POST / HTTP/1.1\r\nContent-Length: {}\r\n\r\n{inner}", inner.len());
        assert_eq!(first_suspect(sized.as_bytes()), None);
        let chunked = format!(
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{inner}\r\n0\r\n\r\n",
            inner.len()
        );
        assert_eq!(first_suspect(chunked.as_bytes()), None);
    }

    #[test]
    fn contradictions_are_suspect() {
        for fields in [
            "Content-Length: 5\r\nTransfer-Encoding: chunked",
            "transfer-encoding:chunked\r\nX: y\r\ncontent-length:5",
            "Content-Length: 5\r\nContent-Length: 5",
            "Content-Length: 5\r\nContent-Length: 6",
            "Content-Length: 5, 5",
            "Content-Length: +5",
            "Content-Length:",
            "Content-Length: 99999999999999999999999",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: gzip, chunked",
            "Transfer-Encoding: xchunked",
        ] {
            let stream = format!(
                "GET / HTTP/1.1\r\n\r\nPOST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\nhello"
            );
            assert_eq!(first_suspect(stream.as_bytes()), Some(2), "{fields}");
        }
    }

    #[test]
    fn what_cannot_be_followed_is_suspect_from_the_next_request_on() {
        let stream = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n";
        assert_eq!(first_suspect(stream), Some(2));
        let long = format!("POST / HTTP/1.1\r\nContent-Length: {}5\r\n\r\n", " ".repeat(100));
        let mut pieces = Framing::new();
        long.as_bytes().chunks(7).for_each(|piece| pieces.feed(piece));
        assert!(pieces.suspects(1));
    }

    #[test]
    fn a_head_begins_with_its_first_byte() {
        let mut framing = Framing::new();
        framing.feed(b"\r\n\r");
        assert!(!framing.inside_head());
        framing.feed(b"\nG");
        assert!(framing.inside_head());
        framing.feed(b"ET / HTTP/1.1\r\n");
        assert!(framing.inside_head());
        framing.feed(b"\r\n");
        assert!(!framing.inside_head());
    }
}
