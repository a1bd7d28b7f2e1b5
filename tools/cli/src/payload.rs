//! Payloads as they are typed, and replies as they are shown.

use std::path::Path;

use data_encoding::HEXLOWER;
use trellis_app::message::{self, Message};

use crate::failure::Failure;
use crate::files;
use crate::output::Output;

/// How payloads and replies are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Notation {
    /// As they are.
    Raw,
    /// JSON for people, MessagePack for the guest.
    Json,
    /// Hex digits.
    Hex,
}

impl Notation {
    /// As the options `--json` and `--hex` say.
    pub(crate) const fn of(json: bool, hex: bool) -> Self {
        match (json, hex) {
            (true, _) => Self::Json,
            (_, true) => Self::Hex,
            _ => Self::Raw,
        }
    }
}

/// The bytes of a payload argument: text, `@FILE`, or `-` for stdin; nothing when there is none.
///
/// # Errors
/// When a file cannot be read, or the text is not what the notation says.
pub(crate) fn read(argument: Option<&str>, notation: Notation) -> Result<Vec<u8>, Failure> {
    let Some(argument) = argument else { return Ok(Vec::new()) };
    let text = match argument.strip_prefix('@') {
        Some(path) => files::read_input(Path::new(path))?,
        None if argument == "-" => files::read_input(Path::new("-"))?,
        None => argument.as_bytes().to_vec(),
    };
    match notation {
        Notation::Raw => Ok(text),
        Notation::Json => from_json(&text),
        Notation::Hex => from_hex(&String::from_utf8_lossy(&text)),
    }
}

/// The message that JSON stands for, as a guest gets it.
///
/// # Errors
/// That the command line is wrong, when it is not JSON.
pub(crate) fn from_json(text: &[u8]) -> Result<Vec<u8>, Failure> {
    let message = Message::from_json(text).map_err(|error| Failure::usage(error.message()))?;
    Ok(message.to_wire()?)
}

/// The bytes of hex digits.
///
/// # Errors
/// That the command line is wrong, when they are none.
pub(crate) fn from_hex(text: &str) -> Result<Vec<u8>, Failure> {
    message::from_hex(text).map_err(|error| Failure::usage(error.message()))
}

/// Prints a reply.
///
/// # Errors
/// `E_MESSAGE` when it is not the MessagePack that [`Notation::Json`] needs; when stdout cannot be
/// written.
pub(crate) fn print(reply: &[u8], notation: Notation, output: Output) -> Result<(), Failure> {
    match notation {
        Notation::Json => output.line(&format!("{:#}", reply_json(reply)?)),
        Notation::Hex => output.line(&HEXLOWER.encode(reply)),
        Notation::Raw if !output.is_terminal() => output.raw(reply),
        Notation::Raw => match readable(reply) {
            Some(text) => output.text(text),
            None => {
                output.note("the reply is not text: shown as hex (--json decodes MessagePack)");
                output.line(&HEXLOWER.encode(reply))
            }
        },
    }
}

/// A reply as JSON.
///
/// # Errors
/// `E_MESSAGE` when it is not MessagePack.
pub(crate) fn reply_json(reply: &[u8]) -> Result<serde_json::Value, Failure> {
    let message = Message::from_wire(reply).map_err(|error| {
        Failure::from(error)
            .about("the reply")
            .cure("Leave out --json, or use --hex to see its bytes.")
    })?;
    Ok(message.to_json())
}

/// A short form of a message for a trace: JSON, text or hex.
pub(crate) fn brief(bytes: &[u8]) -> String {
    const SHOWN_CHARS: usize = 200;
    let message = Message::from_wire(bytes).ok();
    // Text that begins like a number is a number in MessagePack; maps and lists are not mistaken.
    let structured = message.filter(|m| matches!(m, Message::Map(_) | Message::List(_)));
    let text = match (structured, readable(bytes)) {
        (Some(message), _) => message.to_json().to_string(),
        (None, Some(text)) => text.escape_debug().to_string(),
        (None, None) => HEXLOWER.encode(bytes),
    };
    let mut short: String = text.chars().take(SHOWN_CHARS).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

/// The bytes as text that a terminal only shows and never obeys.
fn readable(bytes: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(bytes).ok()?;
    text.chars().all(|c| !c.is_control() || matches!(c, '\n' | '\t')).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_shows_what_is_there() {
        assert_eq!(brief(b"hello"), "hello");
        assert_eq!(brief(b"\x81\xa1k\x01"), r#"{"k":1}"#);
        assert_eq!(brief(b"\xff\xfe"), "fffe");
        assert_eq!(brief(b"\x1b[31mred"), "1b5b33316d726564", "nothing steers the terminal");
        assert_eq!(brief(&[b'a'; 500]).chars().count(), 201);
    }
}
