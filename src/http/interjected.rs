//! Interim responses over HTTP/1.1 (RFC 9110, 15.2), for which hyper has no words: they are written between its own bytes.
//!
//! While a request waits for its response, hyper holds nothing but what is left of responses before it, or a 100; and it
//! flushes only once it holds nothing at all. So what is written when it flushes stands where a head may begin, and the
//! response is given to hyper only after all of it is out.

use std::future::{Future, poll_fn};
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use http::Response;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::proxy::interim::Coming;

/// What has to be said, shared by who knows it and the stream that says it; both run in one task.
#[derive(Clone, Default)]
pub struct Words(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    waiting: Vec<u8>,
    /// How much of `waiting` is out.
    sent: usize,
    /// Who wants to know that all of it is.
    told: Option<Waker>,
}

impl Words {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn say(&self, interim: &Response<()>) {
        let out = &mut self.inner().waiting;
        out.extend_from_slice(format!("HTTP/1.1 {}\r\n", interim.status()).as_bytes());
        for (name, value) in interim.headers() {
            out.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
        }
        out.extend_from_slice(b"\r\n");
    }

    fn poll_said(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut inner = self.inner();
        if inner.waiting.is_empty() {
            return Poll::Ready(());
        }
        inner.told = Some(cx.waker().clone());
        Poll::Pending
    }

    /// What `answer` comes to, once all that came before it has been said.
    pub async fn before<T>(self, mut coming: Coming, answer: impl Future<Output = T>) -> T {
        let mut answer = pin!(answer);
        let answer = loop {
            tokio::select! {
                biased;
                interim = coming.recv() => self.say(&interim),
                answer = &mut answer => break answer,
            }
            // So that there is a flush for it.
            tokio::task::yield_now().await;
        };
        while let Some(interim) = coming.try_recv() {
            self.say(&interim);
        }
        poll_fn(|cx| self.poll_said(cx)).await;
        answer
    }
}

impl Inner {
    fn poll_send<S: AsyncWrite + Unpin>(&mut self, stream: &mut S, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.sent < self.waiting.len() {
            match ready!(Pin::new(&mut *stream).poll_write(cx, &self.waiting[self.sent..]))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                n => self.sent += n,
            }
        }
        (self.waiting, self.sent) = (Vec::new(), 0);
        if let Some(told) = self.told.take() {
            told.wake();
        }
        Poll::Ready(Ok(()))
    }
}

/// The stream under hyper.
pub struct Interjected<S> {
    stream: S,
    words: Words,
}

impl<S> Interjected<S> {
    pub fn new(stream: S, words: Words) -> Interjected<S> {
        Interjected { stream, words }
    }
}

impl<S: AsyncWrite + Unpin> Interjected<S> {
    /// What has been begun is finished before anything else.
    fn poll_begun(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut inner = self.words.inner();
        if inner.sent == 0 { Poll::Ready(Ok(())) } else { inner.poll_send(&mut self.stream, cx) }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Interjected<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Interjected<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_begun(cx))?;
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_begun(cx))?;
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Interjected { stream, words } = &mut *self;
        ready!(words.inner().poll_send(stream, cx))?;
        Pin::new(stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use bytes::Bytes;
    use http::{Request, StatusCode};
    use http_body_util::Full;
    use hyper::server::conn::http1::Builder;
    use hyper::service::service_fn;
    use hyper_util::rt::TokioIo;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;
    use crate::proxy::interim::Early;

    const EARLY: &str = "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n";

    fn hints() -> Response<()> {
        Response::builder().status(StatusCode::EARLY_HINTS).header("link", "</a>").body(()).unwrap()
    }

    /// All that a client reads of the answers to `asked`, each of so many bytes after two interim responses: one well before
    /// it and one with it, over a stream that holds so little at once.
    async fn heard(asked: &str, body: usize, room: usize) -> String {
        let (client, server) = duplex(room);
        let words = Words::default();
        let stream = TokioIo::new(Interjected::new(server, words.clone()));
        let service = service_fn(move |_: Request<hyper::body::Incoming>| {
            let words = words.clone();
            async move {
                let (early, coming) = Early::new();
                early.pass(hints());
                let answer = async {
                    for _ in 0..3 {
                        tokio::task::yield_now().await;
                    }
                    early.pass(hints());
                    let mut response = Response::new(Full::new(Bytes::from("x".repeat(body))));
                    response.headers_mut().insert("date", "-".parse().unwrap());
                    response
                };
                Ok::<_, Infallible>(words.before(coming, answer).await)
            }
        });
        let serve = Builder::new().half_close(true).serve_connection(stream, service);
        let (mut listen, mut speak) = tokio::io::split(client);
        let say = async {
            speak.write_all(asked.as_bytes()).await.unwrap();
            speak.shutdown().await.unwrap();
        };
        let mut heard = String::new();
        let (served, (), read) = tokio::join!(serve, say, listen.read_to_string(&mut heard));
        served.unwrap();
        read.unwrap();
        heard
    }

    #[tokio::test]
    async fn they_stand_before_their_response_however_slowly_it_goes() {
        let ask = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        for room in [1, 7, 64, 1 << 16] {
            for body in [0, 1, 3000] {
                let heard = heard(&ask.repeat(3), body, room).await;
                let head = format!("HTTP/1.1 200 OK\r\ndate: -\r\ncontent-length: {body}\r\n\r\n");
                assert_eq!(heard, format!("{EARLY}{EARLY}{head}{}", "x".repeat(body)).repeat(3), "{room} {body}");
            }
        }
    }
}
