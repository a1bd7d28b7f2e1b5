//! Where a page ends: the cursor of SCAN, and the keys that it gave and nobody has read yet.

use trellis_core::CallError;
use trellis_providers_sdk::data::wrong_cursor;

/// Where a page ends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Cursor {
    /// From where SCAN goes on; `None` when it is through.
    pub(super) scan: Option<u64>,
    /// The keys that it gave and that are still to be read.
    pub(super) keys: Vec<Vec<u8>>,
    /// From where the first of them goes on; empty for its beginning.
    pub(super) within: String,
    /// How many of its elements came before that.
    pub(super) before: u64,
}

impl Default for Cursor {
    fn default() -> Self {
        Self { scan: Some(0), keys: Vec::new(), within: String::new(), before: 0 }
    }
}

impl Cursor {
    /// Over these keys alone.
    pub(super) fn over(keys: Vec<Vec<u8>>) -> Self {
        Self { scan: None, keys, ..Self::default() }
    }

    /// A text that [`read`](Self::read) reads back; empty when nothing is left.
    pub(super) fn write(&self) -> String {
        if self.scan.is_none() && self.keys.is_empty() {
            return String::new();
        }
        let scan = self.scan.map_or_else(String::new, |scan| scan.to_string());
        let mut text = format!("{scan} {} {}", self.before, self.within);
        for key in &self.keys {
            text.push(' ');
            // In hex, since a key may be no text.
            key.iter().for_each(|byte| text.extend([byte >> 4, byte & 15].map(digit)));
        }
        text
    }

    /// What [`write`](Self::write) wrote.
    ///
    /// # Errors
    /// When it is anything else.
    pub(super) fn read(text: &str) -> Result<Self, CallError> {
        Self::parse(text).ok_or_else(wrong_cursor)
    }

    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(' ');
        let scan = match parts.next()? {
            "" => None,
            number => Some(number.parse().ok()?),
        };
        let before = parts.next()?.parse().ok()?;
        let within = parts.next()?;
        if !within.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let keys = parts.map(unhex).collect::<Option<_>>()?;
        Some(Self { scan, keys, within: within.to_owned(), before })
    }
}

fn digit(four_bits: u8) -> char {
    char::from_digit(u32::from(four_bits), 16).unwrap_or_default()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let byte = |pair: &[u8]| {
        let four_bits = |at: usize| char::from(*pair.get(at)?).to_digit(16);
        u8::try_from(four_bits(0)? << 4 | four_bits(1)?).ok()
    };
    text.as_bytes().chunks(2).map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_back_whatever_the_keys_are() {
        let keys = ["", "a b", "3:x", "é\0\n", " "].map(|key| key.as_bytes().to_vec());
        let keys = [&keys[..], &[vec![0xff, 0x0a]]].concat();
        for cursor in [
            Cursor::default(),
            Cursor::over(keys.clone()),
            Cursor { scan: Some(17), keys, within: "42".to_owned(), before: 7 },
        ] {
            assert_eq!(Cursor::read(&cursor.write()), Ok(cursor));
        }
        assert_eq!(Cursor::over(Vec::new()).write(), "", "nothing is left");
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["x", "0", "0 0", "0 0 x ", "0 0  9:a", "0 0  f", "0 0  é", "-1 0  "] {
            assert!(Cursor::read(text).is_err(), "{text:?}");
        }
    }
}
