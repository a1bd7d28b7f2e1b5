//! MessagePack, read byte by byte. The page of [`crate::wire`] lists the forms that are accepted.

use std::fmt;

/// Deepest nesting of a message. A deeper one is refused before the reader recurses into it.
pub const NESTING_MAX: usize = 32;

/// Why bytes are not the message: what was expected, and in which field.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Malformed {
    expected: &'static str,
    field: Option<&'static str>,
}

impl Malformed {
    /// The bytes are something other than `expected`.
    #[must_use]
    pub const fn expected(expected: &'static str) -> Self {
        Self { expected, field: None }
    }

    /// The same error with the name of a field; an inner field's name is kept.
    #[must_use]
    pub fn within(self, field: &'static str) -> Self {
        Self { field: self.field.or(Some(field)), ..self }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected ")?;
        f.write_str(self.expected)?;
        if let Some(field) = self.field {
            f.write_str(" in field `")?;
            f.write_str(field)?;
            f.write_str("`")?;
        }
        Ok(())
    }
}

impl std::error::Error for Malformed {}

/// The bytes that are not read yet.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

/// A record that is being read: a map, or an array of values in the order of the fields.
#[derive(Debug)]
pub struct Fields {
    left: usize,
    position: usize,
    keyed: bool,
}

impl Fields {
    /// The position of the next field in the contract; `None` at the end. `position_of` knows the
    /// keys and gives an unknown one a position that no field has.
    ///
    /// # Errors
    /// When a key is not text.
    #[inline]
    pub fn next(
        &mut self,
        input: &mut Reader<'_>,
        position_of: fn(&[u8]) -> usize,
    ) -> Result<Option<usize>, Malformed> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        if self.keyed {
            return input.text_bytes().map(|key| Some(position_of(key)));
        }
        self.position += 1;
        Ok(Some(self.position - 1))
    }
}

impl<'a> Reader<'a> {
    /// Reads from the beginning of `bytes`.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Begins a record.
    ///
    /// # Errors
    /// When the next value is neither a map nor an array.
    pub fn record(&mut self) -> Result<Fields, Malformed> {
        let position = 0;
        if let Some(left) = self.list_len()? {
            return Ok(Fields { left, position, keyed: false });
        }
        let left = self.map_len()?.ok_or(Malformed::expected("a map"))?;
        Ok(Fields { left, position, keyed: true })
    }

    /// The number of elements when the next value is a list; otherwise nothing is read.
    ///
    /// # Errors
    /// When the bytes end.
    pub fn list_len(&mut self) -> Result<Option<usize>, Malformed> {
        self.container(0x90, [0xdc, 0xdd])
    }

    /// The number of entries when the next value is a map; otherwise nothing is read.
    ///
    /// # Errors
    /// When the bytes end.
    pub fn map_len(&mut self) -> Result<Option<usize>, Malformed> {
        self.container(0x80, [0xde, 0xdf])
    }

    fn container(&mut self, fix: u8, [short, long]: [u8; 2]) -> Result<Option<usize>, Malformed> {
        let marker = self.peek()?;
        let len_bytes = match marker {
            _ if marker & 0xf0 == fix => {
                self.rest = &self.rest[1..];
                return Ok(Some(usize::from(marker & 0x0f)));
            }
            _ if marker == short => 2,
            _ if marker == long => 4,
            _ => return Ok(None),
        };
        self.rest = &self.rest[1..];
        self.big_endian(len_bytes).map(|len| Some(len as usize))
    }

    /// Reads nil when the next value is nil, and says whether it was.
    ///
    /// # Errors
    /// When the bytes end.
    pub fn nil(&mut self) -> Result<bool, Malformed> {
        let is_nil = self.peek()? == 0xc0;
        if is_nil {
            self.rest = &self.rest[1..];
        }
        Ok(is_nil)
    }

    /// Reads text.
    ///
    /// # Errors
    /// When the next value is not text, or not UTF-8.
    pub fn text(&mut self) -> Result<&'a str, Malformed> {
        std::str::from_utf8(self.text_bytes()?).map_err(|_| Malformed::expected("UTF-8 text"))
    }

    /// Reads the bytes of a text without checking that they are UTF-8.
    fn text_bytes(&mut self) -> Result<&'a [u8], Malformed> {
        self.try_bytes()?.ok_or(Malformed::expected("text"))
    }

    /// Reads `bin` or `str` when the next value is one; otherwise nothing is read.
    ///
    /// # Errors
    /// When the bytes end.
    pub fn try_bytes(&mut self) -> Result<Option<&'a [u8]>, Malformed> {
        let marker = self.peek()?;
        let len_bytes = match marker {
            0xa0..=0xbf => {
                self.rest = &self.rest[1..];
                return self.take(usize::from(marker & 0x1f)).map(Some);
            }
            0xc4 | 0xd9 => 1,
            0xc5 | 0xda => 2,
            0xc6 | 0xdb => 4,
            _ => return Ok(None),
        };
        self.rest = &self.rest[1..];
        let len = self.big_endian(len_bytes)?;
        self.take(len as usize).map(Some)
    }

    /// Reads the name of a case, or its position (guests of 2020 wrote enums that way). An unknown
    /// name gets a position that no case has.
    ///
    /// # Errors
    /// When the next value is neither.
    pub fn case(&mut self, position_of: fn(&[u8]) -> usize) -> Result<usize, Malformed> {
        match self.try_bytes()? {
            Some(name) => Ok(position_of(name)),
            None => Ok(self.unsigned()?.try_into().unwrap_or(usize::MAX)),
        }
    }

    /// Reads a Boolean.
    ///
    /// # Errors
    /// When the next value is not a Boolean.
    pub fn boolean(&mut self) -> Result<bool, Malformed> {
        match self.marker()? {
            0xc2 => Ok(false),
            0xc3 => Ok(true),
            _ => Err(Malformed::expected("true or false")),
        }
    }

    /// Reads an integer that is not negative, in any of its forms.
    ///
    /// # Errors
    /// When the next value is not an integer, or is negative.
    pub fn unsigned(&mut self) -> Result<u64, Malformed> {
        self.number().and_then(|number| match number {
            Number::Unsigned(value) => Ok(value),
            Number::Negative(_) => Err(Malformed::expected("a number of 0 or more")),
        })
    }

    /// Reads an integer of either sign, in any of its forms.
    ///
    /// # Errors
    /// When the next value is not an integer, or is above `i64::MAX`.
    pub fn signed(&mut self) -> Result<i64, Malformed> {
        self.number().and_then(|number| match number {
            Number::Unsigned(value) => {
                i64::try_from(value).map_err(|_| Malformed::expected("a smaller number"))
            }
            Number::Negative(value) => Ok(value),
        })
    }

    /// Reads a float of either width, or an integer: many encoders write a number without a
    /// fraction as one.
    ///
    /// # Errors
    /// When the next value is not a number.
    pub fn float(&mut self) -> Result<f64, Malformed> {
        match self.peek()? {
            0xca => self.past_marker(4).map(|bits| f64::from(f32::from_bits(bits as u32))),
            0xcb => self.past_marker(8).map(f64::from_bits),
            0x00..=0x7f | 0xcc..=0xd3 | 0xe0..=0xff => Ok(match self.number()? {
                Number::Unsigned(value) => value as f64,
                Number::Negative(value) => value as f64,
            }),
            _ => Err(Malformed::expected("a number")),
        }
    }

    fn past_marker(&mut self, len: usize) -> Result<u64, Malformed> {
        self.marker()?;
        self.big_endian(len)
    }

    /// Skips one value of any kind.
    ///
    /// # Errors
    /// When the bytes end, or it is nested deeper than [`NESTING_MAX`].
    pub fn skip(&mut self) -> Result<(), Malformed> {
        self.skip_of(usize::MAX)
    }

    /// The same, for who makes something of each value: one that has more than `values_max` of
    /// them, with all that is in it, is refused.
    ///
    /// # Errors
    /// As [`skip`](Self::skip), and when there are more.
    pub fn skip_of(&mut self, values_max: usize) -> Result<(), Malformed> {
        let mut left = values_max;
        self.skip_below(NESTING_MAX, &mut left)
    }

    fn skip_below(&mut self, depth: usize, left: &mut usize) -> Result<(), Malformed> {
        let depth = depth.checked_sub(1).ok_or(Malformed::expected("less nesting"))?;
        *left = left.checked_sub(1).ok_or(Malformed::expected("fewer values"))?;
        if self.try_bytes()?.is_some() {
            return Ok(());
        }
        let list = self.list_len()?;
        let values = match list {
            Some(len) => len,
            None => match self.map_len()? {
                Some(len) => len.saturating_mul(2),
                None => return self.skip_scalar(),
            },
        };
        (0..values).try_for_each(|_| self.skip_below(depth, left))
    }

    fn skip_scalar(&mut self) -> Result<(), Malformed> {
        let len = match self.marker()? {
            0xcc | 0xd0 => 1,
            0xcd | 0xd1 | 0xd4 => 2,
            0xd5 => 3,
            0xca | 0xce | 0xd2 => 4,
            0xd6 => 5,
            0xcb | 0xcf | 0xd3 => 8,
            0xd7 => 9,
            0xd8 => 17,
            0xc7 => self.big_endian(1)? as usize + 1,
            0xc8 => self.big_endian(2)? as usize + 1,
            0xc9 => self.big_endian(4)? as usize + 1,
            0xc1 => return Err(Malformed::expected("a MessagePack value")),
            _ => 0,
        };
        self.take(len).map(|_| ())
    }

    fn number(&mut self) -> Result<Number, Malformed> {
        let marker = self.marker()?;
        let signed = |value: i64| match u64::try_from(value) {
            Ok(value) => Number::Unsigned(value),
            Err(_) => Number::Negative(value),
        };
        Ok(match marker {
            0x00..=0x7f => Number::Unsigned(u64::from(marker)),
            0xe0..=0xff => Number::Negative(i64::from(marker as i8)),
            0xcc => Number::Unsigned(self.big_endian(1)?),
            0xcd => Number::Unsigned(self.big_endian(2)?),
            0xce => Number::Unsigned(self.big_endian(4)?),
            0xcf => Number::Unsigned(self.big_endian(8)?),
            0xd0 => signed(i64::from(self.big_endian(1)? as i8)),
            0xd1 => signed(i64::from(self.big_endian(2)? as i16)),
            0xd2 => signed(i64::from(self.big_endian(4)? as i32)),
            0xd3 => signed(self.big_endian(8)? as i64),
            _ => return Err(Malformed::expected("a whole number")),
        })
    }

    /// The first byte of the next value.
    pub(super) fn peek(&self) -> Result<u8, Malformed> {
        self.rest.first().copied().ok_or(ENDS_EARLY)
    }

    fn marker(&mut self) -> Result<u8, Malformed> {
        let (marker, rest) = self.rest.split_first().ok_or(ENDS_EARLY)?;
        self.rest = rest;
        Ok(*marker)
    }

    fn big_endian(&mut self, len: usize) -> Result<u64, Malformed> {
        Ok(self.take(len)?.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    #[inline]
    fn take(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(ENDS_EARLY)?;
        self.rest = rest;
        Ok(taken)
    }
}

const ENDS_EARLY: Malformed = Malformed::expected("more bytes: the message ends early");

enum Number {
    Unsigned(u64),
    Negative(i64),
}
