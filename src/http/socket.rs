//! A connection's socket, with as little as it takes between us and the kernel: system calls without what the C library does around
//! each for threads that may be cancelled, and one look at the reactor for each.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rustix::net::{RecvFlags, SendFlags, recv};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;

use super::last::{LAST, Last, Part, send_file, send_parts};

/// See above.
pub struct Socket(TcpStream);

impl Socket {
    pub fn new(stream: TcpStream) -> Socket {
        Socket(stream)
    }

    /// What `io` moves. Fewer than `room` bytes are all that there were, or found room: what comes next the reactor has to tell,
    /// and the kernel need not be asked before.
    fn try_io(
        &self,
        interest: Interest,
        room: usize,
        io: impl FnOnce() -> rustix::io::Result<usize>,
    ) -> io::Result<usize> {
        let mut moved = 0;
        let tried = self.0.try_io(interest, || {
            moved = io()?;
            if moved > 0 && moved < room { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
        });
        match tried {
            Err(error) if moved == 0 => Err(error),
            _ => Ok(moved),
        }
    }

    fn poll_send(
        &self,
        cx: &mut Context<'_>,
        room: usize,
        send: impl Fn() -> rustix::io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            match self.try_io(Interest::WRITABLE, room, &send) {
                Err(error) if is_to_be_tried_again(&error) => ready!(self.0.poll_write_ready(cx))?,
                done => return Poll::Ready(done),
            }
        }
    }
}

/// Once the reactor says so, or at once: it says which.
fn is_to_be_tried_again(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

fn len(bufs: &[IoSlice<'_>]) -> usize {
    bufs.iter().map(|buf| buf.len()).sum()
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.0.poll_read_ready(cx))?;
            let room = buf.initialize_unfilled();
            let len = room.len();
            let read = self.try_io(Interest::READABLE, len, || Ok(recv(&self.0, &mut *room, RecvFlags::DONTWAIT)?.1));
            match read {
                Err(error) if is_to_be_tried_again(&error) => {}
                Err(error) => return Poll::Ready(Err(error)),
                Ok(read) => {
                    buf.advance(read);
                    return Poll::Ready(Ok(()));
                }
            }
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_send(cx, len(bufs), || send_parts(&self.0, bufs, SendFlags::empty()))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

impl Last for Socket {
    const TAKES_FILES: bool = true;

    fn poll_last(self: Pin<&mut Self>, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        self.poll_send(cx, len(bufs), || send_parts(&self.0, bufs, LAST))
    }

    fn poll_file(self: Pin<&mut Self>, cx: &mut Context<'_>, part: Part<'_>) -> Poll<io::Result<usize>> {
        // Through the kernel's pipe, less than all is no word about room.
        self.poll_send(cx, 0, || send_file(&self.0, part))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    async fn pair() -> (TcpStream, Socket) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (client, Socket::new(listener.accept().await.unwrap().0))
    }

    #[tokio::test]
    async fn bytes_arrive_though_none_has_room_for_them() {
        let (mut client, mut socket) = pair().await;
        let sent: Vec<u8> = (0..8_u32 << 20).map(|n| (n % 251) as u8).collect();
        let expected = sent.clone();
        let writing = tokio::spawn(async move {
            socket.write_all(&sent).await.unwrap();
            socket.shutdown().await.unwrap();
            socket
        });
        let mut came = Vec::new();
        client.read_to_end(&mut came).await.unwrap();
        assert!(came == expected);
        let mut socket = writing.await.unwrap();
        let echo = tokio::spawn(async move {
            let mut came = Vec::new();
            socket.read_to_end(&mut came).await.unwrap();
            came
        });
        client.write_all(&expected).await.unwrap();
        client.shutdown().await.unwrap();
        assert!(echo.await.unwrap() == expected);
    }

    #[tokio::test]
    async fn an_end_behind_the_last_bytes_is_seen() {
        let (mut client, mut socket) = pair().await;
        let mut room = [0; 64];
        for n in 0..200 {
            client.write_all(b"hola").await.unwrap();
            if n == 199 {
                client.shutdown().await.unwrap();
            }
            assert_eq!(socket.read(&mut room).await.unwrap(), 4);
        }
        assert_eq!(socket.read(&mut room).await.unwrap(), 0);
        drop(client);
        while socket.write(b"nadie").await.is_ok() {}
    }
}
