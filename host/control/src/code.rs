//! Error codes in JSON: by the text users know.

use serde::{Deserialize, Deserializer, Serializer};
use trellis_core::Code;

pub(crate) fn serialize<S: Serializer>(code: &Code, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(code.as_str())
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Code, D::Error> {
    let text = String::deserialize(deserializer)?;
    let known = Code::ALL.iter().copied().find(|code| code.as_str() == text);
    known.ok_or_else(|| serde::de::Error::custom(format!("there is no error code `{text}`")))
}

/// A code that may be missing.
pub(crate) mod optional {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use trellis_core::Code;

    #[derive(Serialize, Deserialize)]
    struct Written(#[serde(with = "crate::code")] Code);

    pub(crate) fn serialize<S: Serializer>(code: &Option<Code>, to: S) -> Result<S::Ok, S::Error> {
        code.map(Written).serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Code>, D::Error> {
        Ok(Option::<Written>::deserialize(from)?.map(|Written(code)| code))
    }
}
