//! Listening sockets: one per worker on the same port, yet exclusive towards other programs.

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use trellis_core::{CallError, Code};

/// Most connections the system keeps for each listener until it accepts them.
const BACKLOG: i32 = 1_024;

/// Most bytes a connection's socket holds that have not been sent yet. Beyond it the socket is not
/// writable; below it is again. Without it the system waits until a third of a buffer of megabytes
/// has left, and a client that takes a large answer at a fair pace looks like one that takes none.
const UNSENT_BYTES_MAX: u32 = 64 << 10;

/// Binds `count` sockets to one address; with port 0, to a free port they share. Nobody can connect
/// until they [`listen`].
///
/// `SO_REUSEPORT` spreads connections over the listeners, but would also let a second host of the
/// same user steal half of them. So the first socket is bound without it, which fails when anybody
/// holds the port, and gets it afterwards; except when `beside` says that this provider itself
/// listens on an overlapping address (`0.0.0.0` and `127.0.0.1`, say).
pub(crate) fn bind(
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
        // Else another program could listen there before we do.
        socket.set_reuse_address(false)?;
    }
    Ok(sockets.into_iter().map(TcpListener::from).collect())
}

/// Opens bound sockets to connections, which wait in them until they are accepted.
pub(crate) fn listen(sockets: &[TcpListener]) -> io::Result<()> {
    for socket in sockets.iter().map(SockRef::from) {
        socket.set_reuse_address(true)?;
        socket.listen(BACKLOG)?;
    }
    Ok(())
}

fn socket(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    // A port whose old connections linger in TIME_WAIT is free; a port somebody listens on is not.
    socket.set_reuse_address(true)?;
    // Every connection it accepts inherits this.
    socket.set_tcp_notsent_lowat(UNSENT_BYTES_MAX)?;
    if address.is_ipv6() {
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    Ok(socket)
}

/// What to tell the user when the system does not give an address.
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::AsyncReadExt;
    use tokio::net::TcpSocket;

    use super::*;

    /// Of a client's receive buffer, in bytes.
    const WINDOW: u32 = 64 << 10;
    /// Less than a third of what the system buffers without a limit.
    const TAKEN: usize = 512 << 10;

    #[tokio::test]
    async fn a_client_that_takes_some_of_an_answer_is_seen_to_take_it() {
        let any = "127.0.0.1:0".parse().expect("an address");
        let mut sockets = bind(any, 1, false).expect("a free port");
        listen(&sockets).expect("listens");
        let listener = sockets.pop().expect("one");
        let listener = tokio::net::TcpListener::from_std(listener).expect("listens");
        let client = TcpSocket::new_v4().expect("a socket");
        client.set_recv_buffer_size(WINDOW).expect("a small window");
        let address = listener.local_addr().expect("an address");
        let mut client = client.connect(address).await.expect("connects");
        let (tcp, _) = listener.accept().await.expect("accepts");
        let answer = vec![b'x'; 64 << 10];
        tcp.writable().await.expect("open");
        while tcp.try_write(&answer).is_ok() {}
        let mut taken = vec![0; TAKEN];
        let mut sent = 0;
        let sends = async {
            loop {
                tcp.writable().await.expect("open");
                sent += tcp.try_write(&answer).unwrap_or(0);
            }
        };
        let taken = tokio::select! {
            _ = client.read_exact(&mut taken) => true,
            () = sends => false,
            () = tokio::time::sleep(Duration::from_secs(10)) => false,
        };
        assert!(taken && sent > 0, "not writable again while the client took {TAKEN} bytes");
    }
}
