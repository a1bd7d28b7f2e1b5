//! The listening sockets of this process. Instances of the provider that follow one another share
//! them, so that a new one takes over the very queue of connections of the one before.
//!
//! Whoever wants an address stands in its line, and the first in the line accepts. When that one
//! leaves, the next begins; in between no connection is refused, because it waits in the socket.
//! Only instances of one lineage share: for everybody else the address is in use.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use trellis_core::BindingName;

use crate::port::Port;
use crate::sockets;

/// The open doors of all lineages.
static OPEN: Mutex<BTreeMap<(Arc<str>, SocketAddr), Door>> = Mutex::new(BTreeMap::new());

/// The doors that the instances of one lineage share.
#[derive(Clone, Debug)]
pub(crate) struct Doors {
    lineage: Arc<str>,
}

/// One address that is listened on.
#[derive(Debug)]
struct Door {
    /// One for each worker.
    sockets: Vec<TcpListener>,
    line: VecDeque<Weak<Port>>,
    chosen_for: Option<Choice>,
}

/// For whom the system chose the port, so that its successor finds it again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Choice {
    /// The address as asked for, with port 0.
    pub(crate) asked: SocketAddr,
    pub(crate) actor_name: String,
    pub(crate) name: BindingName,
}

impl Doors {
    /// The doors of a lineage; the empty one is shared with nobody.
    pub(crate) fn of(lineage: &str) -> Self {
        static ALONE: AtomicU64 = AtomicU64::new(0);
        let lineage = match lineage {
            // Relaxed: only that no two are alike matters.
            "" => format!("\0{}", ALONE.fetch_add(1, Ordering::Relaxed)).into(),
            lineage => lineage.into(),
        };
        Self { lineage }
    }

    /// The address that the system chose for the same before.
    pub(crate) fn chosen(&self, choice: &Choice) -> Option<SocketAddr> {
        let open = OPEN.lock();
        let mut ours = open.iter().filter(|((lineage, _), _)| *lineage == self.lineage);
        ours.find(|(_, door)| door.chosen_for.as_ref() == Some(choice)).map(|((_, at), _)| *at)
    }

    /// Puts a port into the line of an address, and opens that first when nobody has. Gives the
    /// address, with the port that the system chose where 0 was asked for, and a socket for each
    /// of `count` workers.
    ///
    /// # Errors
    /// The system's own, when it does not give the address.
    pub(crate) fn enter(
        &self,
        asked: SocketAddr,
        choice: Option<Choice>,
        port: &Arc<Port>,
        count: usize,
    ) -> io::Result<(SocketAddr, Vec<TcpListener>)> {
        let mut open = OPEN.lock();
        let key = (Arc::clone(&self.lineage), asked);
        let (address, door) = match open.get_mut(&key) {
            Some(door) => (asked, door),
            None => {
                // An address of ours that overlaps would be in our own way.
                let beside = open.keys().any(|(lineage, other)| {
                    *lineage == self.lineage && other.port() == asked.port()
                });
                let sockets = sockets::listen(asked, count, beside)?;
                let first = sockets.first().ok_or_else(|| io::Error::other("no worker"))?;
                let address = first.local_addr()?;
                let door = Door { sockets, line: VecDeque::new(), chosen_for: choice };
                (address, open.entry((key.0, address)).or_insert(door))
            }
        };
        let sockets = door.sockets.iter().map(TcpListener::try_clone).collect::<Result<_, _>>();
        match sockets {
            Ok(sockets) => {
                door.line.push_back(Arc::downgrade(port));
                door.settle();
                Ok((address, sockets))
            }
            Err(error) => {
                if door.line.is_empty() {
                    open.remove(&(Arc::clone(&self.lineage), address));
                }
                Err(error)
            }
        }
    }

    /// Takes a port out of the line, and closes the address when that was the last one.
    pub(crate) fn leave(&self, address: SocketAddr, port: &Arc<Port>) {
        let mut open = OPEN.lock();
        let key = (Arc::clone(&self.lineage), address);
        let Some(door) = open.get_mut(&key) else { return };
        let is_port = |other: &Weak<Port>| Weak::as_ptr(other) == Arc::as_ptr(port);
        door.line.retain(|other| !is_port(other));
        if !door.settle() {
            open.remove(&key);
        }
    }
}

impl Door {
    /// Tells everybody who comes next, and the first one to accept; false when nobody is left.
    fn settle(&mut self) -> bool {
        let ports: Vec<_> = self.line.iter().filter_map(Weak::upgrade).collect();
        self.line = ports.iter().map(Arc::downgrade).collect();
        for (index, port) in ports.iter().enumerate() {
            port.set_heir(ports.get(index + 1));
        }
        ports.first().inspect(|first| first.serve()).is_some()
    }
}
