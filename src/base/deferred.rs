//! Connections that are accepted once their client has said something (tcp(7), TCP_DEFER_ACCEPT): no maintained crate sets it.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// From now on whoever connects to this listening TCP socket is accepted with his first bytes, or after about so many seconds
/// without any: the kernel then asks once more, by another SYN-ACK, and whoever acknowledges that is accepted as he is.
pub fn accept(listener: BorrowedFd<'_>, seconds: u32) -> io::Result<()> {
    let seconds = libc::c_int::try_from(seconds).unwrap_or(libc::c_int::MAX);
    let (value, len) = ((&raw const seconds).cast(), size_of_val(&seconds) as libc::socklen_t);
    // SAFETY: the kernel reads `len` bytes at `value`, which is one `int` that lives until the call is over, and keeps no
    // pointer. The descriptor is open for as long as it is borrowed; what is no TCP socket is refused.
    let set = unsafe { libc::setsockopt(listener.as_raw_fd(), libc::IPPROTO_TCP, libc::TCP_DEFER_ACCEPT, value, len) };
    if set == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsFd;

    use super::*;

    fn listener(seconds: u32) -> TcpListener {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        accept(listener.as_fd(), seconds).unwrap();
        listener
    }

    #[test]
    fn whoever_speaks_is_accepted_first() {
        let listener = listener(60);
        let _silent = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let mut speaks = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        speaks.write_all(b"a").unwrap();
        assert_eq!(listener.accept().unwrap().1, speaks.local_addr().unwrap());
    }

    #[test]
    fn the_silent_are_not_lost() {
        let listener = listener(1);
        let silent = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        assert_eq!(listener.accept().unwrap().1, silent.local_addr().unwrap());
    }

    #[test]
    fn what_is_no_socket_is_refused() {
        let file = std::fs::File::open("/dev/null").unwrap();
        assert!(accept(file.as_fd(), 1).is_err());
    }
}
