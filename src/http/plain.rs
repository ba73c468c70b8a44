//! HTTP/1.1 without hyper, for the plain request: read, recognise, answer, one vectored write.
//!
//! Answers are 200 and 304; for any other the request, untouched, and the connection go to hyper. Both paths answer by
//! the same `answer`, and a test holds their bytes against each other.

use std::io::{self, IoSlice};
use std::pin::pin;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::Method;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::Notify;

use super::answer::{self, Answer, What, answer};
use super::connection::HEAD_MAX_BYTES;
use super::recognise::{Plain, Recognised, recognise};
use super::service::Service;

/// Room for what is read at once: a browser's head fits, and so do a few that are pipelined.
const READ_BYTES: usize = 4 << 10;
/// Pipelined requests that are answered in one write; more wait for the next.
const BATCH_MAX: usize = 16;

/// How it went on.
pub enum End<S> {
    /// The client is done, or it is time to stop.
    Closed,
    /// hyper has to take over, beginning with these bytes.
    HandedOver(S, Bytes),
}

/// Serves plain requests on `stream`.
pub async fn serve<S>(mut stream: S, service: &Service, drain: &Arc<Notify>) -> io::Result<End<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut drained = pin!(drain.notified());
    let mut inbox = BytesMut::with_capacity(READ_BYTES);
    let mut outbox = Outbox::default();
    loop {
        let next = answer_all(&mut inbox, service, &mut outbox);
        outbox.send(&mut stream).await?;
        match next {
            Next::HandOver => return Ok(End::HandedOver(stream, inbox.freeze())),
            Next::More => continue,
            Next::Read if service.seat.is_draining() => return Ok(End::Closed),
            Next::Read => {}
        }
        let read = tokio::select! {
            biased;
            read = stream.read_buf(&mut inbox) => read?,
            // What has come of a head so far is not waited for: it is finished under hyper, which then closes.
            () = &mut drained => match inbox.is_empty() {
                true => return Ok(End::Closed),
                false => return Ok(End::HandedOver(stream, inbox.freeze())),
            },
        };
        if read == 0 {
            return Ok(End::Closed);
        }
    }
}

enum Next {
    /// All whole requests are answered.
    Read,
    /// The batch is full; there may be more.
    More,
    HandOver,
}

fn answer_all(inbox: &mut BytesMut, service: &Service, outbox: &mut Outbox) -> Next {
    let mut done = 0;
    let next = loop {
        if outbox.len() == BATCH_MAX {
            break Next::More;
        }
        match recognise(&inbox[done..]) {
            Recognised::Partial if inbox.len() - done < HEAD_MAX_BYTES => break Next::Read,
            Recognised::Plain(plain, len) if outbox.push(service, &plain) => {
                service.seat.asked();
                done += len;
            }
            _ => break Next::HandOver,
        }
    };
    let _ = inbox.split_to(done);
    next
}

/// Answers that wait to be written: heads one after the other, and the body that follows each.
#[derive(Default)]
struct Outbox {
    heads: Vec<u8>,
    /// Where each head ends, and its body.
    parts: Vec<(usize, Bytes)>,
}

impl Outbox {
    fn len(&self) -> usize {
        self.parts.len()
    }

    /// Answers `plain`; false, and nothing is written, where the answer is not of the plain kind.
    fn push(&mut self, service: &Service, plain: &Plain) -> bool {
        if service.https_port.is_some() {
            return false;
        }
        let asked = answer::Request {
            method: if plain.is_head { &Method::HEAD } else { &Method::GET },
            path: plain.path,
            query: plain.query,
            fields: plain.fields.clone(),
            host_is_known: true,
        };
        let edition = service.site.live.load();
        let Some(body) = self.head(&answer(&asked, edition.as_deref()), service) else { return false };
        self.parts.push((self.heads.len(), if plain.is_head { Bytes::new() } else { body }));
        true
    }

    /// Writes the head, and returns the body.
    fn head(&mut self, answer: &Answer, service: &Service) -> Option<Bytes> {
        let corte = answer.snapshot?.fields();
        let out = &mut self.heads;
        let body = match &answer.what {
            What::Whole(_, chosen) => {
                out.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
                out.extend_from_slice(&chosen.head);
                out.extend_from_slice(&corte.last_modified_head);
                chosen.body.clone()
            }
            What::NotModified(content, etag) => {
                out.extend_from_slice(b"HTTP/1.1 304 Not Modified\r\netag: ");
                out.extend_from_slice(etag.as_bytes());
                out.extend_from_slice(if content.is_negotiated() { b"\r\nvary: accept-encoding\r\n" } else { b"\r\n" });
                Bytes::new()
            }
            _ => return None,
        };
        out.extend_from_slice(&corte.head);
        service.site.rhythm.write(answer.freshness, out);
        if service.seat.is_draining() {
            out.extend_from_slice(b"connection: close\r\n");
        }
        out.extend_from_slice(b"\r\n");
        Some(body)
    }

    /// Writes everything, bodies from where they lie, and starts anew.
    async fn send<S: AsyncWrite + Unpin>(&mut self, stream: &mut S) -> io::Result<()> {
        if self.parts.is_empty() {
            return Ok(());
        }
        let mut slices = [IoSlice::new(&[]); BATCH_MAX * 2];
        let (mut begin, mut used) = (0, 0);
        for (end, body) in &self.parts {
            for bytes in [&self.heads[begin..*end], body] {
                if !bytes.is_empty() {
                    slices[used] = IoSlice::new(bytes);
                    used += 1;
                }
            }
            begin = *end;
        }
        let mut left = &mut slices[..used];
        while !left.is_empty() {
            match stream.write_vectored(left).await? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                n => IoSlice::advance_slices(&mut left, n),
            }
        }
        self.heads.clear();
        self.parts.clear();
        // TLS holds back what did not fit into the socket.
        stream.flush().await
    }
}
