//! The `wascc:http_server` contract: a provider accepts HTTP requests, an actor answers them.
//!
//! `http-server.wit` beside this crate is the source of the types. The rules:
//!
//! # Requests
//! - `method` is upper case; `path` and `queryString` are what the client wrote, still
//!   percent-encoded, and the path begins with `/`.
//! - Header names are lower case, and each comes once. A header that the client sent repeatedly is
//!   folded in the order received, joined by `, ` (RFC 9110, section 5.3); `cookie` is joined by
//!   `; ` (RFC 6265). Bytes of a value that are not UTF-8 are replaced by U+FFFD, never an error.
//! - `body` is whole; the provider bounds it before it calls the actor.
//!
//! # Responses
//! - A header may repeat (`set-cookie`), as a repeated key or as a list of values: the client gets
//!   one line for each, in order.
//! - The server owns the framing: `content-length`, `transfer-encoding`, `connection`,
//!   `keep-alive`, `proxy-connection`, `te`, `trailer` and `upgrade` of a response are dropped.
//! - A response with a status code outside 200 to 599, a header name that is not a token, or a
//!   value with a control character (so that no CR or LF can smuggle in a header) cannot be sent:
//!   the client gets 502.
//! - A response to `HEAD`, and one with 204 or 304, is sent without its body.
//!
//! # Where the originals differed
//! They kept only the last of repeated headers, failed on values that are not UTF-8, and answered
//! 500 whatever went wrong. `wasmcloud:httpserver` (2021) is the same contract.
//!
//! **Deliberately absent:** streaming bodies, WebSockets, trailers: messages are whole.

// For the server and other gateways; guests do without it.
#[cfg(feature = "http")]
mod message;
mod types;

#[cfg(feature = "http")]
pub use message::{DecodedResponse, MalformedResponse, OpenBody, RequestEncoder, decode_response};
pub use types::*;
