//! What waits to be written: frames one after the other, and bodies from where they lie, so that all that is ready leaves together.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::io::AsyncWrite;

use super::frame::{END_HEADERS, END_STREAM, HEAD_BYTES, HEADERS, Head};
use super::{frame, settings::Settings};

/// What is gathered before it is written: with one frame more, four TLS records at most, which is what one write takes. What lies
/// here while a client does not read is bounded by it, and by what one more answer brings.
pub const GATHER_BYTES: usize = 48 << 10;
/// Smaller bodies are copied behind their heads: that costs less than a slice of their own.
const COPY_MAX_BYTES: usize = 1 << 10;
/// Slices of one write.
const SLICES: usize = 32;
/// Parts that are out and still have a place.
const OUT_PARTS_MAX: usize = 256;
/// What an outbox keeps of its memory from one use to the next.
const KEEP_MAX_BYTES: usize = 128 << 10;

/// See above.
#[derive(Debug, Default)]
pub struct Outbox {
    bytes: Vec<u8>,
    /// Bodies, each behind so many of `bytes`.
    parts: Vec<(usize, Bytes)>,
    /// Bytes of all parts.
    parts_len: usize,
    /// What of all this is out: so many of `bytes`, parts, and bytes of the next part.
    out: (usize, usize, usize),
}

impl Outbox {
    pub fn len(&self) -> usize {
        self.bytes.len() - self.out.0 + self.parts_len
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn is_full(&self) -> bool {
        self.len() >= GATHER_BYTES
    }

    /// For what is written as it comes.
    pub fn bytes(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Begins a HEADERS frame; its block is written into what [`Outbox::bytes`] returns.
    pub fn begin_headers(&mut self) -> usize {
        let begin = self.bytes.len();
        self.bytes.extend_from_slice(&[0; HEAD_BYTES]);
        begin
    }

    /// Forgets what has been written since.
    pub fn forget(&mut self, begin: usize) {
        self.bytes.truncate(begin);
    }

    /// Gives the block that began at `begin` its head, or its heads, where one frame cannot hold it.
    pub fn end_headers(&mut self, begin: usize, stream: u32, is_end: bool, settings: &Settings) {
        let end_stream = if is_end { END_STREAM } else { 0 };
        let len = self.bytes.len() - begin - HEAD_BYTES;
        if len <= settings.payload_max {
            let head = Head { len, kind: HEADERS, flags: END_HEADERS | end_stream, stream };
            return self.bytes[begin..begin + HEAD_BYTES].copy_from_slice(&head.to_bytes());
        }
        let block = self.bytes.split_off(begin + HEAD_BYTES);
        self.bytes.truncate(begin);
        let pieces = block.chunks(settings.payload_max);
        let last = pieces.len() - 1;
        for (n, piece) in pieces.enumerate() {
            let kind = if n == 0 { HEADERS } else { frame::CONTINUATION };
            let flags = if n == 0 { end_stream } else { 0 } | if n == last { END_HEADERS } else { 0 };
            Head { len: piece.len(), kind, flags, stream }.write(&mut self.bytes);
            self.bytes.extend_from_slice(piece);
        }
    }

    pub fn data(&mut self, stream: u32, data: Bytes, is_end: bool) {
        let flags = if is_end { END_STREAM } else { 0 };
        Head { len: data.len(), kind: frame::DATA, flags, stream }.write(&mut self.bytes);
        if data.len() <= COPY_MAX_BYTES {
            return self.bytes.extend_from_slice(&data);
        }
        self.parts_len += data.len();
        self.parts.push((self.bytes.len(), data));
    }

    /// Writes all of it.
    pub fn poll_send<S: AsyncWrite + Unpin>(&mut self, cx: &mut Context<'_>, stream: &mut S) -> Poll<io::Result<()>> {
        while !self.is_empty() {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let used = self.slices(&mut slices);
            match ready!(Pin::new(&mut *stream).poll_write_vectored(cx, &slices[..used]))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                n => self.sent(n),
            }
            self.let_go();
        }
        self.bytes.clear();
        self.parts.clear();
        self.out = (0, 0, 0);
        Poll::Ready(Ok(()))
    }

    fn slices<'s>(&'s self, slices: &mut [IoSlice<'s>; SLICES]) -> usize {
        let (mut begin, part, mut skip) = self.out;
        let mut used = 0;
        for (end, body) in &self.parts[part..] {
            for bytes in [&self.bytes[begin..*end], &body[skip..]] {
                if !bytes.is_empty() {
                    slices[used] = IoSlice::new(bytes);
                    used += 1;
                }
            }
            (begin, skip) = (*end, 0);
            if used + 2 > SLICES {
                return used;
            }
        }
        if begin < self.bytes.len() {
            slices[used] = IoSlice::new(&self.bytes[begin..]);
            used += 1;
        }
        used
    }

    fn sent(&mut self, mut n: usize) {
        while n > 0 {
            let next = self.parts.get(self.out.1);
            let heads = next.map_or(self.bytes.len(), |(end, _)| *end) - self.out.0;
            let step = heads.min(n);
            (self.out.0, n) = (self.out.0 + step, n - step);
            let Some((_, body)) = next.filter(|_| n > 0) else { return };
            let step = (body.len() - self.out.2).min(n);
            (self.out.2, n, self.parts_len) = (self.out.2 + step, n - step, self.parts_len - step);
            if self.out.2 == body.len() {
                // What is out is no longer held.
                self.parts[self.out.1].1 = Bytes::new();
                (self.out.1, self.out.2) = (self.out.1 + 1, 0);
            }
        }
    }

    /// Forgets what is out, where that has become much: a client may read so slowly that not everything ever is.
    fn let_go(&mut self) {
        let (bytes, parts, _) = self.out;
        if bytes >= GATHER_BYTES || parts >= OUT_PARTS_MAX {
            self.bytes.drain(..bytes);
            self.parts.drain(..parts);
            self.parts.iter_mut().for_each(|(end, _)| *end -= bytes);
            (self.out.0, self.out.1) = (0, 0);
        }
    }

    /// Takes over the memory of another one, where it has none.
    pub fn borrow(&mut self, spare: &mut Outbox) {
        if self.bytes.capacity() == 0 {
            std::mem::swap(self, spare);
        }
    }

    /// Gives it back, once nothing waits.
    pub fn give_back(&mut self, spare: &mut Outbox) {
        if self.is_empty() {
            let own = std::mem::take(self);
            if own.bytes.capacity() <= KEEP_MAX_BYTES {
                *spare = own;
            }
        }
    }

    /// All that waits, in one piece.
    pub fn take(&mut self) -> Vec<u8> {
        let (mut out, mut begin) = (Vec::new(), 0);
        for (end, body) in &self.parts {
            out.extend_from_slice(&self.bytes[begin..*end]);
            out.extend_from_slice(body);
            begin = *end;
        }
        out.extend_from_slice(&self.bytes[begin..]);
        *self = Outbox::default();
        out
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use proptest::prelude::*;

    use super::*;

    /// Takes so many bytes at a time, and then has no room until it is asked again.
    struct Narrow {
        room: usize,
        is_full: bool,
        came: Vec<u8>,
    }

    impl AsyncWrite for Narrow {
        fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
            self.is_full = !self.is_full;
            if !self.is_full {
                return Poll::Pending;
            }
            let len = buf.len().min(self.room);
            self.came.extend_from_slice(&buf[..len]);
            Poll::Ready(Ok(len))
        }

        fn poll_write_vectored(
            self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            bufs: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            let all: Vec<u8> = bufs.iter().flat_map(|buf| buf.to_vec()).collect();
            self.poll_write(cx, &all)
        }

        fn is_write_vectored(&self) -> bool {
            true
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        /// Whoever asks on and on, and never reads all there is, gets every byte in its place and costs no more for it.
        #[test]
        fn what_is_out_is_let_go(room in 500_usize..9_000, sizes in proptest::collection::vec(100_usize..6_000, 20..40)) {
            let (mut outbox, mut expected) = (Outbox::default(), Vec::new());
            let mut narrow = Narrow { room, is_full: false, came: Vec::new() };
            let mut cx = Context::from_waker(Waker::noop());
            let mut sizes = sizes.into_iter().cycle();
            for n in 0..100_u32 {
                while !outbox.is_full() {
                    let body = Bytes::from(vec![n as u8; sizes.next().unwrap_or(0)]);
                    Head { len: body.len(), kind: frame::DATA, flags: 0, stream: 1 }.write(&mut expected);
                    expected.extend_from_slice(&body);
                    outbox.data(1, body, false);
                }
                let _ = outbox.poll_send(&mut cx, &mut narrow);
                prop_assert!(outbox.bytes.len() <= 3 * GATHER_BYTES, "{} bytes", outbox.bytes.len());
                prop_assert!(outbox.parts.len() <= 2 * OUT_PARTS_MAX, "{} parts", outbox.parts.len());
            }
            prop_assert!(expected.starts_with(&narrow.came));
        }
    }
}
