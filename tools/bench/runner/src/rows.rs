//! The rows, and their goals.

use crate::places::App;

/// One line of the table.
pub(crate) struct Row {
    /// Its name, which a side process is asked for.
    pub(crate) name: &'static str,
    /// What is measured, for the table.
    pub(crate) what: &'static str,
    pub(crate) unit: Unit,
    pub(crate) ours: Side,
    pub(crate) peer: Option<Side>,
    pub(crate) ceiling: Option<Side>,
    pub(crate) goal: Goal,
    /// Setting up takes long and nothing alternates with it: one round, with all operations in it.
    pub(crate) once: bool,
}

/// What a number means.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Time of one operation; less is better.
    Nanoseconds,
    /// Requests per second; more is better.
    PerSecond,
    /// Memory; less is better. Measured once, because there is no other side.
    Bytes,
}

/// What is measured.
#[derive(Clone, Copy)]
pub(crate) enum Side {
    /// A side process of this workspace, by its binary.
    Process(&'static str),
    /// The same, asked for another row.
    OtherRow(&'static str, &'static str),
    /// Requests per second of a server.
    Throughput(Server),
    /// The 99th percentile of a server's latency at a fixed rate, in nanoseconds.
    Latency(Server),
    /// Our host under more requests than it can answer, on one core.
    Overload(Figure),
}

/// A server to put under load.
#[derive(Clone, Copy)]
pub(crate) enum Server {
    /// Our host.
    Ours(App),
    /// A plain hyper server.
    BareHyper,
    /// `wasmtime serve` with a component that says hello.
    WasmtimeServe,
}

/// What is measured of a server that is asked too often.
#[derive(Clone, Copy)]
pub(crate) enum Figure {
    /// Requests per second that it answers when it is asked as often as it answers.
    Peak,
    /// Requests per second that it answers with what was asked for, when it is asked too often.
    Goodput,
    /// The 99th percentile of the time these take, in nanoseconds.
    Latency,
}

/// The goal of a row.
#[derive(Clone, Copy)]
pub(crate) enum Goal {
    /// Shown for comparison only.
    None,
    /// Our result divided by the peer's is at most this.
    PeerAtMost(f64),
    /// Our result divided by the peer's is at least this.
    PeerAtLeast(f64),
    /// Our result divided by the ceiling's is at most this.
    CeilingAtMost(f64),
    /// Our result divided by the ceiling's is at least this.
    CeilingAtLeast(f64),
    /// Our result is at most this, in the row's unit.
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
        once: false,
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
    Row {
        ours: Side::Overload(Figure::Goodput),
        ceiling: Some(Side::Overload(Figure::Peak)),
        goal: Goal::CeilingAtLeast(0.9),
        ..once("overload-goodput", "answers at 5 x the peak for 60 s", Unit::PerSecond, 0.0)
    },
    Row {
        ours: Side::Overload(Figure::Latency),
        ..once("overload-p99", "p99 of these answers", Unit::Nanoseconds, 20e6)
    },
    Row {
        ceiling: Some(Side::Process("bare")),
        goal: Goal::CeilingAtMost(3.0),
        ..alone("program-call", "call to a provider program", Unit::Nanoseconds, 0.0)
    },
    Row {
        peer: Some(Side::OtherRow("ours", "program-call")),
        goal: Goal::PeerAtMost(0.2),
        ..alone("program-calls-16", "the same, 16 at once", Unit::Nanoseconds, 0.0)
    },
    cold("cold-cached", "300 KB module to first reply", 3e6),
    cold("cold-compiled", "the same without a cache", 60e6),
    once("idle-actors", "10,000 idle actors", Unit::Bytes, (1_u64 << 30) as f64),
    once("start-many", "start of 10,000 actors, cached", Unit::Nanoseconds, 3e9),
    once("change-one-of-many", "new code for one of 10,000", Unit::Nanoseconds, 20e6),
];

impl Row {
    /// How many rounds this row gets when `asked` rounds are asked for.
    pub(crate) fn rounds(&self, asked: usize) -> usize {
        if self.once { 1 } else { asked }
    }
}

/// A row against wapc and bare wasmtime, each in a process.
const fn sandbox(name: &'static str, what: &'static str, goal: Goal) -> Row {
    Row {
        name,
        what,
        unit: Unit::Nanoseconds,
        ours: Side::Process("ours"),
        peer: Some(Side::Process("bench-wapc")),
        ceiling: Some(Side::Process("bare")),
        goal,
        once: false,
    }
}

/// A row with a fixed number as its goal.
const fn alone(name: &'static str, what: &'static str, unit: Unit, most: f64) -> Row {
    Row {
        name,
        what,
        unit,
        ours: Side::Process("ours"),
        peer: None,
        ceiling: None,
        goal: Goal::AtMost(most),
        once: false,
    }
}

/// The same, measured in one round.
const fn once(name: &'static str, what: &'static str, unit: Unit, most: f64) -> Row {
    Row { once: true, ..alone(name, what, unit, most) }
}

/// A row with a fixed number of nanoseconds as its goal, next to the time of bare wasmtime.
const fn cold(name: &'static str, what: &'static str, most: f64) -> Row {
    Row { ceiling: Some(Side::Process("bare")), ..alone(name, what, Unit::Nanoseconds, most) }
}

/// A row against bare hyper, in requests per second.
const fn http(name: &'static str, what: &'static str, app: App, goal: Goal) -> Row {
    Row {
        name,
        what,
        unit: Unit::PerSecond,
        ours: Side::Throughput(Server::Ours(app)),
        peer: None,
        ceiling: Some(Side::Throughput(Server::BareHyper)),
        goal,
        once: false,
    }
}
