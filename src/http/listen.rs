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
    // Sockets that share a port would share it with another difusor too, and each would get half of the readers.
    drop(bound(address, false)?);
    let first = bind_one(address)?;
    let bound = first.local_addr()?;
    std::iter::once(Ok(first)).chain((1..cores).map(|_| bind_one(bound))).collect()
}

fn bind_one(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = bound(address, true)?;
    socket.set_nonblocking(true)?;
    // What is accepted has it too: small responses must not wait for an acknowledgement.
    socket.set_tcp_nodelay(true)?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn bound(address: SocketAddr, is_shared: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        // `[::]:443` serves IPv4 as well.
        socket.set_only_v6(false)?;
    }
    // A restart must not wait for old connections to time out.
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(is_shared)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cores_share_a_port_and_strangers_do_not() {
        let ours = bind("127.0.0.1:0".parse().unwrap(), 3).unwrap();
        let address = ours[0].local_addr().unwrap();
        assert!(ours.iter().all(|socket| socket.local_addr().unwrap() == address));
        assert_eq!(bind(address, 1).unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }
}
