//! How much of what was written the other side has not acknowledged (ioctl_tcp(7), SIOCOUTQ). `write` alone cannot tell who is
//! slow: the kernel takes megabytes at once, and tells of room for more in lumps of hundreds of kilobytes.

use std::os::fd::RawFd;

/// Bytes in the send queue of this TCP socket; `None` where it is none.
pub fn unacknowledged(socket: RawFd) -> Option<u32> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: for this request the kernel writes one `int`, to which the pointer is, and nobody else has it until the call
    // is over. It keeps nothing. Whatever `socket` is, of a descriptor that is none of ours nothing is changed.
    let told = unsafe { libc::ioctl(socket, libc::TIOCOUTQ, &raw mut bytes) };
    if told == 0 { u32::try_from(bytes).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsRawFd;

    use super::*;

    #[test]
    fn what_nobody_takes_is_told() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut writes = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut reads, _) = listener.accept().unwrap();
        assert_eq!(unacknowledged(writes.as_raw_fd()), Some(0));
        writes.set_nonblocking(true).unwrap();
        let mut written = 0;
        while let Ok(n) = writes.write(&[0; 1 << 16]) {
            written += n;
        }
        let waiting = unacknowledged(writes.as_raw_fd()).unwrap() as usize;
        assert!(waiting > 0 && waiting < written, "{waiting} of {written}");
        let mut taken = vec![0; written];
        reads.read_exact(&mut taken).unwrap();
        while unacknowledged(writes.as_raw_fd()) != Some(0) {
            std::thread::yield_now();
        }
        assert_eq!(unacknowledged(-1), None);
    }
}
