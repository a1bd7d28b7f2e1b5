//! The steps a scenario is made of.

use trellis_testkit::Signal;

use crate::actor::ActorFile;

/// One step: something that is done, or something that must be so.
#[derive(Clone)]
pub enum Step {
    /// Something changes.
    Do(Change),
    /// The host starts and is ready.
    Start,
    /// The host, started with these further arguments, ends with the code and says all of this.
    Ends(&'static [&'static str], i32, &'static [&'static str]),
    /// The host, started by a shell after this command, ends with the code and says all of this.
    EndsAfter(&'static str, i32, &'static [&'static str]),
    /// The running host ends by itself with this code, within so many seconds of its last change.
    Stops(i32, u64),
    /// An actor answers a request.
    Asks(Request),
    /// The same, sent by another client while the scenario goes on.
    AsksMeanwhile(Request),
    /// The request sent meanwhile was answered as it should be.
    Answered,
    /// Nobody listens any more where the actor was.
    Closed(&'static str),
    /// A client begins to ask an actor again and again over one connection.
    LoadStarts(&'static str),
    /// That client stops; every one of its requests was answered with 200, some since the last
    /// change.
    LoadEnds,
    /// The same for an actor that counts its requests: it counted each one that was answered once.
    LoadCounted(&'static str),
    /// The admin address answers so.
    Admin(&'static str, u16, &'static str),
    /// A metric is at least so much.
    Metric(&'static str, f64),
    /// Remembers a metric.
    Remember(&'static str),
    /// A remembered metric is what it was.
    Unchanged(&'static str),
    /// Since the last change a line of the log has all of this.
    Log(&'static [&'static str]),
    /// A line on standard output has all of this.
    Prints(&'static [&'static str]),
    /// No line on standard output has this.
    NeverPrints(&'static str),
    /// No more than so many lines of the log have this.
    LogAtMost(usize, &'static str),
    /// A step holds, now or soon.
    Soon(Box<Self>),
}

/// Something that changes.
#[derive(Clone)]
pub enum Change {
    /// A signed module is put in place.
    Actor(ActorFile),
    /// A file is put in place.
    File(&'static str, Vec<u8>),
    /// A manifest is put in place.
    Manifest(String),
    /// The host gets a signal.
    Signal(Signal),
    /// Something happens to Redis.
    Redis(Redis),
    /// Something happens to the disk under `${DISK}`.
    Disk(Disk),
}

/// What can happen to a disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Disk {
    /// Hosts that start from now on have an empty one of a few megabytes.
    Small,
    /// Nothing more fits on it.
    Full,
    /// There is room again.
    Free,
}

/// What can happen to Redis.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Redis {
    /// It is started, or started again.
    Up,
    /// It is killed.
    Down,
    /// It stands still: connections stay open and nothing is answered.
    Frozen,
    /// It goes on.
    Thawed,
}

/// A request and the answer it must get.
#[derive(Clone)]
pub struct Request {
    pub(crate) actor: &'static str,
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    /// More header lines, each with its line end.
    pub(crate) header: &'static str,
    pub(crate) body: &'static str,
    pub(crate) status: u16,
    pub(crate) says: &'static str,
}

/// `GET` of a path from an actor.
#[must_use]
pub const fn get(actor: &'static str, path: &'static str) -> Request {
    Request { actor, method: "GET", path, header: "", body: "", status: 200, says: "" }
}

/// `POST` of a text to an actor, which makes a hostile one hostile.
#[must_use]
pub const fn post(actor: &'static str, body: &'static str) -> Request {
    Request { actor, method: "POST", path: "/", header: "", body, status: 200, says: "" }
}

impl Request {
    /// The same with more header lines, each with its line end.
    #[must_use]
    pub const fn with(mut self, header: &'static str) -> Self {
        self.header = header;
        self
    }

    /// It must be answered with this status, and the body must hold this.
    #[must_use]
    pub const fn is(self, status: u16, says: &'static str) -> Step {
        Step::Asks(self.expecting(status, says))
    }

    /// The same, while the scenario goes on; [`Step::Answered`] waits for the answer.
    #[must_use]
    pub const fn meanwhile_is(self, status: u16, says: &'static str) -> Step {
        Step::AsksMeanwhile(self.expecting(status, says))
    }

    const fn expecting(mut self, status: u16, says: &'static str) -> Self {
        self.status = status;
        self.says = says;
        self
    }
}

impl Step {
    /// It must hold soon, if not now.
    #[must_use]
    pub fn soon(self) -> Self {
        Self::Soon(Box::new(self))
    }
}

impl From<ActorFile> for Step {
    fn from(actor: ActorFile) -> Self {
        Self::Do(Change::Actor(actor))
    }
}

impl From<Signal> for Step {
    fn from(signal: Signal) -> Self {
        Self::Do(Change::Signal(signal))
    }
}

impl From<Disk> for Step {
    fn from(disk: Disk) -> Self {
        Self::Do(Change::Disk(disk))
    }
}

impl From<Redis> for Step {
    fn from(redis: Redis) -> Self {
        Self::Do(Change::Redis(redis))
    }
}

impl Step {
    /// Puts a manifest in place.
    #[must_use]
    pub fn manifest(text: impl Into<String>) -> Self {
        Self::Do(Change::Manifest(text.into()))
    }
}

/// A manifest with these actors behind HTTP, each on a free port of its own; `more` goes into an
/// actor's entry, such as `limits: {call_time: 300ms}`.
#[must_use]
pub fn app(actors: &[(&str, &str)]) -> Step {
    let entry = |(name, more): &(&str, &str)| {
        format!("  - image: {name}.wasm\n    name: {name}\n    {more}\n")
    };
    let binding = |(name, _): &(&str, &str)| {
        format!(
            "  - actor: {name}\n    capability: wascc:http_server\n    \
             values: {{PORT: 0, ADDRESS: 127.0.0.1}}\n"
        )
    };
    let entries: String = actors.iter().map(entry).collect();
    let bindings: String = actors.iter().map(binding).collect();
    Step::manifest(format!(
        "actors:\n{entries}providers:\n  - builtin: http-server\nbindings:\n{bindings}"
    ))
}
