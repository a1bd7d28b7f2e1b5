//! How keys and what they hold are shown.

use std::fmt::{self, Write as _};

use serde::Serialize;
use trellis_control::{DataBytes, DataKind};

use crate::clean::clean;

/// What a key holds.
#[derive(Serialize)]
pub(super) struct Held {
    pub(super) key: DataBytes,
    pub(super) kind: DataKind,
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) expires_unix_ms: u64,
    pub(super) values: Vec<DataBytes>,
}

impl Held {
    /// The values as they are, with this behind each of them.
    pub(super) fn bytes(&self, end: &[u8]) -> Vec<u8> {
        self.values.iter().flat_map(|value| [&*value.0, end]).flatten().copied().collect()
    }
}

/// Bytes that may be anybody's, for a terminal: what controls it and what is no text is shown as an
/// escape.
pub(super) fn shown(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(&clean(chunk.valid()));
        for byte in chunk.invalid() {
            // A string takes all.
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

/// What a key holds, in a word or two.
pub(super) fn told(kind: DataKind, count: u64) -> String {
    match kind {
        DataKind::Text => "text".to_owned(),
        DataKind::List => format!("list of {count}"),
        DataKind::Set => format!("set of {count}"),
        DataKind::Other => "other (it cannot be shown or copied)".to_owned(),
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.values.iter().try_for_each(|value| writeln!(f, "{}", shown(&value.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_shown_what_would_control_it() {
        assert_eq!(shown("é a".as_bytes()), "é a");
        assert_eq!(shown(b"\x1b[2J\xff\xc3"), "\\u{1b}[2J\\xff\\xc3");
    }

    #[test]
    fn a_pipe_gets_the_bytes_themselves() {
        let values = vec![DataBytes(vec![0xff, 0x1b]), "é".into()];
        let (key, kind) = ("k".into(), DataKind::List);
        let held = Held { key, kind, expires_unix_ms: 0, values };
        assert_eq!(held.bytes(b"\n"), b"\xff\x1b\n\xc3\xa9\n");
        assert_eq!(held.bytes(b""), b"\xff\x1b\xc3\xa9");
    }
}
