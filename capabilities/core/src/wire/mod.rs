//! The wire codec: MessagePack maps with camelCase keys, bytes as `bin` (the originals' G3/G4
//! form).
//!
//! Encoding is exact. Decoding also accepts what signed modules of 2019 to 2024 send: structs as
//! maps or as arrays in field order, bytes as `bin`, `str` or an array of integers, keys in
//! camelCase or snake_case (`contract!` generates both), and bytes after the value (AssemblyScript
//! adds a NUL).
//!
//! There are two ways to the same bytes. Calls use [`to_bytes`] and [`from_bytes`]: the messages
//! that `contract!` generates write and read themselves. [`encode`] and [`decode`] take anything
//! serde knows, for tools and tests that handle messages of no fixed type.

mod blob;
pub mod message;
mod pairs;
pub mod reader;
pub mod writer;

pub use blob::{Blob, BlobRef};
pub use message::{Decode, Encode, from_bytes, to_bytes};
pub use pairs::Pairs;
pub use reader::NESTING_MAX;

use std::marker::PhantomData;

use serde::Serialize;
use serde::de::{DeserializeOwned, DeserializeSeed};

use crate::call_error::CallError;
use crate::error::Code;

/// Encodes a message as its contract says.
///
/// # Errors
/// [`Code::Message`] when the value cannot be written; a generated message always can.
pub fn encode<T: Serialize + ?Sized>(message: &T) -> Result<Vec<u8>, CallError> {
    let mut out = Vec::with_capacity(128);
    encode_into(message, &mut out)?;
    Ok(out)
}

/// Encodes a message behind what `out` has already.
///
/// # Errors
/// As [`encode`]; then part of the message may stand there.
pub fn encode_into<T: Serialize + ?Sized>(message: &T, out: &mut Vec<u8>) -> Result<(), CallError> {
    let mut serializer = rmp_serde::Serializer::new(out).with_struct_map();
    message.serialize(&mut serializer).map_err(|error| {
        CallError::new(Code::Message, format!("the message cannot be encoded: {error}"))
    })
}

/// Decodes a message, with the tolerance the module page lists.
///
/// # Errors
/// [`Code::Message`] when the bytes are not a message of this type; the text names the field.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CallError> {
    decode_with(PhantomData::<T>, bytes)
}

/// The same for who has something to say of it while it is read, such as how much it may hold.
///
/// # Errors
/// As [`decode`].
pub fn decode_with<'de, S: DeserializeSeed<'de>>(
    seed: S,
    bytes: &'de [u8],
) -> Result<S::Value, CallError> {
    let mut deserializer = rmp_serde::Deserializer::from_read_ref(bytes);
    deserializer.set_max_depth(NESTING_MAX);
    seed.deserialize(&mut deserializer).map_err(|error| {
        CallError::new(Code::Message, format!("the message cannot be decoded: {error}"))
    })
}

#[cfg(test)]
mod tests;
