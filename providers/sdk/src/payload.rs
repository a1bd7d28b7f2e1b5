//! How a payload is written when a call leaves the process: as bytes, not as a list of numbers.

use std::fmt;

use bytes::Bytes;
use serde::de::{SeqAccess, Visitor};
use serde::{Deserializer, Serializer};

/// Most bytes set aside on the word of a length that was not checked yet.
const TRUSTED_LENGTH: usize = 64 << 10;

pub(crate) fn serialize<S: Serializer>(payload: &Bytes, out: S) -> Result<S::Ok, S::Error> {
    out.serialize_bytes(payload)
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Bytes, D::Error> {
    input.deserialize_byte_buf(Payload)
}

struct Payload;

impl<'de> Visitor<'de> for Payload {
    type Value = Bytes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes")
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Bytes, E> {
        Ok(Bytes::copy_from_slice(bytes))
    }

    fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<Bytes, E> {
        Ok(bytes.into())
    }

    /// JSON has no bytes: there they are a list of numbers.
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Bytes, A::Error> {
        let expected = list.size_hint().unwrap_or_default().min(TRUSTED_LENGTH);
        let mut bytes = Vec::with_capacity(expected);
        while let Some(byte) = list.next_element()? {
            bytes.push(byte);
        }
        Ok(bytes.into())
    }
}
