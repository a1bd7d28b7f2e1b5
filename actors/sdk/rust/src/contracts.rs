//! The contracts, as an actor uses them: messages, and the clients of its bindings.
//!
//! Generated from capabilities/* by `cargo xtask generate`; do not edit. What an actor has
//! besides is written by hand in `contracts/NAME/shortcuts.rs`.

/// The `trellis:clock` contract: what time it is, and how much of it went by.
pub mod clock {
    pub use trellis_capabilities::clock::*;

    mod shortcuts;
    pub use shortcuts::*;

    client_of!(Client);
}

/// The `trellis:config` contract: the settings an actor is given by the manifest.
pub mod config {
    pub use trellis_capabilities::config::*;

    mod shortcuts;
    pub use shortcuts::*;

    client_of!(Client);
}

/// The `wascc:extras` contract: unique ids, sequence numbers, random numbers.
pub mod extras {
    pub use trellis_capabilities::extras::*;

    client_of!(Client);
}

/// The `wascc:http_server` contract: a provider accepts HTTP requests, an actor answers them.
pub mod http_server {
    pub use trellis_capabilities::http_server::*;
}

/// The `wascc:keyvalue` contract: values, counters, lists and sets under keys.
pub mod keyvalue {
    pub use trellis_capabilities::keyvalue::*;

    client_of!(Client);
}

/// The `wascc:logging` contract: an actor writes lines to the host's log.
pub mod logging {
    pub use trellis_capabilities::logging::*;

    client_of!(Client);
}

/// The `trellis:random` contract: random bytes, fit for keys and tokens.
pub mod random {
    pub use trellis_capabilities::random::*;

    mod shortcuts;
    pub use shortcuts::*;

    client_of!(Client);
}
