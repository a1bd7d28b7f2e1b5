//! The rows, and their goals.

use crate::places::App;

/// One line of the table.
pub(crate) struct Row {
    /// Its name; a process side is asked for it.
    pub(crate) name: &'static str,
    /// What is measured, for people.
    pub(crate) what: &'static str,
    pub(crate) unit: Unit,
    pub(crate) ours: Side,
    pub(crate) peer: Option<Side>,
    pub(crate) ceiling: Option<Side>,
    pub(crate) goal: Goal,
}

/// What a number means.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Of one operation; less is better.
    Nanoseconds,
    /// Requests in a second; more is better.
    PerSecond,
    /// Less is better; measured once, as nothing alternates with it.
    Bytes,
}

/// Who is asked.
#[derive(Clone, Copy)]
pub(crate) enum Side {
    /// A side process of this workspace, by its binary.
    Process(&'static str),
    /// Requests per second of a server.
    Throughput(Server),
    /// The 99th percentile of a server's latency at a fixed rate, in nanoseconds.
    Latency(Server),
}

/// A server to put under load.
#[derive(Clone, Copy)]
pub(crate) enum Server {
    /// Our host.
    Ours(App),
    /// hyper and nothing else.
    BareHyper,
    /// `wasmtime serve` with a component that says hello.
    WasmtimeServe,
}

/// What must be reached.
#[derive(Clone, Copy)]
pub(crate) enum Goal {
    /// Shown for comparison only.
    None,
    /// Ours divided by the peer's is at most this.
    PeerAtMost(f64),
    /// Ours divided by the peer's is at least this.
    PeerAtLeast(f64),
    /// Ours divided by the ceiling's is at most this.
    CeilingAtMost(f64),
    /// Ours divided by the ceiling's is at least this.
    CeilingAtLeast(f64),
    /// Ours is at most this, in the row's unit.
    AtMost(f64),
}

/// Every row, in the order of the table.
pub(crate) const ROWS: &[Row] = &[
    sandbox("warm-echo", "call into a warm instance", Goal::None),
    sandbox("warm-relay", "the same with one host call", Goal::PeerAtMost(0.5)),
    sandbox("fresh-echo", "call into a fresh instance", Goal::PeerAtMost(0.35)),
    sandbox("fresh-relay", "the same with one host call", Goal::PeerAtMost(0.35)),
    alone("entitlement-check", "one check at the gate", Unit::Nanoseconds, 50.0),
    http("http-hello-warm", "HTTP hello", App::HelloWarm, Goal::CeilingAtLeast(0.80)),
    Row {
        name: "http-hello-p99",
        what: "HTTP hello, p99 at a fixed rate",
        unit: Unit::Nanoseconds,
        ours: Side::Latency(Server::Ours(App::HelloWarm)),
        peer: None,
        ceiling: Some(Side::Latency(Server::BareHyper)),
        goal: Goal::CeilingAtMost(2.0),
    },
    Row {
        peer: Some(Side::Throughput(Server::WasmtimeServe)),
        ..http(
            "http-hello-fresh",
            "HTTP hello, fresh instance each",
            App::HelloFresh,
            Goal::PeerAtLeast(3.0),
        )
    },
    http("http-counter", "HTTP counter in memory", App::Counter, Goal::CeilingAtLeast(0.60)),
    cold("cold-cached", "300 KB module to first reply", 3e6),
    cold("cold-compiled", "the same without a cache", 60e6),
    alone("idle-actors", "10,000 idle actors", Unit::Bytes, (1_u64 << 30) as f64),
];

impl Row {
    /// Rounds of this row when `asked` are asked for.
    pub(crate) fn rounds(&self, asked: usize) -> usize {
        if self.unit == Unit::Bytes { 1 } else { asked }
    }
}

/// Against wapc and bare wasmtime, by processes.
const fn sandbox(name: &'static str, what: &'static str, goal: Goal) -> Row {
    Row {
        name,
        what,
        unit: Unit::Nanoseconds,
        ours: Side::Process("ours"),
        peer: Some(Side::Process("bench-wapc")),
        ceiling: Some(Side::Process("bare")),
        goal,
    }
}

/// Against a fixed number.
const fn alone(name: &'static str, what: &'static str, unit: Unit, most: f64) -> Row {
    Row {
        name,
        what,
        unit,
        ours: Side::Process("ours"),
        peer: None,
        ceiling: None,
        goal: Goal::AtMost(most),
    }
}

/// Against a fixed number of nanoseconds, beside what bare wasmtime needs.
const fn cold(name: &'static str, what: &'static str, most: f64) -> Row {
    Row { ceiling: Some(Side::Process("bare")), ..alone(name, what, Unit::Nanoseconds, most) }
}

/// Against bare hyper, by requests per second.
const fn http(name: &'static str, what: &'static str, app: App, goal: Goal) -> Row {
    Row {
        name,
        what,
        unit: Unit::PerSecond,
        ours: Side::Throughput(Server::Ours(app)),
        peer: None,
        ceiling: Some(Side::Throughput(Server::BareHyper)),
        goal,
    }
}
