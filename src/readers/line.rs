//! A lean client of HTTP/1.1: one request at a time on a connection that is kept, and bodies that are looked at where they lie.

use std::sync::Arc;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::connect::{Door, Stream};
use super::crowd::Way;
use super::decode::BODY_MAX_BYTES;
use super::said::Said;
use super::tally::Failure;

/// Bytes of a head, at most; real ones are below 2 KB.
const HEAD_MAX_BYTES: usize = 64 << 10;
/// Bytes that are read at once, at least.
const READ_BYTES: usize = 16 << 10;
/// A larger buffer is given back after its body.
const KEPT_BUFFER_BYTES: usize = 1 << 20;

pub struct Line {
    door: Arc<Door>,
    stream: Option<Box<dyn Stream>>,
    buffer: BytesMut,
}

/// How far it came.
enum Ended {
    /// Nothing of an answer has come: a kept connection that was closed meanwhile looks so.
    Before,
    Failed(Failure),
}

impl Line {
    pub fn new(door: Arc<Door>) -> Line {
        Line { door, stream: None, buffer: BytesMut::with_capacity(READ_BYTES) }
    }

    /// Sends a request and has `read` look at the answer. A connection that was closed while nobody used it is no failure:
    /// it is asked once more on a new one, as browsers do.
    pub async fn ask<R>(&mut self, request: &[u8], read: impl FnOnce(&Said, &[u8]) -> R) -> Result<R, Failure> {
        let was_kept = self.stream.is_some();
        let mut got = self.once(request).await;
        if was_kept && matches!(got, Err(Ended::Before)) {
            self.stream = None;
            got = self.once(request).await;
        }
        let (head_len, whole_len) = match got {
            Ok(lengths) => lengths,
            Err(ended) => {
                self.stream = None;
                self.buffer.clear();
                return Err(match ended {
                    Ended::Before => Failure::Broken,
                    Ended::Failed(failure) => failure,
                });
            }
        };
        let Ok(Some((_, said))) = Said::read(&self.buffer) else { return Err(Failure::Malformed) };
        let body = self.buffer.get(head_len..whole_len).unwrap_or_default();
        // What follows belongs to no request.
        let is_over = said.ends || self.buffer.len() > whole_len;
        let result = read(&said, body);
        if is_over {
            self.stream = None;
        }
        self.buffer.clear();
        if self.buffer.capacity() > KEPT_BUFFER_BYTES {
            self.buffer = BytesMut::with_capacity(READ_BYTES);
        }
        Ok(result)
    }

    /// Sends, and reads until a whole answer is in the buffer: the length of its head, and of all of it.
    async fn once(&mut self, request: &[u8]) -> Result<(usize, usize), Ended> {
        self.buffer.clear();
        if self.stream.is_none() {
            self.stream = self.door.connect(Way::Http11).await;
        }
        let stream = self.stream.as_mut().ok_or(Ended::Failed(Failure::Connect))?;
        stream.write_all(request).await.map_err(|_| Ended::Before)?;
        stream.flush().await.map_err(|_| Ended::Before)?;
        let (head_len, whole_len) = loop {
            match Said::read(&self.buffer).map_err(|_| Ended::Failed(Failure::Malformed))? {
                // An interim response (RFC 9110, 15.2) is no answer yet.
                Some((head_len, said)) if (100..200).contains(&said.status) => {
                    let _ = self.buffer.split_to(head_len);
                    continue;
                }
                Some((head_len, said)) => {
                    let body_len = said.body_len().and_then(|len| usize::try_from(len).ok());
                    let body_len = body_len.filter(|len| *len <= BODY_MAX_BYTES);
                    break (head_len, head_len + body_len.ok_or(Ended::Failed(Failure::Malformed))?);
                }
                None if self.buffer.len() > HEAD_MAX_BYTES => return Err(Ended::Failed(Failure::Malformed)),
                None => {}
            }
            let has_begun = !self.buffer.is_empty();
            self.buffer.reserve(READ_BYTES);
            match stream.read_buf(&mut self.buffer).await {
                Ok(0) | Err(_) if !has_begun => return Err(Ended::Before),
                Ok(0) | Err(_) => return Err(Ended::Failed(Failure::Broken)),
                Ok(_) => {}
            }
        };
        while self.buffer.len() < whole_len {
            self.buffer.reserve(whole_len - self.buffer.len());
            match stream.read_buf(&mut self.buffer).await {
                Ok(0) | Err(_) => return Err(Ended::Failed(Failure::Broken)),
                Ok(_) => {}
            }
        }
        Ok((head_len, whole_len))
    }
}
