//! Messages of which only the encoding is known: between JSON and MessagePack.

use std::cell::Cell;
use std::fmt;

use data_encoding::HEXLOWER_PERMISSIVE;
use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Deserializer, Serialize, Serializer};
use trellis_core::{CallError, Code, wire};
use trellis_limits::fixed::MESSAGE_VALUES;

/// In JSON, an object of this one key stands for bytes, given as text.
const TEXT_KEY: &str = "$text";
/// In JSON, an object of this one key stands for bytes, given in hex.
const HEX_KEY: &str = "$hex";

/// Any message. The order of its keys is kept, which some old guests rely on.
#[derive(Clone, PartialEq, Debug)]
pub enum Message {
    /// Nothing.
    Nil,
    /// Yes or no.
    Bool(bool),
    /// A whole number below zero, or any that came as one that may be.
    Signed(i64),
    /// A whole number from zero.
    Unsigned(u64),
    /// Any other number.
    Float(f64),
    /// Text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// A list.
    List(Vec<Message>),
    /// Values by their keys.
    Map(Vec<(Message, Message)>),
}

impl Message {
    /// Reads what a user wrote.
    ///
    /// # Errors
    /// [`Code::Message`] when it is not JSON, or `$hex` is not hex; [`Code::TooLarge`] for one of
    /// too many values.
    pub fn from_json(text: &[u8]) -> Result<Self, CallError> {
        let written = Budget::whole().read(|message| {
            let mut json = serde_json::Deserializer::from_slice(text);
            let read = message.deserialize(&mut json).and_then(|read| json.end().map(|()| read));
            read.map_err(|error| {
                CallError::new(Code::Message, format!("the payload is not JSON: {error}"))
            })
        })?;
        written.with_bytes()
    }

    /// The message as a guest gets it.
    ///
    /// # Errors
    /// As [`wire::encode`].
    pub fn to_wire(&self) -> Result<Vec<u8>, CallError> {
        wire::encode(self)
    }

    /// Reads what a guest sent. Nothing at all is nil.
    ///
    /// # Errors
    /// [`Code::Message`] when it is not MessagePack; [`Code::TooLarge`] for one of too many values.
    pub fn from_wire(bytes: &[u8]) -> Result<Self, CallError> {
        if bytes.is_empty() {
            return Ok(Self::Nil);
        }
        Budget::whole().read(|message| wire::decode_with(message, bytes))
    }

    /// The message as JSON. Bytes are text where they can be, else `$hex`.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        use serde_json::Value;
        match self {
            Self::Nil => Value::Null,
            Self::Bool(value) => (*value).into(),
            Self::Signed(value) => (*value).into(),
            Self::Unsigned(value) => (*value).into(),
            Self::Float(value) => (*value).into(),
            Self::Text(text) => text.as_str().into(),
            Self::Bytes(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => text.into(),
                Err(_) => serde_json::json!({ HEX_KEY: HEXLOWER_PERMISSIVE.encode(bytes) }),
            },
            Self::List(list) => list.iter().map(Self::to_json).collect(),
            Self::Map(map) => Value::Object(
                map.iter().map(|(key, value)| (key.to_key(), value.to_json())).collect(),
            ),
        }
    }

    /// A key of a JSON object.
    fn to_key(&self) -> String {
        match self.to_json() {
            serde_json::Value::String(text) => text,
            other => other.to_string(),
        }
    }

    /// The same message with real bytes in place of the objects that stand for them.
    fn with_bytes(self) -> Result<Self, CallError> {
        match self {
            Self::List(list) => {
                Ok(Self::List(list.into_iter().map(Self::with_bytes).collect::<Result<_, _>>()?))
            }
            Self::Map(map) => {
                if let [(Self::Text(key), Self::Text(text))] = map.as_slice() {
                    match key.as_str() {
                        TEXT_KEY => return Ok(Self::Bytes(text.clone().into_bytes())),
                        HEX_KEY => return Ok(Self::Bytes(from_hex(text)?)),
                        _ => {}
                    }
                }
                let entries = map.into_iter().map(|(key, value)| Ok((key, value.with_bytes()?)));
                Ok(Self::Map(entries.collect::<Result<_, CallError>>()?))
            }
            plain => Ok(plain),
        }
    }
}

/// The bytes of hex digits of either case; white space between them is ignored.
///
/// # Errors
/// [`Code::Message`] when it is not hex.
pub fn from_hex(text: &str) -> Result<Vec<u8>, CallError> {
    let digits: String = text.split_whitespace().collect();
    HEXLOWER_PERMISSIVE.decode(digits.as_bytes()).map_err(|error| {
        CallError::new(Code::Message, format!("not an even number of hex digits: {error}"))
    })
}

impl Serialize for Message {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Nil => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Signed(value) => serializer.serialize_i64(*value),
            Self::Unsigned(value) => serializer.serialize_u64(*value),
            Self::Float(value) => serializer.serialize_f64(*value),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Bytes(bytes) => serializer.serialize_bytes(bytes),
            Self::List(list) => {
                let mut seq = serializer.serialize_seq(Some(list.len()))?;
                list.iter().try_for_each(|item| seq.serialize_element(item))?;
                seq.end()
            }
            Self::Map(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                entries.iter().try_for_each(|(key, value)| map.serialize_entry(key, value))?;
                map.end()
            }
        }
    }
}

/// How many values a message may still have. Each takes tens of bytes here, and one byte or two
/// where it comes from.
struct Budget {
    left: Cell<u64>,
    is_over: Cell<bool>,
}

impl Budget {
    const fn whole() -> Self {
        Self { left: Cell::new(MESSAGE_VALUES.default), is_over: Cell::new(false) }
    }

    /// Reads a message within it.
    fn read(
        &self,
        read: impl FnOnce(MessageReader<'_>) -> Result<Message, CallError>,
    ) -> Result<Message, CallError> {
        read(MessageReader(self)).map_err(|error| {
            if !self.is_over.get() {
                return error;
            }
            let (most, name) = (MESSAGE_VALUES.default, MESSAGE_VALUES.name);
            let message = format!("the message has more than {most} values ({name})");
            CallError::new(Code::TooLarge, message)
        })
    }

    fn take<E: Error>(&self) -> Result<(), E> {
        let left = self.left.get().checked_sub(1);
        self.is_over.set(left.is_none());
        self.left.set(left.ok_or_else(|| E::custom("too many values"))?);
        Ok(())
    }
}

/// Reads one value, with all that is in it.
#[derive(Clone, Copy)]
struct MessageReader<'a>(&'a Budget);

impl<'de> DeserializeSeed<'de> for MessageReader<'_> {
    type Value = Message;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Message, D::Error> {
        self.0.take()?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for MessageReader<'_> {
    type Value = Message;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value that JSON and MessagePack both have")
    }

    fn visit_unit<E>(self) -> Result<Message, E> {
        Ok(Message::Nil)
    }

    fn visit_none<E>(self) -> Result<Message, E> {
        Ok(Message::Nil)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Message, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Message, E> {
        Ok(Message::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Message, E> {
        Ok(Message::Signed(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Message, E> {
        Ok(Message::Unsigned(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Message, E> {
        Ok(Message::Float(value))
    }

    fn visit_str<E>(self, text: &str) -> Result<Message, E> {
        Ok(Message::Text(text.to_owned()))
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Message, E> {
        Ok(Message::Bytes(bytes.to_vec()))
    }

    // Lengths a guest claims are not believed before their items are there: no capacity up front.
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Message, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = seq.next_element_seed(self)? {
            list.push(item);
        }
        Ok(Message::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Message, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry_seed(self, self)? {
            entries.push(entry);
        }
        Ok(Message::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire_of(json: &str) -> Vec<u8> {
        let message = Message::from_json(json.as_bytes()).expect("well-formed");
        message.to_wire().expect("encodable")
    }

    #[test]
    fn json_becomes_messagepack_with_real_bytes() {
        for (json, wire) in [
            ("null", &b"\xc0"[..]),
            ("-1", b"\xff"),
            ("200", b"\xcc\xc8"),
            (r#""hi""#, b"\xa2hi"),
            (r#"{"b":1,"a":[true]}"#, b"\x82\xa1b\x01\xa1a\x91\xc3"),
            (r#"{"$text":"hi"}"#, b"\xc4\x02hi"),
            (r#"{"body":{"$hex":"00fF"}}"#, b"\x81\xa4body\xc4\x02\x00\xff"),
            (r#"{"$text":"hi","more":1}"#, b"\x82\xa5$text\xa2hi\xa4more\x01"),
        ] {
            assert_eq!(wire_of(json), wire, "{json}");
        }
        assert!(Message::from_json(b"{").is_err());
        assert!(Message::from_json(br#"{"$hex":"0"}"#).is_err());
    }

    #[test]
    fn messagepack_becomes_json_people_can_read() {
        for (wire, json) in [
            (&b""[..], "null"),
            (b"\x81\xa4body\xc4\x02hi", r#"{"body":"hi"}"#),
            (b"\x81\xa4body\xc4\x01\xff", r#"{"body":{"$hex":"ff"}}"#),
            (b"\x81\x01\xc0", r#"{"1":null}"#),
            (b"\x93\x01\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00\xc2", "[1,1.5,false]"),
            (b"\xc0\x00", "null"),
        ] {
            let message = Message::from_wire(wire).expect("well-formed");
            assert_eq!(message.to_json().to_string(), json);
        }
    }

    #[test]
    fn hex_is_read_in_either_case_with_spaces() {
        assert_eq!(from_hex("00 fF\n1a").expect("well-formed"), [0, 0xff, 0x1a]);
        assert!(from_hex("").expect("no digits, no bytes").is_empty());
        assert!(from_hex("0").is_err() && from_hex("zz").is_err());
    }

    // Red without `Budget::take`: 16 MB of nils took a second for each MB, and eighty times as much
    // memory.
    #[test]
    fn a_message_of_too_many_values_is_refused_while_it_is_read() {
        let most = MESSAGE_VALUES.default as usize;
        // The list is one of them.
        for (items, code) in [(most - 1, None), (most, Some(Code::TooLarge))] {
            let mut wire = vec![0xdd];
            wire.extend_from_slice(&u32::try_from(items).expect("it fits").to_be_bytes());
            wire.resize(wire.len() + items, 0xc0);
            let json = format!("[{}0]", "0,".repeat(items - 1));
            for read in [Message::from_wire(&wire), Message::from_json(json.as_bytes())] {
                assert_eq!(read.as_ref().err().map(CallError::code), code, "{items}");
                if let Err(error) = read {
                    assert!(error.message().contains("message_values_max"), "{error}");
                }
            }
        }
        // Keys count like values: both are kept.
        let map = format!("{{{}\"a\":0}}", "\"a\":0,".repeat(most / 2));
        let code = Message::from_json(map.as_bytes()).map_err(|error| error.code());
        assert_eq!(code, Err(Code::TooLarge));
    }

    #[test]
    fn what_is_not_a_message_is_an_error() {
        assert!(Message::from_json(b"1 2").is_err(), "one value and no more");
        let deep = [0x91_u8; 10_000];
        for bytes in [&b"\x92\x01"[..], b"\xdd\xff\xff\xff\xff", b"\xc1", &deep] {
            assert!(Message::from_wire(bytes).is_err(), "{:?}", &bytes[..2.min(bytes.len())]);
        }
    }
}
