//! The steps of a scenario.

use trellis_testkit::Signal;

use crate::actor::ActorFile;
use crate::archive::ArchiveFile;

/// One step: an action or a check.
#[derive(Clone)]
pub enum Step {
    /// Changes something.
    Do(Change),
    /// Starts the host and waits until it is ready.
    Start,
    /// Starts it with these further arguments.
    StartWith(&'static [&'static str]),
    /// Runs the host with more arguments: it exits with this code and prints all of these texts.
    Ends(&'static [&'static str], i32, &'static [&'static str]),
    /// Runs the host in a shell after this command: it exits with this code and prints all of these
    /// texts.
    EndsAfter(&'static str, i32, &'static [&'static str]),
    /// The running host exits with this code, within this many seconds of the last change.
    Stops(i32, u64),
    /// Sends a request to an actor and checks the response.
    Asks(Request),
    /// The same, by another client while the scenario continues.
    AsksMeanwhile(Request),
    /// Waits for the response to the request sent meanwhile and checks it.
    Answered,
    /// Nothing listens any more on the actor's address.
    Closed(&'static str),
    /// Starts a client that sends requests to an actor without a pause over one connection.
    LoadStarts(&'static str),
    /// The same for this path of the actor.
    LoadStartsAt(&'static str, &'static str),
    /// Stops that client: each of its requests got a 200, some of them after the last change.
    LoadEnds,
    /// The same for an actor that counts its requests: it counted each answered one exactly once.
    LoadCounted(&'static str),
    /// The admin address responds to this path with this status and text.
    Admin(&'static str, u16, &'static str),
    /// A metric has at least this value.
    Metric(&'static str, f64),
    /// Remembers the value of a metric.
    Remember(&'static str),
    /// A remembered metric still has the same value.
    Unchanged(&'static str),
    /// A line of the log since the last change contains all of these texts.
    Log(&'static [&'static str]),
    /// A line on standard output contains all of these texts.
    Prints(&'static [&'static str]),
    /// No line on standard output contains this text.
    NeverPrints(&'static str),
    /// At most this many lines of the log contain this text.
    LogAtMost(usize, &'static str),
    /// A check that may take a moment to become true.
    Soon(Box<Self>),
}

/// A change.
#[derive(Clone)]
pub enum Change {
    /// Writes a signed module.
    Actor(ActorFile),
    /// Writes a provider's archive.
    Archive(ArchiveFile),
    /// Writes a file.
    File(&'static str, Vec<u8>),
    /// Writes the manifest.
    Manifest(String),
    /// Sends the host a signal.
    Signal(Signal),
    /// Does something to Redis.
    Redis(Redis),
    /// Does something to the disk at `${DISK}`.
    Disk(Disk),
}

/// What can happen to a disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Disk {
    /// Hosts that start from now on have an empty disk of a few megabytes.
    Small,
    /// It is full.
    Full,
    /// It has room again.
    Free,
}

/// What can happen to Redis.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Redis {
    /// It is started or restarted.
    Up,
    /// It is killed.
    Down,
    /// It is paused: connections stay open and nothing is answered.
    Frozen,
    /// It continues.
    Thawed,
}

/// A request and the response that it must get.
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
    /// A header field that the response must have.
    pub(crate) field: Option<(&'static str, &'static str)>,
}

/// A `GET` of an actor's path.
#[must_use]
pub const fn get(actor: &'static str, path: &'static str) -> Request {
    Request { actor, method: "GET", path, header: "", body: "", status: 200, says: "", field: None }
}

/// A `POST` of a text to an actor, which makes a hostile one misbehave.
#[must_use]
pub const fn post(actor: &'static str, body: &'static str) -> Request {
    Request {
        actor,
        method: "POST",
        path: "/",
        header: "",
        body,
        status: 200,
        says: "",
        field: None,
    }
}

impl Request {
    /// The same with more header lines, each with its line end.
    #[must_use]
    pub const fn with(mut self, header: &'static str) -> Self {
        self.header = header;
        self
    }

    /// The same for another path.
    #[must_use]
    pub const fn at(mut self, path: &'static str) -> Self {
        self.path = path;
        self
    }

    /// The response must have this header field, its name in lower case.
    #[must_use]
    pub const fn shows(mut self, name: &'static str, value: &'static str) -> Self {
        self.field = Some((name, value));
        self
    }

    /// The response must have this status, and its body must contain this text.
    #[must_use]
    pub const fn is(self, status: u16, says: &'static str) -> Step {
        Step::Asks(self.expecting(status, says))
    }

    /// The same while the scenario continues; [`Step::Answered`] waits for the response.
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
    /// The check must succeed soon, if it does not now.
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

impl From<ArchiveFile> for Step {
    fn from(archive: ArchiveFile) -> Self {
        Self::Do(Change::Archive(archive))
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
    /// Writes a manifest.
    #[must_use]
    pub fn manifest(text: impl Into<String>) -> Self {
        Self::Do(Change::Manifest(text.into()))
    }
}

/// A manifest with these actors behind HTTP, each on its own free port. The second text is added to
/// the actor's entry, such as `limits: {call_time: 300ms}`.
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
