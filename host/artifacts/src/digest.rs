//! Digests, and how registries write them.

use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

/// SHA-256 of an artifact's bytes.
pub type Digest = [u8; 32];

/// What a written digest begins with: the only algorithm that is taken.
const ALGORITHM: &str = "sha256:";

/// The digest of these bytes.
#[must_use]
pub fn digest_of(bytes: &[u8]) -> Digest {
    Sha256::digest(bytes).into()
}

/// A digest as registries write it: `sha256:` and 64 hexadecimal digits.
#[must_use]
pub fn written_digest(digest: &Digest) -> String {
    format!("{ALGORITHM}{}", HEXLOWER.encode(digest))
}

/// The digest that is written like this; `None` for any other text.
#[must_use]
pub fn parse_digest(text: &str) -> Option<Digest> {
    let digits = text.strip_prefix(ALGORITHM)?;
    HEXLOWER.decode(digits.as_bytes()).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_written_in_one_way() {
        let digest = digest_of(b"abc");
        let written = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(written_digest(&digest), written);
        assert_eq!(parse_digest(written), Some(digest));
        let longer = format!("{written}00");
        for other in ["", "sha256:", "sha512:00", &written[..70], &longer, &written[7..]] {
            assert_eq!(parse_digest(other), None, "{other}");
        }
        assert_eq!(parse_digest(&written.to_uppercase()), None);
        assert_eq!(parse_digest(&written.replace('b', "B")), None);
    }
}
