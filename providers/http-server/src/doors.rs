//! The listening sockets of this process. Instances of the provider that follow one another share
//! them, so that a new one takes over the very queue of connections of the one before.
//!
//! Whoever wants an address stands in its line, and the first in the line accepts. When that one
//! leaves, the next begins; in between no connection is refused, because it waits in the socket.
//! The instances of one lineage share. So do others of the same host, while all that an address
//! serves moves from one to the other. For everybody else the address is in use.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use trellis_core::{BindingName, CallError};
use trellis_providers_sdk::{BindingId, Context};

use crate::port::Port;
use crate::sockets;

/// The doors of all hosts in this process.
static DOORS: Mutex<AllDoors> = Mutex::new(AllDoors { open: BTreeMap::new(), closing: Vec::new() });

struct AllDoors {
    open: BTreeMap<(Arc<str>, SocketAddr), Door>,
    /// The ports that left: their workers may still hold the sockets for a moment.
    closing: Vec<(Arc<str>, SocketAddr, Weak<Port>)>,
}

/// The doors of one host, as the instances of one lineage see them.
#[derive(Clone, Debug)]
pub(crate) struct Doors {
    host: Arc<str>,
    lineage: Arc<str>,
}

/// One address that is listened on.
#[derive(Debug)]
struct Door {
    /// One for each worker of the instance that opened it.
    sockets: Vec<TcpListener>,
    /// False while it is reserved for the first that will be served.
    listens: bool,
    line: VecDeque<InLine>,
    chosen_for: Option<Choice>,
}

#[derive(Clone, Debug)]
struct InLine {
    lineage: Arc<str>,
    port: Weak<Port>,
}

/// For whom the system chose the port, so that its successor finds it again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Choice {
    /// The address as asked for, with port 0.
    pub(crate) asked: SocketAddr,
    pub(crate) actor_name: String,
    pub(crate) name: BindingName,
}

/// Why an address cannot be opened.
#[derive(Debug)]
pub(crate) enum NoEntry {
    /// The system does not give it.
    System(io::Error),
    /// Another provider of this host has it, and keeps it.
    Host,
    /// The threads take no more ports.
    Busy(CallError),
}

impl From<io::Error> for NoEntry {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

impl Doors {
    /// The doors of a provider's host. Without a name of the host they belong to the lineage; with
    /// neither they are shared with nobody.
    pub(crate) fn of(context: &Context) -> Self {
        static ALONE: AtomicU64 = AtomicU64::new(0);
        let lineage: Arc<str> = match context.lineage() {
            // Relaxed: only that no two are alike matters.
            "" => format!("\0{}", ALONE.fetch_add(1, Ordering::Relaxed)).into(),
            lineage => lineage.into(),
        };
        let host = match context.host() {
            "" => Arc::clone(&lineage),
            host => host.into(),
        };
        Self { host, lineage }
    }

    /// The address that the system chose for the same before.
    pub(crate) fn chosen(
        &self,
        choice: &Choice,
        leaving: &HashSet<BindingId>,
    ) -> Option<SocketAddr> {
        let doors = DOORS.lock();
        let mut ours = doors.open.iter().filter(|((host, _), _)| *host == self.host);
        let same = |door: &Door| {
            door.chosen_for.as_ref() == Some(choice) && !door.is_kept_from(self, leaving)
        };
        ours.find(|(_, door)| same(door)).map(|((_, at), _)| *at)
    }

    /// True when another provider of this host stands in the line of an address, to stay.
    pub(crate) fn is_shared(&self, address: SocketAddr, leaving: &HashSet<BindingId>) -> bool {
        let doors = DOORS.lock();
        let door = doors.open.get(&(Arc::clone(&self.host), address));
        door.is_some_and(|door| door.is_kept_from(self, leaving))
    }

    /// The ports that left an address, or one that overlaps, and whose workers still hold its
    /// sockets: until they have let go, the system does not give it. None while it is open.
    pub(crate) fn closing(&self, asked: SocketAddr) -> Vec<Arc<Port>> {
        let mut doors = DOORS.lock();
        doors.forget_closed();
        if doors.open.contains_key(&(Arc::clone(&self.host), asked)) {
            return Vec::new();
        }
        let meets = |(host, at, _): &&(Arc<str>, SocketAddr, Weak<Port>)| {
            *host == self.host && overlap(*at, asked)
        };
        let closing = doors.closing.iter().filter(meets);
        closing.filter_map(|(_, _, port)| port.upgrade()).collect()
    }

    /// Puts a port into the line of an address. Nothing changes for those before it, and an address
    /// that nobody had is only bound: the port is to [`start`](Self::start). Gives the address,
    /// with the port that the system chose where 0 was asked for, and the sockets of each of
    /// `count` workers. What serves nothing but what is `leaving` is in nobody's way.
    ///
    /// # Errors
    /// When the system does not give the address, or somebody else of this host keeps it.
    pub(crate) fn enter(
        &self,
        (asked, choice): (SocketAddr, Option<Choice>),
        (port, count): (&Arc<Port>, usize),
        leaving: &HashSet<BindingId>,
    ) -> Result<(SocketAddr, Vec<Vec<TcpListener>>), NoEntry> {
        let mut doors = DOORS.lock();
        let beside = doors.admit(self, asked, leaving)?;
        let key = (Arc::clone(&self.host), asked);
        let (address, door) = match doors.open.get_mut(&key) {
            Some(door) => (asked, door),
            None => {
                let sockets = sockets::bind(asked, count, beside)?;
                let first = sockets.first().ok_or_else(|| io::Error::other("no worker"))?;
                let address = first.local_addr()?;
                let line = VecDeque::new();
                let door = Door { sockets, listens: false, line, chosen_for: choice };
                (address, doors.open.entry((key.0, address)).or_insert(door))
            }
        };
        match door.deal(count) {
            Ok(sockets) => {
                let lineage = Arc::clone(&self.lineage);
                door.line.push_back(InLine { lineage, port: Arc::downgrade(port) });
                door.line_up();
                Ok((address, sockets))
            }
            Err(error) => {
                if door.line.is_empty() {
                    doors.open.remove(&(Arc::clone(&self.host), address));
                }
                Err(error.into())
            }
        }
    }

    /// Opens an address to connections, if it is not open yet.
    ///
    /// # Errors
    /// When another program was faster.
    pub(crate) fn listen(&self, address: SocketAddr) -> io::Result<()> {
        let mut doors = DOORS.lock();
        let Some(door) = doors.open.get_mut(&(Arc::clone(&self.host), address)) else {
            return Ok(());
        };
        if !door.listens {
            sockets::listen(&door.sockets)?;
            door.listens = true;
        }
        Ok(())
    }

    /// Has a port in the line of an address accept there, once it is its turn.
    pub(crate) fn start(&self, address: SocketAddr, port: &Port) {
        let mut doors = DOORS.lock();
        port.start();
        if let Some(door) = doors.open.get_mut(&(Arc::clone(&self.host), address)) {
            door.settle();
        }
    }

    /// Takes a port out of the line, and closes the address when that was the last one.
    pub(crate) fn leave(&self, address: SocketAddr, port: &Arc<Port>) {
        let mut doors = DOORS.lock();
        let key = (Arc::clone(&self.host), address);
        let Some(door) = doors.open.get_mut(&key) else { return };
        let is_port = |other: &InLine| Weak::as_ptr(&other.port) == Arc::as_ptr(port);
        door.line.retain(|other| !is_port(other));
        if !door.settle() {
            doors.open.remove(&key);
        }
        doors.forget_closed();
        doors.closing.push((key.0, address, Arc::downgrade(port)));
    }
}

impl AllDoors {
    /// True when an address of the same host overlaps, or is open: it would be in our own way.
    ///
    /// # Errors
    /// [`NoEntry::Host`] when another provider keeps such a one.
    fn admit(
        &self,
        doors: &Doors,
        asked: SocketAddr,
        leaving: &HashSet<BindingId>,
    ) -> Result<bool, NoEntry> {
        let ours = self.open.iter().filter(|((host, _), _)| *host == doors.host);
        let mut beside = false;
        for (_, door) in ours.filter(|((_, at), _)| overlap(*at, asked)) {
            if door.is_kept_from(doors, leaving) {
                return Err(NoEntry::Host);
            }
            beside = true;
        }
        Ok(beside)
    }

    fn forget_closed(&mut self) {
        let accepts = |port: &Weak<Port>| port.upgrade().is_some_and(|port| !port.is_stopped());
        self.closing.retain(|(_, _, port)| accepts(port));
    }
}

impl Door {
    /// The sockets for each of `count` workers. Each socket has a worker and each worker a socket,
    /// also when there are fewer of them or more than when the door was opened: a connection waits
    /// in the socket that the system gave it to.
    fn deal(&self, count: usize) -> io::Result<Vec<Vec<TcpListener>>> {
        let mut dealt: Vec<_> = (0..count).map(|_| Vec::new()).collect();
        for index in 0..count.max(self.sockets.len()) {
            dealt[index % count].push(self.sockets[index % self.sockets.len()].try_clone()?);
        }
        Ok(dealt)
    }

    /// Tells everybody who comes next, and the first one to accept; false when nobody is left. The
    /// first may be one that has not started yet: whoever left counts on it.
    fn settle(&mut self) -> bool {
        let Some(first) = self.line_up() else { return false };
        if self.listens {
            first.serve();
        }
        true
    }

    /// Tells everybody who comes next; gives the first.
    fn line_up(&mut self) -> Option<Arc<Port>> {
        self.line.retain(|one| one.port.strong_count() > 0);
        let ports: Vec<_> = self.line.iter().filter_map(|one| one.port.upgrade()).collect();
        for (index, port) in ports.iter().enumerate() {
            port.set_heir(ports.get(index + 1));
        }
        ports.into_iter().next()
    }

    /// True when somebody else serves here what does not leave. One that only waits to start is not
    /// in the way of those before it, who may stay after all.
    fn is_kept_from(&self, doors: &Doors, leaving: &HashSet<BindingId>) -> bool {
        let is_ours = |one: &InLine| one.lineage == doors.lineage;
        let ours = self.line.iter().position(is_ours).unwrap_or(self.line.len());
        let others = self.line.iter().enumerate().filter(|(_, one)| !is_ours(one));
        let mut others = others.filter_map(|(at, one)| Some((at, one.port.upgrade()?)));
        others.any(|(at, port)| {
            let waits = at > ours && port.is_reserved();
            !waits && !port.serves_only(leaving)
        })
    }
}

/// True when a socket at one of them would get connections to the other.
fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    let covers = |one: SocketAddr, other: SocketAddr| {
        // `::` takes IPv4 too.
        one.ip().is_unspecified() && (one.is_ipv6() || other.is_ipv4())
    };
    let same = one.ip() == other.ip() || covers(one, other) || covers(other, one);
    one.port() == other.port() && one.port() != 0 && same
}
