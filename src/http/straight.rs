//! A plain request that its client's own task takes to the origin: what comes of the answer is read into room of the thread, and
//! leaves from there, most often head and body in one write.

use std::cell::Cell;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout_at;

use super::awaited::poll_more;
use super::onward::Onward;
use super::plain::READ_BYTES;
use super::recognise::{FIELDS_MAX, Plain};
use super::service::{Service, Way};
use crate::proxy::instant::Glance;
use crate::proxy::straight::request;
use crate::proxy::upstream::Straight;
use crate::snapshot::CorteFields;

/// What is read at once of an answer: most pages, with their head.
const ANSWER_BYTES: usize = 32 << 10;
/// A body of so many bytes at most is copied behind its head, see `outbox`.
const COPIED_MAX_BYTES: usize = 4 << 10;

/// Room that the connections of a thread use in turn: nothing of one is left for the next.
struct Room {
    inbox: [u8; ANSWER_BYTES],
    head: Vec<u8>,
}

#[cfg(test)]
thread_local!(
    /// Answers that went so.
    pub(super) static ANSWERED: Cell<usize> = const { Cell::new(0) };
    /// Nothing goes so: the general way is tested.
    pub(super) static IS_LEFT_OUT: Cell<bool> = const { Cell::new(false) }
);

thread_local!(static ROOM: Cell<Option<Box<Room>>> = const { Cell::new(None) });

/// What a plain request asks the corridor, as far as a glance tells.
pub fn glance<'r>(plain: &'r Plain, host: &'r str, is_secure: bool, corte: Option<&'r CorteFields>) -> Glance<'r> {
    Glance {
        host,
        path: plain.path,
        query: plain.query,
        accept_encoding: plain.fields.accept_encoding.single(),
        if_none_match: plain.fields.if_none_match.single(),
        is_secure,
        corte: corte.and_then(|corte| corte.id.to_str().ok()),
    }
}

/// The head of a plain request, as it was read and as its bytes are, as its origin gets it; `None` where somebody has to look at it
/// twice. `room` is for a key.
pub fn written(
    (plain, host, raw): (&Plain, &str, &[u8]),
    way: &Way,
    service: &Service,
    corte: Option<&CorteFields>,
    room: &mut String,
) -> Option<Vec<u8>> {
    #[cfg(test)]
    if IS_LEFT_OUT.get() {
        return None;
    }
    if way.is_scarce {
        return None;
    }
    let mut fields = [const { MaybeUninit::uninit() }; FIELDS_MAX];
    let mut read = httparse::Request::new(&mut []);
    read.parse_with_uninit_headers(raw, &mut fields).ok()?;
    let asked = request::Read {
        is_head: plain.is_head,
        path: plain.path,
        query: plain.query,
        host,
        is_secure: service.is_tls,
        fields: read.headers,
        client: service.guest.address(),
    };
    let glance = plain.is_bare.then(|| glance(plain, host, service.is_tls, corte));
    way.corridor.written(way.route, &asked, glance.as_ref(), room)
}

/// How far it has come.
enum Came {
    /// So far, all has left but these bytes.
    Answered(Vec<u8>),
    Otherwise,
}

/// Answers. False: nothing has been written, and it goes on by the general way. Errors as of [`super::awaited::answer`].
pub async fn answer<S>(
    stream: &mut S,
    onward: &Onward,
    straight: &mut Straight,
    service: &Service,
    inbox: &mut BytesMut,
) -> io::Result<bool>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut is_open = true;
    let came = poll_fn(|cx| {
        let polled = in_room(|room| poll(room, stream, onward, straight, service, cx));
        if polled.is_ready() {
            return polled;
        }
        // A client that goes away is seen, so that its answer is not waited for; one that has only stopped sending still wants it.
        while is_open && inbox.len() < READ_BYTES {
            match poll_more(stream, inbox, cx)? {
                Poll::Ready(read) => is_open = read > 0,
                Poll::Pending => break,
            }
        }
        Poll::Pending
    });
    let Came::Answered(mut rest) = came.await? else { return Ok(false) };
    loop {
        if straight.left() > 0 && !rest.is_empty() {
            // Who does not read holds a connection to the origin no longer than that.
            timeout_at(straight.total(), stream.write_all(&rest)).await.map_err(|_| io::ErrorKind::TimedOut)??;
        } else if !rest.is_empty() {
            stream.write_all(&rest).await?;
        }
        if straight.left() == 0 {
            break;
        }
        rest = poll_fn(|cx| in_room(|room| poll_body(room, stream, straight, cx))).await?;
    }
    stream.flush().await?;
    Ok(true)
}

/// Lends the thread's room.
fn in_room<T>(work: impl FnOnce(&mut Room) -> T) -> T {
    let mut room = ROOM.take().unwrap_or_else(|| Box::new(Room { inbox: [0; ANSWER_BYTES], head: Vec::new() }));
    let done = work(&mut room);
    room.head.clear();
    ROOM.set(Some(room));
    done
}

/// Sends on what comes until it has come to its end, or to what the client has no room for.
fn poll_body<S: AsyncWrite + Unpin>(
    room: &mut Room,
    stream: &mut S,
    straight: &mut Straight,
    cx: &mut Context<'_>,
) -> Poll<io::Result<Vec<u8>>> {
    while straight.left() > 0 {
        let Poll::Ready(read) = straight.poll_body(&mut room.inbox, cx) else {
            // What TLS has held back is not to wait for what comes next.
            let _ = Pin::new(stream).poll_flush(cx)?;
            return Poll::Pending;
        };
        // The client sees that there is more to come, and that it does not.
        let read = read.map_err(io::Error::other)?;
        let rest = write(stream, &[], &room.inbox[..read], cx)?;
        if !rest.is_empty() {
            return Poll::Ready(Ok(rest));
        }
    }
    Poll::Ready(Ok(Vec::new()))
}

fn poll<S: AsyncWrite + Unpin>(
    room: &mut Room,
    stream: &mut S,
    onward: &Onward,
    straight: &mut Straight,
    service: &Service,
    cx: &mut Context<'_>,
) -> Poll<io::Result<Came>> {
    let Room { inbox, head } = room;
    let read = match straight.poll(inbox, cx) {
        Poll::Pending => return Poll::Pending,
        Poll::Ready(read) => &inbox[..read],
    };
    // Who has to say that it is the last answer says it elsewhere.
    let answered = if read.is_empty() || service.seat.is_draining() {
        None
    } else {
        onward.corridor.answered(&onward.route, straight, read, head)
    };
    let Some(answer) = answered else {
        straight.unread(read);
        return Poll::Ready(Ok(Came::Otherwise));
    };
    #[cfg(test)]
    ANSWERED.set(ANSWERED.get() + 1);
    onward.weighs(straight.path(), answer.status, answer.body.len() as u64 + answer.left);
    let body = answer.body;
    if !answer.is_dated {
        onward.write_date(head);
    }
    head.extend_from_slice(b"\r\n");
    let body = match body.len() {
        0..=COPIED_MAX_BYTES => {
            head.extend_from_slice(body);
            &[]
        }
        _ => body,
    };
    Poll::Ready(write(stream, head, body, cx).map(Came::Answered))
}

/// Writes what there is room for, and returns the rest.
fn write<S>(stream: &mut S, mut head: &[u8], mut body: &[u8], cx: &mut Context<'_>) -> io::Result<Vec<u8>>
where
    S: AsyncWrite + Unpin,
{
    while !head.is_empty() || !body.is_empty() {
        let polled = match body {
            [] => Pin::new(&mut *stream).poll_write(cx, head),
            _ => Pin::new(&mut *stream).poll_write_vectored(cx, &[IoSlice::new(head), IoSlice::new(body)]),
        };
        match polled? {
            Poll::Pending => break,
            Poll::Ready(0) => return Err(io::ErrorKind::WriteZero.into()),
            Poll::Ready(sent) => {
                let of_head = sent.min(head.len());
                head = &head[of_head..];
                body = body.get(sent - of_head..).unwrap_or_default();
            }
        }
    }
    Ok([head, body].concat())
}
