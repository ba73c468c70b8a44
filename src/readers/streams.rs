//! A client of HTTP/2 on the h2 crate: several readers' requests at once on one connection.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use h2::client::SendRequest;
use http::Request;
use tokio::sync::Mutex;

use super::connect::Door;
use super::crowd::Way;
use super::decode::BODY_MAX_BYTES;
use super::said::Said;
use super::tally::Failure;

/// Bytes that may be on the way to us on each stream and on a connection: browsers let some megabytes be.
const STREAM_WINDOW_BYTES: u32 = 4 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 16 << 20;
/// Bytes of a head, unpacked.
const HEAD_MAX_BYTES: u32 = 64 << 10;

/// One connection, shared by those who ask on it.
pub struct Shared {
    door: Arc<Door>,
    sender: Mutex<Option<SendRequest<Bytes>>>,
}

impl Shared {
    pub fn new(door: Arc<Door>) -> Shared {
        Shared { door, sender: Mutex::new(None) }
    }

    /// Sends a request and has `read` look at the answer, whose body is gathered in `buffer`. A connection that has ended is
    /// replaced, and the request sent once more if that was why it failed before anything came.
    pub async fn ask<R>(
        &self,
        request: Request<()>,
        buffer: &mut BytesMut,
        read: impl FnOnce(&Said, &[u8]) -> R,
    ) -> Result<R, Failure> {
        let (sender, was_kept) = self.sender().await?;
        let again = was_kept.then(|| request.clone());
        let head = match (send(sender, request).await, again) {
            (Some(head), _) => head,
            (None, Some(request)) => {
                *self.sender.lock().await = None;
                let (sender, _) = self.sender().await?;
                send(sender, request).await.ok_or(Failure::Broken)?
            }
            (None, None) => {
                *self.sender.lock().await = None;
                return Err(Failure::Broken);
            }
        };
        let (head, mut body) = head.into_parts();
        buffer.clear();
        while let Some(piece) = body.data().await {
            let piece = piece.map_err(|_| Failure::Broken)?;
            let _ = body.flow_control().release_capacity(piece.len());
            if buffer.len() + piece.len() > BODY_MAX_BYTES {
                return Err(Failure::Malformed);
            }
            buffer.extend_from_slice(&piece);
        }
        let mut said = Said { status: head.status.as_u16(), ..Said::default() };
        for (name, value) in &head.headers {
            said.take(name.as_str().as_bytes(), value.as_bytes());
        }
        Ok(read(&said, buffer))
    }

    /// The connection's sender, and whether it was there already.
    async fn sender(&self) -> Result<(SendRequest<Bytes>, bool), Failure> {
        let mut sender = self.sender.lock().await;
        if let Some(sender) = &*sender {
            return Ok((sender.clone(), true));
        }
        let stream = self.door.connect(Way::Http2).await.ok_or(Failure::Connect)?;
        let mut builder = h2::client::Builder::new();
        builder.enable_push(false).max_header_list_size(HEAD_MAX_BYTES);
        builder.initial_window_size(STREAM_WINDOW_BYTES).initial_connection_window_size(CONNECTION_WINDOW_BYTES);
        let (new, connection) = builder.handshake(stream).await.map_err(|_| Failure::Connect)?;
        tokio::spawn(async { drop(connection.await) });
        Ok((sender.insert(new).clone(), false))
    }
}

/// The head of the answer; `None` where the connection has ended before it.
async fn send(sender: SendRequest<Bytes>, request: Request<()>) -> Option<http::Response<h2::RecvStream>> {
    let mut sender = sender.ready().await.ok()?;
    let (answer, _) = sender.send_request(request, true).ok()?;
    answer.await.ok()
}
