//! Hex digits as they are typed.

use data_encoding::HEXLOWER_PERMISSIVE;

use crate::failure::Failure;

/// The bytes of hex digits of either case; white space between them is ignored.
///
/// # Errors
/// When it is not hex.
pub(super) fn from_hex(text: &str) -> Result<Vec<u8>, Failure> {
    let digits: String = text.split_whitespace().collect();
    HEXLOWER_PERMISSIVE
        .decode(digits.as_bytes())
        .map_err(|error| Failure::usage("not an even number of hex digits").cause(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_is_read_in_either_case_with_spaces() {
        assert_eq!(from_hex("00 fF\n1a").expect("well-formed"), [0, 0xff, 0x1a]);
        assert!(from_hex("").expect("no digits, no bytes").is_empty());
        assert!(from_hex("0").is_err() && from_hex("zz").is_err());
    }
}
