//! A body that arrives, and the thread that writes it down. Between them a short queue: who sends faster than the disk
//! writes waits.

use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body::Body;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::problem::Problem;
use super::route::Name;
use super::service::Shared;
use super::staging::Staged;
use crate::base::clock::Monotonic;
use crate::base::digest::Digest;
use crate::record::incidents::note;

/// Pieces between the connection and the disk; each is 64 KiB at most, hyper's buffer.
const PIECES: usize = 4;
/// A client that is silent for so long has gone: TCP alone would take hours to notice.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// On the whole a client has to bring so much a second: 100 MB in 100 minutes, over the worst of lines.
const RATE_MIN_BYTES: u64 = 16 << 10;
/// Before which nobody is called slow.
const RATE_FROM: Duration = Duration::from_secs(60);
/// And the whole of a package has to be there within this: it holds a place, and by then a dozen cortes have gone by.
const WHOLE_MAX: Duration = Duration::from_secs(2 * 60 * 60);

/// How long a client may take to notice that it has been answered.
const LINGER_MAX: Duration = Duration::from_secs(5);

enum Piece {
    Bytes(Bytes),
    /// That was all; what the digest has to be.
    End(Vec<Digest>),
    /// Given up by us, who tell why elsewhere.
    Stop,
}

/// Writes down a body of at most `limit` bytes, and returns where it lies, whole.
pub async fn receive<B>(
    shared: &Arc<Shared>,
    name: &Name,
    source: &str,
    body: &mut B,
    limit: u64,
    expected: Vec<Digest>,
) -> Result<PathBuf, Problem>
where
    B: Body<Data = Bytes> + Unpin,
{
    let (pieces, queue) = mpsc::channel(PIECES);
    let writer = start(shared.clone(), name.clone(), source.to_owned(), queue);
    let mut stop = shared.stop.clone();
    let read = tokio::select! {
        biased;
        read = pump(body, &pieces, limit) => read,
        _ = stop.wait_for(|stop| *stop) => Err(Problem::Stopping),
    };
    let last = match &read {
        Ok(()) => Some(Piece::End(expected)),
        // The writer tells of it, whether anybody is here to hear or not.
        Err(Problem::Gone) => None,
        Err(_) => Some(Piece::Stop),
    };
    if let Some(last) = last {
        // A writer that has failed says so below.
        let _ = pieces.send(last).await;
    }
    drop(pieces);
    let written = writer.await.map_err(|error| Problem::OurFault(error.to_string()))?;
    read.and(written)
}

/// From the connection to the queue, as long as it is not too large, too slow, or silent.
async fn pump<B>(body: &mut B, pieces: &mpsc::Sender<Piece>, limit: u64) -> Result<(), Problem>
where
    B: Body<Data = Bytes> + Unpin,
{
    let (mut read, mut waited) = (0u64, Duration::ZERO);
    loop {
        let asked = Monotonic::now();
        let frame = tokio::time::timeout(SILENCE_MAX, frame(body)).await.map_err(|_| Problem::TooSlow)?;
        // The time that our own disk takes is not the client's.
        waited += asked.elapsed();
        let Some(frame) = frame else { return Ok(()) };
        // Trailers say nothing here.
        let Ok(bytes) = frame.map_err(|_| Problem::Gone)?.into_data() else { continue };
        read += bytes.len() as u64;
        if read > limit {
            return Err(Problem::TooLarge(limit));
        }
        if waited > WHOLE_MAX {
            return Err(Problem::TooSlow);
        }
        if waited > RATE_FROM && read / waited.as_secs().max(1) < RATE_MIN_BYTES {
            return Err(Problem::TooSlow);
        }
        if pieces.send(Piece::Bytes(bytes)).await.is_err() {
            // The writer has failed, and says how.
            return Ok(());
        }
    }
}

async fn frame<B: Body + Unpin>(body: &mut B) -> Option<Result<http_body::Frame<B::Data>, B::Error>> {
    std::future::poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await
}

fn start(
    shared: Arc<Shared>,
    name: Name,
    source: String,
    mut queue: mpsc::Receiver<Piece>,
) -> JoinHandle<Result<PathBuf, Problem>> {
    tokio::task::spawn_blocking(move || {
        let mut staged = shared.staging.begin(&name).map_err(failed)?;
        loop {
            match queue.blocking_recv() {
                Some(Piece::Bytes(bytes)) => staged.write(&bytes).map_err(failed)?,
                Some(Piece::End(expected)) => return finish(staged, &expected),
                Some(Piece::Stop) => return Err(Problem::Gone),
                None => {
                    let why = format!("ended after {} bytes; whoever sent it has to send it again", staged.len());
                    shared.journal.note(&note("A012", &why).source(&source).package(name.as_str()));
                    return Err(Problem::Gone);
                }
            }
        }
    })
}

fn finish(staged: Staged, expected: &[Digest]) -> Result<PathBuf, Problem> {
    let differs = |found| {
        let expected = expected.iter().find(|digest| **digest != found).unwrap_or(&found);
        Problem::Malformed(format!("the body's SHA-256 is {found}, the request says {expected}; send it again"))
    };
    staged.finish(expected).map_err(failed)?.map_err(differs)
}

/// What a disk's failure means for whoever sends.
pub fn failed(error: io::Error) -> Problem {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Problem::NoRoom(error.to_string()),
        _ => Problem::OurFault(format!("the staging folder: {error}")),
    }
}

/// Reads on for a while what nobody wants any more, so that the answer arrives: a connection that is closed with bytes
/// unread is reset, and takes the answer with it.
pub async fn linger<B: Body + Unpin>(mut body: B, mut stop: watch::Receiver<bool>) {
    let reading = async { while let Some(Ok(_)) = frame(&mut body).await {} };
    tokio::select! {
        () = reading => {}
        () = tokio::time::sleep(LINGER_MAX) => {}
        _ = stop.wait_for(|stop| *stop) => {}
    }
}
