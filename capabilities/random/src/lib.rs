//! The `trellis:random` contract: random bytes, fit for keys and tokens.
//!
//! `random.wit` beside this crate is the source of the types. An actor claims this contract and
//! needs no binding: the host binds it. The rules:
//!
//! - Every byte comes from the operating system's cryptographic source; no two answers are
//!   related, whichever actor asks.
//! - An answer has exactly `count` bytes; 0 asks for none and gets none. More than 65,536 at once
//!   is `E_TOO_LARGE`: ask again for the rest.
//! - When the operating system has no randomness to give, the answer is `E_PROVIDER`, never
//!   weaker bytes.
//!
//! `wascc:extras` has unique ids and numbers in a range; this contract is for everything else.
//!
//! **Deliberately absent:** a seed. What can be repeated is not random; tests have their own
//! double of this contract.

trellis_macros::contract! {
    "random.wit",
    aliases: [],
}

/// Most bytes of one answer.
pub const BYTES_MAX: u32 = 65_536;
