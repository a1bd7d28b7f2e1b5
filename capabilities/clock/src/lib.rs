//! The `trellis:clock` contract: what time it is, and how much of it went by.
//!
//! `clock.wit` beside this crate is the source of the types. An actor for
//! `wasm32-unknown-unknown` has no clock of its own (`SystemTime::now()` traps there). It claims
//! this contract and needs no binding: the host binds it. The rules:
//!
//! - `unixNanos` is the wall clock of the host's operating system. A host whose clock is set
//!   before 1970 answers 0; 64 bits last until the year 2554.
//! - `monotonicNanos` keeps counting whatever happens to the wall clock. Two readings of one host
//!   can be subtracted, even across calls and instances; readings of different hosts, or from
//!   before a restart, cannot.
//! - Both are read when the provider carries out the call, so a reading is older than its answer
//!   by the time the answer takes, and never newer.
//!
//! **Deliberately absent:** time zones and calendars (a library's work), timers and sleeping (an
//! actor is called, it does not wait), and a way to set the clock.

trellis_macros::contract! {
    "clock.wit",
    aliases: [],
}
