//! Listening sockets: one per worker on the same port, yet exclusive towards other programs.

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};
use trellis_core::{CallError, Code};

/// Most connections the system keeps for each listener until it accepts them.
const BACKLOG: i32 = 1_024;

/// Binds `count` listeners to one address; with port 0, to a free port they share.
///
/// `SO_REUSEPORT` spreads connections over the listeners, but would also let a second host of the
/// same user steal half of them. So the first socket is bound without it, which fails when anybody
/// holds the port, and gets it afterwards; except when `beside` says that this provider itself
/// listens on an overlapping address (`0.0.0.0` and `127.0.0.1`, say).
pub(crate) fn listen(
    address: SocketAddr,
    count: usize,
    beside: bool,
) -> io::Result<Vec<TcpListener>> {
    let first = socket(address)?;
    first.set_reuse_port(beside)?;
    first.bind(&address.into())?;
    first.set_reuse_port(true)?;
    let bound = first
        .local_addr()?
        .as_socket()
        .ok_or_else(|| io::Error::other("an internet socket has an internet address"))?;
    let mut sockets = vec![first];
    for _ in 1..count {
        let socket = socket(address)?;
        socket.set_reuse_port(true)?;
        socket.bind(&bound.into())?;
        sockets.push(socket);
    }
    for socket in &sockets {
        socket.listen(BACKLOG)?;
    }
    Ok(sockets.into_iter().map(TcpListener::from).collect())
}

fn socket(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    // A port whose old connections linger in TIME_WAIT is free; a port somebody listens on is not.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    Ok(socket)
}

/// What to tell the user when an address cannot be had.
pub(crate) fn explain(address: SocketAddr, actor: &str, error: &io::Error) -> CallError {
    let cure = match error.kind() {
        io::ErrorKind::AddrInUse => {
            "is in use; stop the program that holds it, or choose another PORT"
        }
        io::ErrorKind::PermissionDenied => {
            "may not be used by this user; choose a PORT from 1024 up"
        }
        io::ErrorKind::AddrNotAvailable => {
            "is no address of this machine; set ADDRESS to one that is, or to 0.0.0.0"
        }
        _ => return other(address, actor, error),
    };
    CallError::new(Code::Address, format!("{address}, wanted by actor `{actor}`, {cure}"))
}

fn other(address: SocketAddr, actor: &str, error: &io::Error) -> CallError {
    let text = format!("{address}, wanted by actor `{actor}`, cannot be listened on: {error}");
    CallError::new(Code::Address, text)
}
