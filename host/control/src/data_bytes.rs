//! Keys and values of stores, in JSON.

use std::fmt;

use data_encoding::BASE64;
use serde::de::{Error, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The field of the object that stands for bytes.
const BASE64_FIELD: &str = "base64";

/// A key or a value of a store: a string, or `{"base64": "..."}` for bytes that are no UTF-8, which
/// no actor writes and other clients of a server may.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct DataBytes(pub Vec<u8>);

impl DataBytes {
    /// The text that they are, if they are one.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }
}

impl From<String> for DataBytes {
    fn from(text: String) -> Self {
        Self(text.into_bytes())
    }
}

impl From<&str> for DataBytes {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

/// Values are their owner's, so no more than how many they are ends up in a log.
impl fmt::Debug for DataBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DataBytes({})", self.0.len())
    }
}

impl Serialize for DataBytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Some(text) = self.text() {
            return serializer.serialize_str(text);
        }
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(BASE64_FIELD, &BASE64.encode(&self.0))?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for DataBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Form)
    }
}

struct Form;

impl<'de> Visitor<'de> for Form {
    type Value = DataBytes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, or {\"base64\": \"...\"}")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<DataBytes, E> {
        Ok(text.into())
    }

    fn visit_string<E: Error>(self, text: String) -> Result<DataBytes, E> {
        Ok(text.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<DataBytes, A::Error> {
        let Some((field, text)) = map.next_entry::<String, String>()? else {
            return Err(A::Error::missing_field(BASE64_FIELD));
        };
        if field != BASE64_FIELD || map.next_key::<String>()?.is_some() {
            return Err(A::Error::custom("bytes are an object with `base64` alone"));
        }
        let bytes = BASE64.decode(text.as_bytes());
        bytes.map(DataBytes).map_err(|error| A::Error::custom(format!("no base64: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_read_back_as_they_were() {
        for (bytes, json) in [
            (&b"a\n\"\xc3\xa9"[..], "\"a\\n\\\"\u{e9}\""),
            (b"", "\"\""),
            (b"\xff\x00", r#"{"base64":"/wA="}"#),
        ] {
            let bytes = DataBytes(bytes.to_vec());
            assert_eq!(serde_json::to_string(&bytes).expect("it is data"), json);
            assert_eq!(serde_json::from_str::<DataBytes>(json).expect("it is one"), bytes);
        }
        // A text may be written so as well.
        let text: DataBytes = serde_json::from_str(r#"{"base64": "YQ=="}"#).expect("it is one");
        assert_eq!(text.text(), Some("a"));
        for wrong in
            ["1", "{}", r#"{"hex": "61"}"#, r#"{"base64": "?"}"#, r#"{"base64": "", "b": ""}"#]
        {
            assert!(serde_json::from_str::<DataBytes>(wrong).is_err(), "{wrong}");
        }
    }
}
