//! Listening sockets: one a core for each address, on the same port, so that the kernel spreads the connections.

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

/// Connections that may wait to be accepted; the kernel caps it at net.core.somaxconn.
const BACKLOG: i32 = 4096;

/// An address to listen on, and what is spoken there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    pub address: SocketAddr,
    pub is_tls: bool,
}

/// Binds `address` once for each of `cores`. Port 0 takes any free port, the same for all.
pub fn bind(address: SocketAddr, cores: usize) -> io::Result<Vec<TcpListener>> {
    let first = bind_one(address)?;
    let bound = first.local_addr()?;
    std::iter::once(Ok(first)).chain((1..cores).map(|_| bind_one(bound))).collect()
}

fn bind_one(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        // `[::]:443` serves IPv4 as well.
        socket.set_only_v6(false)?;
    }
    // A restart must not wait for old connections to time out.
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}
