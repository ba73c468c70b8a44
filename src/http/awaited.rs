//! A plain request whose answer has to be waited for: the connection stays on the plain path. Interim responses are written as
//! they come, then head and body, as fast as both sides take them.

use std::future::{Future, poll_fn};
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use http::header::{CONNECTION, CONTENT_LENGTH, HeaderMap, HeaderValue, TRANSFER_ENCODING};
use http::{Method, Request, Response, StatusCode};
use http_body::Body as _;
use http_body_util::Empty;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};

use super::body::Body;
use super::onward::Onward;
use super::plain::{READ_BYTES, write_fields};
use super::service::{Service, last};
use super::straight;
use crate::proxy::interim::{Coming, Early};
use crate::proxy::upstream::Straight;

/// Room for the head of an answer: most have half of it.
const HEAD_BYTES: usize = 1 << 10;

/// What has to be asked.
pub struct Awaited {
    pub onward: Onward,
    pub asking: Asking,
}

/// How it is asked.
pub enum Asking {
    /// By whatever way: addressed.
    Any(Request<()>),
    /// Straight: its head as the origin gets it.
    Written(Vec<u8>),
}

/// How the body is told from what comes behind it (RFC 9112, 6.3).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Framing {
    None,
    /// So many bytes are left.
    Length(u64),
    Chunked,
}

/// Answers; true where the connection goes on. What the client sends meanwhile is left in `inbox`. An error: the connection
/// cannot go on, and the client must not take what it has for the whole.
pub async fn answer<S>(stream: &mut S, awaited: Awaited, service: &Service, inbox: &mut BytesMut) -> io::Result<bool>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let Awaited { onward, asking } = awaited;
    match asking {
        // Seldom: its room is not part of every answer.
        Asking::Any(request) => Box::pin(by_any_way(stream, onward, request, service, inbox)).await,
        Asking::Written(head) => {
            let _hold = service.seat.hold();
            let mut straight = onward.corridor.straight(&onward.route, head, onward.client);
            if straight::answer(stream, &onward, &mut straight, service, inbox).await? {
                return Ok(true);
            }
            Box::pin(going_on(stream, onward, straight, service, inbox)).await
        }
    }
}

async fn by_any_way<S>(
    stream: &mut S,
    onward: Onward,
    request: Request<()>,
    service: &Service,
    inbox: &mut BytesMut,
) -> io::Result<bool>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (early, coming) = Early::new();
    let is_head = *request.method() == Method::HEAD;
    // Where it is made: what has room for an exchange is not moved about.
    let answer = pin!(onward.answer(request.map(|()| Empty::new()), service.seat.hold(), None, Some(early)));
    let response = wait(stream, answer, coming, inbox).await?;
    conclude(stream, response, is_head, service).await
}

/// What began straight, and is out of the common.
async fn going_on<S>(
    stream: &mut S,
    onward: Onward,
    straight: Straight,
    service: &Service,
    inbox: &mut BytesMut,
) -> io::Result<bool>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (early, coming) = Early::new();
    let is_head = straight.to_head();
    let answer = pin!(onward.go_on(straight, service.seat.hold(), early));
    let response = wait(stream, answer, coming, inbox).await?;
    conclude(stream, response, is_head, service).await
}

async fn conclude<S>(stream: &mut S, response: Response<Body>, is_head: bool, service: &Service) -> io::Result<bool>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let response = last(response, &service.seat);
    let goes_on = !service.seat.has_said_close();
    let (mut head, body) = response.into_parts();
    let framing = framed(head.status, &mut head.headers, &body, is_head);
    let mut out = Vec::with_capacity(HEAD_BYTES);
    // It is said by `write_fields`.
    head.headers.remove(CONNECTION);
    write_fields(head.status, head.headers.iter(), !goes_on, &mut out);
    send(stream, out.into(), body, framing).await?;
    stream.flush().await?;
    Ok(goes_on)
}

/// The response, once what comes before it has been said. A client that goes away is seen, so that its answer is not waited
/// for; one that has only stopped sending still wants it.
async fn wait<S>(
    stream: &mut S,
    mut answer: Pin<&mut impl Future<Output = Response<Body>>>,
    mut coming: Coming,
    inbox: &mut BytesMut,
) -> io::Result<Response<Body>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut is_open = true;
    let response = loop {
        // As much as is read at once anyway; the rest waits in the kernel.
        let has_room = inbox.len() < READ_BYTES;
        tokio::select! {
            biased;
            interim = coming.recv() => say(stream, &interim).await?,
            response = answer.as_mut() => break response,
            read = more(stream, inbox), if is_open && has_room => is_open = read? > 0,
        }
    };
    while let Some(interim) = coming.try_recv() {
        say(stream, &interim).await?;
    }
    Ok(response)
}

async fn more<S: AsyncRead + Unpin>(stream: &mut S, inbox: &mut BytesMut) -> io::Result<usize> {
    poll_fn(|cx| poll_more(stream, inbox, cx)).await
}

/// Reads what has come. Most send nothing meanwhile, and need no room for it.
pub fn poll_more<S: AsyncRead + Unpin>(
    stream: &mut S,
    inbox: &mut BytesMut,
    cx: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    let mut room = [const { MaybeUninit::uninit() }; READ_BYTES];
    let mut read = ReadBuf::uninit(&mut room);
    ready!(Pin::new(stream).poll_read(cx, &mut read))?;
    inbox.extend_from_slice(read.filled());
    Poll::Ready(Ok(read.filled().len()))
}

async fn say<S: AsyncWrite + Unpin>(stream: &mut S, interim: &Response<()>) -> io::Result<()> {
    let mut out = Vec::new();
    write_fields(interim.status(), interim.headers().iter(), false, &mut out);
    stream.write_all(&out).await?;
    stream.flush().await
}

/// Says in the head how the body ends.
fn framed(status: StatusCode, fields: &mut HeaderMap, body: &Body, is_head: bool) -> Framing {
    fields.remove(TRANSFER_ENCODING);
    let has_none = matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    if is_head || has_none {
        // What GET would have said of it stays, but where there never is any (RFC 9110, 8.6).
        if status == StatusCode::NO_CONTENT {
            fields.remove(CONTENT_LENGTH);
        }
        return Framing::None;
    }
    let told = fields.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    match body.size_hint().exact().or(told) {
        Some(length) => {
            fields.insert(CONTENT_LENGTH, length.into());
            Framing::Length(length)
        }
        None => {
            fields.remove(CONTENT_LENGTH);
            fields.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
            Framing::Chunked
        }
    }
}

/// The head with the first piece, if that is there already, then piece by piece.
async fn send<S>(stream: &mut S, head: Bytes, mut body: Body, mut framing: Framing) -> io::Result<()>
where
    S: AsyncWrite + Unpin,
{
    let mut before = head;
    if framing == Framing::None {
        return write(stream, [before, Bytes::new(), Bytes::new()]).await;
    }
    loop {
        let mut next = pin!(poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)));
        let is_there = poll_fn(|cx| Poll::Ready(next.as_mut().poll(cx))).await;
        let frame = match is_there {
            Poll::Ready(frame) => frame,
            Poll::Pending => {
                write(stream, [std::mem::take(&mut before), Bytes::new(), Bytes::new()]).await?;
                stream.flush().await?;
                next.await
            }
        };
        let Some(frame) = frame else { break };
        // Trailers may be left out (RFC 9110, 6.5.1).
        let Ok(piece) = frame.map_err(io::Error::other)?.into_data() else { continue };
        if piece.is_empty() {
            continue;
        }
        let pieces = match &mut framing {
            Framing::Length(left) => {
                *left = left.checked_sub(piece.len() as u64).ok_or(io::ErrorKind::InvalidData)?;
                [std::mem::take(&mut before), piece, Bytes::new()]
            }
            _ => {
                let size = format!("{:x}\r\n", piece.len());
                let before = [&std::mem::take(&mut before)[..], size.as_bytes()].concat();
                [before.into(), piece, Bytes::from_static(b"\r\n")]
            }
        };
        write(stream, pieces).await?;
    }
    let end = match framing {
        Framing::Length(0) | Framing::None => Bytes::new(),
        // The client sees that there is more to come, and that it does not.
        Framing::Length(_) => return Err(io::ErrorKind::UnexpectedEof.into()),
        Framing::Chunked => Bytes::from_static(b"0\r\n\r\n"),
    };
    write(stream, [before, end, Bytes::new()]).await
}

/// All of them, in as few writes as it takes.
async fn write<S: AsyncWrite + Unpin>(stream: &mut S, mut pieces: [Bytes; 3]) -> io::Result<()> {
    while pieces.iter().any(|piece| !piece.is_empty()) {
        let slices = pieces.each_ref().map(|piece| IoSlice::new(piece));
        let mut n = stream.write_vectored(&slices).await?;
        if n == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        for piece in &mut pieces {
            let sent = n.min(piece.len());
            piece.advance(sent);
            n -= sent;
        }
    }
    Ok(())
}
