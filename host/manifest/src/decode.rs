//! The bytes of a file to the text of a manifest.

use crate::report::{Problem, Report};
use crate::source::{Format, SourceText, Span};

impl SourceText {
    /// The content of a file.
    ///
    /// # Errors
    /// One problem with its line and column when the bytes are not UTF-8.
    pub fn from_bytes(
        name: impl Into<String>,
        bytes: Vec<u8>,
        format: Format,
    ) -> Result<Self, Report> {
        let name = name.into();
        let error = match String::from_utf8(bytes) {
            Ok(text) => return Ok(Self { name, text, format }),
            Err(error) => error,
        };
        let good = error.utf8_error().valid_up_to();
        let byte = error.as_bytes().get(good).copied().unwrap_or_default();
        let span = Span { start: good, len: 0 };
        let problem =
            Problem::new(span, format!("this is not UTF-8 text: it has the byte {byte:#04x}"))
                .help("save the file as UTF-8; a .wasm module is not a manifest");
        let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
        Err(Report::of(&Self { name, text, format }, vec![problem]))
    }
}
