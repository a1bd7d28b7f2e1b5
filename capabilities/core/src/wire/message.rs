//! Messages of contracts, written and read without serde.
//!
//! The bytes are those of [`super::encode`] and [`super::decode`]; golden vectors check both. Every
//! call takes this way, in the host and in a guest: it is several times faster than serde and a
//! tenth of the code in a module.

use super::blob::{Blob, BlobRef};
use super::pairs::Pairs;
use super::reader::{Malformed, Reader};
use super::writer;
use crate::call_error::CallError;
use crate::error::Code;

/// A value that can be written.
pub trait Encode {
    /// Appends the encoding.
    fn write(&self, out: &mut Vec<u8>);
}

/// A value that can be read.
pub trait Decode: Sized {
    /// Reads one value.
    ///
    /// # Errors
    /// When the bytes are not such a value; the error says what was expected, and in which field.
    fn read(input: &mut Reader<'_>) -> Result<Self, Malformed>;
}

/// The encoding of a message.
#[must_use]
pub fn to_bytes<M: Encode + ?Sized>(message: &M) -> Vec<u8> {
    let mut out = Vec::with_capacity(128);
    message.write(&mut out);
    out
}

/// Reads a message and ignores the bytes after it.
///
/// # Errors
/// [`Code::Message`] when the bytes are not a message of this type; the text names the field.
pub fn from_bytes<M: Decode>(bytes: &[u8]) -> Result<M, CallError> {
    M::read(&mut Reader::new(bytes)).map_err(not_decoded)
}

#[cold]
fn not_decoded(error: Malformed) -> CallError {
    CallError::new(Code::Message, format!("the message cannot be decoded: {error}"))
}

/// Reads the value of a field.
///
/// # Errors
/// Those of the value, with the name of the field.
#[inline]
pub fn field<T: Decode>(input: &mut Reader<'_>, name: &'static str) -> Result<T, Malformed> {
    T::read(input).map_err(|error| error.within(name))
}

/// The value of a field that must be there.
///
/// # Errors
/// When it is missing.
#[inline]
pub fn required<T>(value: Option<T>, name: &'static str) -> Result<T, Malformed> {
    value.ok_or(Malformed::expected("a value").within(name))
}

/// No message: nothing is written, and what was sent is ignored.
impl Encode for () {
    fn write(&self, _: &mut Vec<u8>) {}
}

impl Decode for () {
    fn read(_: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(())
    }
}

macro_rules! integers {
    ($($type:ty, $write:ident as $wide:ty;)+) => {$(
        impl Encode for $type {
            fn write(&self, out: &mut Vec<u8>) {
                writer::$write(out, <$wide>::from(*self));
            }
        }

        impl Decode for $type {
            fn read(input: &mut Reader<'_>) -> Result<Self, Malformed> {
                let fits = |_| Malformed::expected(concat!("a number of type ", stringify!($type)));
                input.$write()?.try_into().map_err(fits)
            }
        }
    )+};
}

integers! {
    u8, unsigned as u64;
    u16, unsigned as u64;
    u32, unsigned as u64;
    u64, unsigned as u64;
    i8, signed as i64;
    i16, signed as i64;
    i32, signed as i64;
    i64, signed as i64;
}

impl Encode for bool {
    fn write(&self, out: &mut Vec<u8>) {
        writer::boolean(out, *self);
    }
}

impl Decode for bool {
    fn read(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        input.boolean()
    }
}

impl Encode for f32 {
    fn write(&self, out: &mut Vec<u8>) {
        writer::float32(out, *self);
    }
}

impl Decode for f32 {
    fn read(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        input.float().map(|value| value as Self)
    }
}

impl Encode for f64 {
    fn write(&self, out: &mut Vec<u8>) {
        writer::float64(out, *self);
    }
}

impl Decode for f64 {
    fn read(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        input.float()
    }
}

impl Encode for str {
    fn write(&self, out: &mut Vec<u8>) {
        writer::text(out, self);
    }
}

impl Encode for String {
    fn write(&self, out: &mut Vec<u8>) {
        writer::text(out, self);
    }
}

impl Decode for String {
    fn read(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        input.text().map(str::to_owned)
    }
}

impl Encode for Blob {
    fn write(&self, out: &mut Vec<u8>) {
        writer::bytes(out, self);
    }
}

impl Encode for BlobRef<'_> {
    fn write(&self, out: &mut Vec<u8>) {
        writer::bytes(out, self.0);
    }
}

impl Decode for Blob {
    fn read(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        match input.try_bytes()? {
            Some(bytes) => Ok(Self(bytes.to_vec())),
            None => Vec::<u8>::read(input).map(Self),
        }
    }
}

impl<T: Encode + ?Sized> Encode for &T {
    fn write(&self, out: &mut Vec<u8>) {
        (**self).write(out);
    }
}

impl<T: Encode> Encode for Option<T> {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Some(value) => value.write(out),
            None => writer::nil(out),
        }
    }
}

impl<T: Decode> Decode for Option<T> {
    fn read(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        if input.nil()? { Ok(None) } else { T::read(input).map(Some) }
    }
}

impl<T: Encode> Encode for [T] {
    fn write(&self, out: &mut Vec<u8>) {
        writer::list(out, self.len());
        self.iter().for_each(|element| element.write(out));
    }
}

impl<T: Encode> Encode for Vec<T> {
    fn write(&self, out: &mut Vec<u8>) {
        self.as_slice().write(out);
    }
}

impl<T: Decode> Decode for Vec<T> {
    /// Nil is an empty list. The length may be a lie, so it does not decide what is allocated.
    fn read(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        if input.nil()? {
            return Ok(Self::new());
        }
        let len = input.list_len()?.ok_or(Malformed::expected("a list"))?;
        let mut elements = Self::with_capacity(len.min(32));
        for _ in 0..len {
            elements.push(T::read(input)?);
        }
        Ok(elements)
    }
}

impl<T: Encode> Encode for Pairs<T> {
    fn write(&self, out: &mut Vec<u8>) {
        writer::map(out, self.0.len());
        for (name, value) in &self.0 {
            writer::text(out, name);
            value.write(out);
        }
    }
}

impl<T: Decode> Decode for Pairs<T> {
    /// A list under a name means several values (G5 headers). A list of pairs is read too.
    fn read(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        if input.nil()? {
            return Ok(Self::new());
        }
        if let Some(len) = input.list_len()? {
            return pairs_of_list(input, len);
        }
        let len = input.map_len()?.ok_or(Malformed::expected("a map"))?;
        let mut pairs = Vec::with_capacity(len.min(32));
        for _ in 0..len {
            let name = String::read(input)?;
            match input.list_len()? {
                None => pairs.push((name, T::read(input)?)),
                Some(values) => {
                    for _ in 0..values {
                        pairs.push((name.clone(), T::read(input)?));
                    }
                }
            }
        }
        Ok(Self(pairs))
    }
}

fn pairs_of_list<T: Decode>(input: &mut Reader<'_>, len: usize) -> Result<Pairs<T>, Malformed> {
    let mut pairs = Pairs::new();
    for _ in 0..len {
        if input.list_len()? != Some(2) {
            return Err(Malformed::expected("a list of a name and a value"));
        }
        pairs.0.push((String::read(input)?, T::read(input)?));
    }
    Ok(pairs)
}
