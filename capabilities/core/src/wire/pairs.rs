//! Maps on the wire that keep order and repetition.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::{
    BorrowedBytesDeserializer, BorrowedStrDeserializer, BytesDeserializer, MapAccessDeserializer,
};
use serde::de::{DeserializeSeed, Error, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Most entries that are allocated before they are read: the length may be a lie.
const TRUSTED_CAPACITY: usize = 32;

/// `list<tuple<string, T>>` of a contract: a MessagePack map whose order is kept and whose keys may
/// repeat, as HTTP headers need. A guest that reads it into a hash map gets the last value of each
/// name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pairs<T>(pub Vec<(String, T)>);

impl<T> Pairs<T> {
    /// No entries.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds an entry at the end, even when its name is already there.
    pub fn push(&mut self, name: impl Into<String>, value: impl Into<T>) {
        self.0.push((name.into(), value.into()));
    }

    /// The first value of `name`; ASCII case is ignored.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&T> {
        self.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The entries in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True when there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<T> Default for Pairs<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: Into<String>, V: Into<T>, T> FromIterator<(K, V)> for Pairs<T> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        Self(entries.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

impl<T: Serialize> Serialize for Pairs<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Pairs<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PairsVisitor(PhantomData))
    }
}

struct PairsVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for PairsVisitor<T> {
    type Value = Pairs<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_unit<E>(self) -> Result<Pairs<T>, E> {
        Ok(Pairs::new())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs<T>, A::Error> {
        let hint = map.size_hint().unwrap_or(0).min(TRUSTED_CAPACITY);
        let mut pairs = Pairs(Vec::with_capacity(hint));
        while let Some(name) = map.next_key::<String>()? {
            map.next_value_seed(Values { name, pairs: &mut pairs })?;
        }
        Ok(pairs)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Pairs<T>, A::Error> {
        let mut pairs = Pairs::new();
        while let Some(entry) = seq.next_element::<(String, T)>()? {
            pairs.0.push(entry);
        }
        Ok(pairs)
    }
}

/// Reads what one name has: a value, or the list of values that guests of the OTP era (G5) send for
/// a header. A list always means several values. Each value is read in place, without a buffer.
struct Values<'a, T> {
    name: String,
    pairs: &'a mut Pairs<T>,
}

impl<T> Values<'_, T> {
    fn one<'de, D: IntoDeserializer<'de, E>, E: Error>(self, value: D) -> Result<(), E>
    where
        T: Deserialize<'de>,
    {
        let value = T::deserialize(value.into_deserializer())?;
        self.pairs.0.push((self.name, value));
        Ok(())
    }
}

impl<'de, T: Deserialize<'de>> DeserializeSeed<'de> for Values<'_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for Values<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value or a list of values")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.one(text)
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<(), E> {
        self.one(BorrowedStrDeserializer::new(text))
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<(), E> {
        self.one(BytesDeserializer::new(bytes))
    }

    fn visit_borrowed_bytes<E: Error>(self, bytes: &'de [u8]) -> Result<(), E> {
        self.one(BorrowedBytesDeserializer::new(bytes))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.one(value)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.one(value)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.one(value)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.one(value)
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.one(())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        let value = T::deserialize(MapAccessDeserializer::new(map))?;
        self.pairs.0.push((self.name, value));
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while let Some(value) = seq.next_element()? {
            self.pairs.0.push((self.name.clone(), value));
        }
        Ok(())
    }
}
