//! The `wascc:extras` contract: unique ids, sequence numbers, random numbers.
//!
//! `extras.wit` beside this crate is the source of the types and states each operation's rules. An
//! actor has no clock and no randomness of its own; this is where it gets ids and numbers.
//!
//! Where the originals differed: their sequence was shared by all actors of a host, and a random
//! request with `min >= max` brought the provider down. Later versions of `wasmcloud:extras`
//! answered bare values; the alias here means the form of 0.2.0, which is this one.
//!
//! **Deliberately absent:** time, and randomness that can be seeded.

use trellis_core::CallError;
use trellis_core::guest::Transport;

trellis_macros::contract! {
    "extras.wit",
    aliases: ["wasmcloud:extras", "wascap:extras"],
}

impl<T: Transport> Client<T> {
    /// A random UUID.
    ///
    /// # Errors
    /// Why the host refused the call.
    pub fn guid(&self) -> Result<String, CallError> {
        let request = GeneratorRequest { guid: true, ..GeneratorRequest::default() };
        Ok(self.request_guid(&request)?.guid.unwrap_or_default())
    }

    /// The next number of the actor's sequence.
    ///
    /// # Errors
    /// Why the host refused the call.
    pub fn sequence(&self) -> Result<u64, CallError> {
        let request = GeneratorRequest { sequence: true, ..GeneratorRequest::default() };
        Ok(self.request_sequence(&request)?.sequence_number)
    }

    /// A random number from `min` up to, but not including, `max`.
    ///
    /// # Errors
    /// `E_MESSAGE` when `min` is not below `max`, or why the host refused the call.
    pub fn random(&self, min: u32, max: u32) -> Result<u32, CallError> {
        let request = GeneratorRequest { random: true, min, max, ..GeneratorRequest::default() };
        Ok(self.request_random(&request)?.random_number)
    }
}
