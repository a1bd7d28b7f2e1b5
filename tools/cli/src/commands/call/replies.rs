//! Answers for a guest's host calls.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;

use crate::failure::Failure;
use crate::payload::{from_hex, from_json};

/// One answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Reply {
    /// The call succeeds with these bytes.
    Bytes(Bytes),
    /// The call fails with this text.
    Error(String),
}

/// An answer as it is written: exactly one of its fields.
#[derive(Clone, Deserialize, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct WrittenReply {
    reply_hex: Option<String>,
    reply_text: Option<String>,
    #[serde(default, deserialize_with = "present")]
    reply_json: Option<Value>,
    error: Option<String>,
}

impl TryFrom<WrittenReply> for Reply {
    type Error = Failure;

    fn try_from(written: WrittenReply) -> Result<Self, Failure> {
        match written {
            WrittenReply {
                reply_hex: Some(hex),
                reply_text: None,
                reply_json: None,
                error: None,
            } => Ok(Self::Bytes(from_hex(&hex)?.into())),
            WrittenReply {
                reply_hex: None,
                reply_text: Some(text),
                reply_json: None,
                error: None,
            } => Ok(Self::Bytes(text.into())),
            WrittenReply {
                reply_hex: None,
                reply_text: None,
                reply_json: Some(json),
                error: None,
            } => Ok(Self::Bytes(from_json(json.to_string().as_bytes())?.into())),
            WrittenReply {
                reply_hex: None,
                reply_text: None,
                reply_json: None,
                error: Some(text),
            } => Ok(Self::Error(text)),
            _ => Err(Failure::usage(
                "a reply has exactly one of `replyHex`, `replyText`, `replyJson` and `error`",
            )),
        }
    }
}

/// Reads a list of replies.
///
/// # Errors
/// When it is not a JSON array of replies.
pub(super) fn read(text: &[u8]) -> Result<Vec<Reply>, Failure> {
    let written: Vec<WrittenReply> = serde_json::from_slice(text)
        .map_err(|error| Failure::usage("not a JSON array of replies").cause(&error))?;
    written.into_iter().map(Reply::try_from).collect()
}

/// Tells `null` apart from nothing: `{"replyJson": null}` is an answer.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_is_an_answer() {
        let replies = read(
            br#"[{"replyHex":"00ff"},{"replyText":"hi"},{"replyJson":{"value":1}},
                 {"replyJson":null},{"error":"no"},{"replyText":""}]"#,
        );
        let bytes = |bytes: &'static [u8]| Reply::Bytes(Bytes::from_static(bytes));
        let expected = [
            bytes(b"\x00\xff"),
            bytes(b"hi"),
            bytes(b"\x81\xa5value\x01"),
            bytes(b"\xc0"),
            Reply::Error("no".to_owned()),
            bytes(b""),
        ];
        assert_eq!(replies.expect("well-formed"), expected);
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "{}",
            "[{}]",
            "[1]",
            r#"[{"replyHex":"0"}]"#,
            r#"[{"reply":"x"}]"#,
            r#"[{"replyHex":"00","replyText":"x"}]"#,
            r#"[{"error":"a","replyText":"x"}]"#,
        ] {
            assert!(read(text.as_bytes()).is_err(), "{text}");
        }
    }
}
