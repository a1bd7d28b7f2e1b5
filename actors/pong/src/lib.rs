//! Answers `Ping` with `pong` and what it was sent. Sign it with the call alias `pong`.
//!
//! **Deliberately absent:** who asks: the claims of the caller say whether it may.

use trellis_actor::prelude::*;

#[handler("Ping")]
fn answer(payload: &[u8]) -> Result<Vec<u8>> {
    Ok([b"pong ", payload].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_payload_comes_back() {
        assert_eq!(answer(b"/x").expect("answers"), b"pong /x");
    }
}
