//! Keys and seeds: no panic, and what is read is written back letter by letter.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trellis_claims::{KeyPair, PublicKey};

fuzz_target!(|text: &str| {
    if let Ok(key) = PublicKey::parse(text) {
        assert_eq!(key.as_str(), text);
        assert!(text.starts_with(key.kind().letter()));
        assert!(key.verify_strict(b"", &[0; 64]).is_err());
    }
    if let Ok(pair) = KeyPair::from_seed(text) {
        assert_eq!(pair.seed().expose(), text);
        assert!(pair.public().verify_strict(b"x", &pair.sign(b"x")).is_ok());
    }
});
