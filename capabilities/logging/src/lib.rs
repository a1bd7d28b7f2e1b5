//! The `wascc:logging` contract: an actor writes lines to the host's log.
//!
//! `logging.wit` beside this crate is the source of the types. The rules:
//!
//! - A level is 1 error, 2 warn, 3 info, 4 debug or 5 trace. 0 is read as error and any larger
//!   number as trace, because a line is worth more than its level. The form of 2021
//!   (`wasmcloud:logging`: `level` by name, the text under `text`) is read as well: names in any
//!   case, `warning` and `critical` too, and an unknown name as info.
//! - A body may hold several lines; the provider writes it as one record and escapes control
//!   characters, so that an actor cannot forge another's line.
//! - Lines over `log_line_bytes_max` are cut; lines over `log_lines_per_s` are dropped and counted.
//!   Neither is an error to the actor.
//! - The actor's name and key in the log come from the host, never from the actor.
//! - The reply is empty.
//! - Where the binding fails, the log macros of the Rust SDK write to the console: that line and
//!   the rest of the call. The host keeps its level. The next call uses the binding again, or one
//!   of the next 64 after several refusals.
//!
//! **Deliberately absent:** structured fields, levels set by the actor, reading a log.

mod level;

pub use level::Level;

trellis_macros::contract! {
    "logging.wit",
    aliases: ["wasmcloud:logging", "wascap:logging"],
    with: { "level": Level },
    reads_also: { "line.body": "text" },
}
