//! Where each request on a connection begins and ends, by its own reading of the bytes.
//!
//! RFC 9112 section 6.3 lets a server take a request with both `Content-Length` and
//! `Transfer-Encoding`, or with the same length twice, and hyper does; such requests are how
//! smuggling past a proxy begins, so this provider refuses them. hyper hides the evidence, so the
//! bytes are followed here beside it. What cannot be followed is refused too, and where hyper is
//! lenient (a bare line feed inside trailers) this reading is not.
//!
//! Every byte moves one small state, so the verdict cannot depend on how the stream was cut into
//! reads. Lines that say nothing about a body are skipped as a whole.

/// Follows the requests of one connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Framing {
    state: State,
    head: Head,
    heads: u64,
    suspect_from: Option<u64>,
}

/// Where in the stream the next byte lies. Counts are bytes still to come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// Before a request, where empty lines are skipped.
    BetweenRequests,
    /// In the first line of a request.
    RequestLine,
    /// At the start of a field, or of the empty line that ends the header.
    FieldStart,
    /// In the name of a field that may be `field`: so many bytes of it match.
    Name(Field, usize),
    /// In a field that says nothing about the body.
    OtherField,
    /// In the value of `Content-Length`; the number so far.
    Length(Part, Option<u64>),
    /// In the value of `Transfer-Encoding`: so many bytes of `chunked` match.
    Coding(Part, usize),
    /// After the carriage return of the empty line that ends the header.
    HeadEnd,
    Body(u64),
    /// In a chunk's size; the number so far.
    ChunkSize(Option<u64>),
    /// In what follows a chunk's size on its line.
    ChunkExtension(u64),
    /// After the carriage return that ends a chunk's size.
    ChunkSizeEnd(u64),
    /// In a chunk's data, or the line end behind it.
    ChunkData(u64),
    /// At the start of a trailer field, or of the empty line that ends the body.
    TrailerStart,
    Trailer,
    /// After the carriage return of a trailer field.
    TrailerEnd,
    /// After the carriage return of the empty line that ends the body.
    BodyEnd,
    /// Nothing more is known.
    Lost,
}

/// The fields that say how long a body is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Field {
    ContentLength,
    TransferEncoding,
}

/// Where in a field's value the next byte lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Part {
    Before,
    Inside,
    After,
    /// After a carriage return.
    End,
}

/// What a byte of a field's value is.
enum Piece {
    Blank(Part),
    Content,
    LineEnd,
    Misplaced,
}

/// What the header said about the body so far.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
struct Head {
    length: Option<u64>,
    chunked: bool,
    contradictory: bool,
}

const CHUNKED: &[u8] = b"chunked";

impl Framing {
    pub(crate) const fn new() -> Self {
        Self {
            state: State::BetweenRequests,
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

    /// Requests whose header is complete.
    pub(crate) const fn heads(&self) -> u64 {
        self.heads
    }

    /// True between the first byte of a request and the end of its header.
    pub(crate) const fn inside_head(&self) -> bool {
        matches!(
            self.state,
            State::RequestLine
                | State::FieldStart
                | State::Name(..)
                | State::OtherField
                | State::Length(..)
                | State::Coding(..)
                | State::HeadEnd
        )
    }

    /// True when more bytes of the same request must follow.
    pub(crate) const fn inside_request(&self) -> bool {
        !matches!(self.state, State::BetweenRequests | State::Lost)
    }

    /// Takes the next bytes of the connection.
    pub(crate) fn feed(&mut self, mut bytes: &[u8]) {
        while let Some((&byte, rest)) = bytes.split_first() {
            bytes = match self.state {
                State::Lost => return,
                State::Body(left) => self.skip(bytes, left, State::Body, State::BetweenRequests),
                State::ChunkData(left) => {
                    self.skip(bytes, left, State::ChunkData, State::ChunkSize(None))
                }
                State::RequestLine | State::OtherField => match memchr::memchr(b'\n', bytes) {
                    None => return,
                    Some(end) => {
                        self.state = State::FieldStart;
                        &bytes[end + 1..]
                    }
                },
                _ => {
                    self.state = self.after(byte);
                    if self.state == State::Lost {
                        self.suspect_from.get_or_insert(self.heads + 1);
                    }
                    rest
                }
            };
        }
    }

    fn skip<'a>(
        &mut self,
        bytes: &'a [u8],
        left: u64,
        inside: fn(u64) -> State,
        behind: State,
    ) -> &'a [u8] {
        let here = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        let left = left - here as u64;
        self.state = if left == 0 { behind } else { inside(left) };
        &bytes[here..]
    }

    /// The state after one byte that matters.
    fn after(&mut self, byte: u8) -> State {
        match (self.state, byte) {
            (State::BetweenRequests, b'\r' | b'\n') => State::BetweenRequests,
            (State::BetweenRequests, _) => {
                self.head = Head::default();
                State::RequestLine
            }
            (State::FieldStart, b'\n') | (State::HeadEnd, b'\n') => self.end_head(),
            (State::FieldStart, b'\r') => State::HeadEnd,
            (State::FieldStart, b'c' | b'C') => State::Name(Field::ContentLength, 1),
            (State::FieldStart, b't' | b'T') => State::Name(Field::TransferEncoding, 1),
            (State::FieldStart, _) => State::OtherField,
            (State::Name(field, matched), byte) => field.after(matched, byte),
            (State::Length(part, number), byte) => self.in_length(part, number, byte),
            (State::Coding(part, matched), byte) => self.in_coding(part, matched, byte),
            (state, byte) => in_chunks(state, byte),
        }
    }

    fn in_length(&mut self, part: Part, number: Option<u64>, byte: u8) -> State {
        match part.piece(byte) {
            Piece::Blank(part) => State::Length(part, number),
            Piece::Content => match appended(number, byte, 10) {
                Some(number) => State::Length(Part::Inside, Some(number)),
                None => self.contradiction(),
            },
            Piece::LineEnd if number.is_none() || self.head.length.is_some() => {
                self.head.contradictory = true;
                State::FieldStart
            }
            Piece::LineEnd => {
                self.head.length = number;
                State::FieldStart
            }
            Piece::Misplaced => self.contradiction(),
        }
    }

    fn in_coding(&mut self, part: Part, matched: usize, byte: u8) -> State {
        match part.piece(byte) {
            Piece::Blank(part) => State::Coding(part, matched),
            Piece::Content if CHUNKED.get(matched) == Some(&byte.to_ascii_lowercase()) => {
                State::Coding(Part::Inside, matched + 1)
            }
            Piece::LineEnd => {
                self.head.contradictory |= self.head.chunked || matched != CHUNKED.len();
                self.head.chunked = true;
                State::FieldStart
            }
            Piece::Content | Piece::Misplaced => self.contradiction(),
        }
    }

    /// The rest of the line says nothing any more.
    fn contradiction(&mut self) -> State {
        self.head.contradictory = true;
        State::OtherField
    }

    fn end_head(&mut self) -> State {
        self.heads += 1;
        let Head { length, chunked, contradictory } = self.head;
        if contradictory || (chunked && length.is_some()) {
            self.suspect_from.get_or_insert(self.heads);
            State::Lost
        } else if chunked {
            State::ChunkSize(None)
        } else {
            length.filter(|length| *length > 0).map_or(State::BetweenRequests, State::Body)
        }
    }
}

impl Field {
    fn after(self, matched: usize, byte: u8) -> State {
        let name: &[u8] = match self {
            Self::ContentLength => b"content-length",
            Self::TransferEncoding => b"transfer-encoding",
        };
        match (name.get(matched), byte) {
            // A line without a colon is no field; hyper refuses it as well.
            (_, b'\n') => State::Lost,
            (Some(expected), byte) if byte.eq_ignore_ascii_case(expected) => {
                State::Name(self, matched + 1)
            }
            (None, b':') => match self {
                Self::ContentLength => State::Length(Part::Before, None),
                Self::TransferEncoding => State::Coding(Part::Before, 0),
            },
            _ => State::OtherField,
        }
    }
}

impl Part {
    fn piece(self, byte: u8) -> Piece {
        match (self, byte) {
            (_, b'\n') => Piece::LineEnd,
            (Self::End, _) => Piece::Misplaced,
            (_, b'\r') => Piece::Blank(Self::End),
            (Self::Before, b' ' | b'\t') => Piece::Blank(Self::Before),
            (_, b' ' | b'\t') => Piece::Blank(Self::After),
            (Self::Before | Self::Inside, _) => Piece::Content,
            (Self::After, _) => Piece::Misplaced,
        }
    }
}

/// One byte of a body in chunks (RFC 9112 section 7.1). Unlike in a header, every line must end in
/// both a carriage return and a line feed.
fn in_chunks(state: State, byte: u8) -> State {
    match (state, byte) {
        (State::ChunkSize(Some(size)), b';' | b' ' | b'\t') => State::ChunkExtension(size),
        (State::ChunkSize(Some(size)) | State::ChunkExtension(size), b'\r') => {
            State::ChunkSizeEnd(size)
        }
        (State::ChunkSize(size), digit) => {
            appended(size, digit, 16).map_or(State::Lost, |size| State::ChunkSize(Some(size)))
        }
        (State::ChunkExtension(_), b'\n') => State::Lost,
        (State::ChunkExtension(size), _) => State::ChunkExtension(size),
        (State::ChunkSizeEnd(0), b'\n') => State::TrailerStart,
        // The data is followed by a line end of its own, which hyper looks at.
        (State::ChunkSizeEnd(size), b'\n') => {
            size.checked_add(2).map_or(State::Lost, State::ChunkData)
        }
        (State::TrailerStart, b'\r') => State::BodyEnd,
        (State::Trailer, b'\r') => State::TrailerEnd,
        (State::TrailerStart | State::Trailer, b'\n') => State::Lost,
        (State::TrailerStart | State::Trailer, _) => State::Trailer,
        (State::TrailerEnd, b'\n') => State::TrailerStart,
        (State::BodyEnd, b'\n') => State::BetweenRequests,
        _ => State::Lost,
    }
}

/// The number with one more digit.
fn appended(number: Option<u64>, digit: u8, radix: u32) -> Option<u64> {
    let digit = char::from(digit).to_digit(radix)?;
    number.unwrap_or(0).checked_mul(radix.into())?.checked_add(digit.into())
}

#[cfg(test)]
mod tests;
