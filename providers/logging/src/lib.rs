//! `wascc:logging` to the host's own structured log.
//!
//! Each line becomes one `tracing` event of target `actor`, with the actor's name and key as the
//! host knows them; level filters and the output format are the host's. Control characters are
//! escaped, so a line can never look like two. A binding that writes faster than its rate loses
//! lines, not calls; the next line that passes says how many were lost.
//!
//! **Deliberately absent:** files, rotation and shipping: whoever runs the host collects its
//! output.

mod metrics;
mod provider;
mod settings;
mod text;
mod writer;

pub use provider::{Factory, Logging};
