//! Listening sockets: one a core for each address, on the same port, so that the kernel spreads the connections.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, OwnedFd};

use rustix::net::{SocketFlags, acceptfrom_with};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::Interest;
use tokio::net::TcpStream;

use crate::base::deferred;

/// Connections that may wait to be accepted; the kernel caps it at net.core.somaxconn.
const BACKLOG: i32 = 4096;

/// Who says nothing is accepted after so many seconds, and whoever speaks at once: then there is something to answer, and all
/// limits of time begin. Until then he takes neither a descriptor nor anything else of ours.
const SILENT_S: u32 = 1;

/// Bytes of one connection that may wait in the kernel without being under way (tcp(7), TCP_NOTSENT_LOWAT). Without a bound it takes
/// megabytes at once of whoever never reads them: 2,000 slow readers filled what TCP may have of the whole machine (tcp_mem), and
/// everybody else waited at the door for seconds while it took them. At 10 Gbit/s it lasts for 0.2 ms, after half of which we are asked
/// for more.
const UNSENT_MAX_BYTES: u32 = 256 << 10;

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

/// A connection that was accepted, and from where it has come. No reactor knows it.
pub type Came = (OwnedFd, SocketAddr);

/// A listening socket that can be waited for. To tokio it is a stream: its listener has a reactor know of whatever it accepts,
/// and its `AsyncFd` is unsafe to make.
pub struct Door(TcpStream);

impl Door {
    pub fn new(listener: TcpListener) -> io::Result<Door> {
        Ok(Door(TcpStream::from_std(OwnedFd::from(listener).into())?))
    }

    /// One more connection, once there is one.
    pub async fn accept(&self) -> io::Result<Came> {
        self.0.async_io(Interest::READABLE, || accept(&self.0)).await
    }

    /// One more, if there is one; what else there is to be told comes with the next that is waited for.
    pub fn accept_now(&self) -> Option<Came> {
        self.0.try_io(Interest::READABLE, || accept(&self.0)).ok()
    }

    /// The same without trust in what the reactor knows.
    pub fn accept_last(&self) -> Option<Came> {
        accept(&self.0).ok()
    }

    /// Where it listens, if that is one address.
    pub fn address(&self) -> Option<SocketAddr> {
        self.0.local_addr().ok().filter(|address| !address.ip().is_unspecified())
    }
}

fn accept(listener: impl AsFd) -> io::Result<Came> {
    let (socket, from) = acceptfrom_with(listener, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC)?;
    let from = from.and_then(|from| SocketAddr::try_from(from).ok());
    // A TCP connection that is from nowhere has broken off.
    Ok((socket, from.ok_or(io::ErrorKind::ConnectionAborted)?))
}

fn bind_one(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = bound(address, true)?;
    socket.set_nonblocking(true)?;
    // What is accepted has it too: small responses must not wait for an acknowledgement.
    socket.set_tcp_nodelay(true)?;
    // And this.
    socket.set_tcp_notsent_lowat(UNSENT_MAX_BYTES)?;
    deferred::accept(socket.as_fd(), SILENT_S)?;
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
    use std::io::Write;

    use super::*;

    /// What its window takes is the client's affair.
    const WINDOW_MAX_BYTES: usize = 64 << 10;

    #[test]
    fn the_kernel_takes_no_more_for_a_client_than_he_reads() {
        let door = bind("127.0.0.1:0".parse().unwrap(), 1).unwrap().remove(0);
        door.set_nonblocking(false).unwrap();
        let client = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP)).unwrap();
        client.set_recv_buffer_size(WINDOW_MAX_BYTES / 4).unwrap();
        client.connect(&door.local_addr().unwrap().into()).unwrap();
        client.send(b"GET").unwrap();
        let mut accepted = door.accept().unwrap().0;
        accepted.set_nonblocking(true).unwrap();
        let (bytes, mut taken) = (vec![0; UNSENT_MAX_BYTES as usize], 0);
        let refused = loop {
            match accepted.write(&bytes) {
                Ok(n) => taken += n,
                Err(error) => break error.kind(),
            }
        };
        assert_eq!(refused, io::ErrorKind::WouldBlock);
        // The last piece that it takes may go beyond by one segment, which are large on this machine.
        let most = UNSENT_MAX_BYTES as usize + 2 * WINDOW_MAX_BYTES;
        assert!(taken <= most, "{taken} bytes");
    }

    #[test]
    fn cores_share_a_port_and_strangers_do_not() {
        let ours = bind("127.0.0.1:0".parse().unwrap(), 3).unwrap();
        let address = ours[0].local_addr().unwrap();
        assert!(ours.iter().all(|socket| socket.local_addr().unwrap() == address));
        assert_eq!(bind(address, 1).unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }
}
