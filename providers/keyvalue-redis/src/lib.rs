//! `wascc:keyvalue` on a real Redis.
//!
//! Bindings with the same `URL` and `TIMEOUT` share one multiplexed connection. It is made when it
//! is first needed and made again when it broke: a Redis that is down, at the start or later, costs
//! the calls of that time (`E_PROVIDER`, at once or after `TIMEOUT`) and nothing else. A call that
//! was under way when the connection broke is never sent again by itself: it may have been carried
//! out.
//!
//! What the contract asks beyond a single command (counters of 32 bits, `newCount` after a change)
//! runs as a script, so every operation is atomic for all clients of that Redis. Redis 7 or later:
//! older ones judge kinds differently in `SINTER`.
//!
//! `SHARED` keys stand behind `PREFIX` alone, as other clients of that Redis see them; those of an
//! actor or a `NAMESPACE` have names that no shared key can have (`keys`).
//!
//! What an operation may look at and answer is bounded by the scripts, on the server, so that
//! nothing over a bound is ever sent.
//!
//! A URL may hold a password: no error, log line or metric repeats a URL, only host and port.
//!
//! **Deliberately absent:** TLS, cluster and sentinel; caching; durability, which is how that Redis
//! is configured.

mod cause;
mod data;
mod keys;
mod metrics;
mod operations;
mod provider;
mod scripts;
mod seat;
mod server;
mod settings;

pub use provider::{Factory, RedisKeyValue};
