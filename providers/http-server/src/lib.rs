//! `wascc:http_server` on hyper: many actors on one port, bounded, drained.
//!
//! A binding gives an actor a port, alone or shared: requests find their actor by host and path
//! prefix. `service` is the road of one request; `timer` keeps slow clients from holding on;
//! `framing` refuses requests that contradict themselves; `ports` is the control plane, which
//! publishes immutable route tables that the workers' requests read. `doors` lets an instance take
//! over the listening sockets of the one before it, and `connection` the connections.
//!
//! # Rules of behavior
//! - **Routing.** The most specific host with a matching path wins, then the longest path prefix.
//!   The path is compared and handed over as sent: nothing is decoded, nothing is cut off.
//! - **Requests.** Header names arrive in lower case. Repeated fields are joined by `, ` (cookies
//!   by `; `). Bytes that are not UTF-8 become U+FFFD. Fields about the connection itself
//!   (`connection`, `keep-alive`, `te`, `trailer`, `transfer-encoding`, `upgrade`) are left out;
//!   trailers are dropped.
//! - **Answers.** Repeated fields stay lines of their own. The status text is hyper's, whatever the
//!   actor's `status` says. Fields about the connection are dropped and `content-length` is
//!   computed.
//! - **Failures** are JSON, `{"error":{"code":"E_...","message":"..."}}`, without anything of the
//!   actor's or the host's inside: 400 malformed (and closed), 403 denied, 404 no route or actor,
//!   405 with `Allow`, 408 too slow, 413 body, 414 target, 431 header, 502 the actor failed or
//!   answered nonsense or too much, 503 with `Retry-After` busy, stopping, no memory for the body,
//!   or what the actor needs is busy or stopping, 504 out of time, 500 anything else.
//! - **The server itself** answers `OPTIONS *`. Any other target that is no path is malformed.
//! - **A client that ends its own direction** still gets its answers. One that resets the
//!   connection is gone, and its call is canceled.
//! - **Overload.** A worker that cannot keep up answers what it can, and each of that soon: a
//!   request that has more than QUEUE_TIME_MAX of work before it is refused with 503.
//! - **Tracing.** A `traceparent` goes with the call and comes back with the answer.
//! - **Taking over.** An instance that binds an address of an earlier one of its lineage begins to
//!   accept when that one stops, from the same socket. Connections that wait between two requests
//!   go along. Another http-server of the host does the same with an address of which everything
//!   moves to it.
//! - **Changing hands.** Bindings that come together may have what one of them, or a binding that
//!   leaves, gives up: the port stays open.
//!
//! **Deliberately absent:** TLS and HTTP/2 (a proxy's work here), WebSockets and other upgrades,
//! compression, static files, and streaming: the contract hands over whole bodies.

#![allow(
    clippy::disallowed_types,
    reason = "`Rc` is right here: a connection never leaves the thread that accepted it"
)]

mod access;
mod body;
mod budget;
mod config;
mod conflict;
mod connection;
mod doors;
mod error_response;
mod framing;
mod listener;
mod metrics;
mod moment;
mod pace;
mod per_worker;
mod port;
mod ports;
mod pressure;
mod provider;
mod request_span;
mod route;
mod schedule;
mod service;
mod shards;
mod sockets;
mod stream;
mod table;
mod tally;
mod target;
mod timer;
mod workers;

pub use provider::Factory;
