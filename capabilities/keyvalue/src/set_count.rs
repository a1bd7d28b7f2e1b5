//! The one reply whose key was renamed in 2021.

use trellis_core::generated::serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};
use trellis_core::wire::reader::{Malformed, Reader};
use trellis_core::wire::{Decode, Encode, message, writer};

/// The size of a set after a change.
///
/// Written under both keys it ever had, `newCount` (waSCC) and `new_count` (wasmCloud 0.15 to
/// 0.18), because a guest of either time fails without its own; read from either.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SetCount {
    /// How many members the set has now; 0 when it no longer exists.
    pub new_count: i32,
}

impl Encode for SetCount {
    fn write(&self, out: &mut Vec<u8>) {
        writer::map(out, 2);
        for key in ["newCount", "new_count"] {
            writer::text(out, key);
            self.new_count.write(out);
        }
    }
}

impl Decode for SetCount {
    fn read(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        let mut new_count = None;
        let mut fields = input.record()?;
        while let Some(position) = fields.next(input, |key| match key {
            b"newCount" | b"new_count" => 0,
            _ => usize::MAX,
        })? {
            match position {
                0 => new_count = Some(message::field(input, "newCount")?),
                _ => input.skip()?,
            }
        }
        Ok(Self { new_count: message::required(new_count, "newCount")? })
    }
}

impl Serialize for SetCount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use ser::SerializeStruct as _;
        let mut map = serializer.serialize_struct("SetCount", 2)?;
        map.serialize_field("newCount", &self.new_count)?;
        map.serialize_field("new_count", &self.new_count)?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for SetCount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let keys = Keys::deserialize(deserializer)?;
        let new_count = keys.new_count.or(keys.older);
        new_count.map(|new_count| Self { new_count }).ok_or(de::Error::missing_field("newCount"))
    }
}

#[derive(Deserialize)]
#[serde(crate = "trellis_core::generated::serde")]
struct Keys {
    #[serde(rename = "newCount", default)]
    new_count: Option<i32>,
    #[serde(rename = "new_count", default)]
    older: Option<i32>,
}
