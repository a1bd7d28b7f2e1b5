//! The bytes of a file to the text of a manifest.

use crate::parse::BYTES_MAX;
use crate::report::{Problem, Report};
use crate::source::{Format, SourceText, Span};

impl SourceText {
    /// The content of a file.
    ///
    /// # Errors
    /// One problem with its line and column when the bytes are not UTF-8. The text that the report
    /// is of is as much as can be read all the same.
    pub fn from_bytes(
        name: impl Into<String>,
        bytes: Vec<u8>,
        format: Format,
    ) -> Result<Self, Report> {
        let name = name.into();
        if let Some(text) = utf16(&bytes) {
            let problem = Problem::new(Span::default(), "this is UTF-16 text, not UTF-8")
                .help("save the file as UTF-8");
            return Err(Report::of(&Self { name, text, format }, vec![problem]));
        }
        let is_cut = bytes.len() > BYTES_MAX;
        let error = match String::from_utf8(bytes) {
            Ok(text) => return Ok(Self { name, text, format }),
            Err(error) => error,
        };
        let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
        if is_cut && error.utf8_error().error_len().is_none() {
            // A character was cut in two because the text is too large, which is told.
            return Ok(Self { name, text, format });
        }
        let good = error.utf8_error().valid_up_to();
        let byte = error.as_bytes().get(good).copied().unwrap_or_default();
        let span = Span { start: good, len: 0 };
        let problem =
            Problem::new(span, format!("this is not UTF-8 text: it has the byte {byte:#04x}"))
                .help("save the file as UTF-8; a .wasm module is not a manifest");
        Err(Report::of(&Self { name, text, format }, vec![problem]))
    }
}

/// A text in UTF-16, by its byte order mark or by the zeros in its first two characters.
fn utf16(bytes: &[u8]) -> Option<String> {
    let unit = match bytes {
        [0xff, 0xfe, ..] => u16::from_le_bytes,
        [0xfe, 0xff, ..] => u16::from_be_bytes,
        [one, 0, two, 0, ..] if *one > 0 && *two > 0 => u16::from_le_bytes,
        [0, one, 0, two, ..] if *one > 0 && *two > 0 => u16::from_be_bytes,
        _ => return None,
    };
    let units = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
    let units = char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER));
    // Half of what UTF-32 has are zeros.
    Some(units.filter(|unit| !matches!(unit, '\0' | '\u{feff}')).collect())
}
