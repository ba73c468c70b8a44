//! An origin that answers what it is told to, over connections that last.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What is asked to leave an idle connection behind, and how that is answered.
pub const WARM: &str = "GET /tibio HTTP/1.1\r\nHost: a\r\n\r\n";
pub const WARMED: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx";
/// An answer for nobody else.
pub const ALONE: &[u8] = b"HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: 1\r\n\r\nx";

/// What the origin does with the next request.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    pub bytes: Vec<u8>,
    /// In two pieces, parted here.
    pub parted: Option<usize>,
    pub closes: bool,
}

/// What it answers, and the heads that it has read.
#[derive(Default)]
pub struct Script {
    pub answer: Answer,
    pub asked: Vec<Vec<u8>>,
}

pub type Shared = Arc<Mutex<Script>>;

pub async fn serve(mut stream: TcpStream, script: Shared) {
    let mut read = Vec::new();
    stream.set_nodelay(true).unwrap();
    loop {
        while !read.ends_with(b"\r\n\r\n") {
            if !matches!(stream.read_buf(&mut read).await, Ok(1..)) {
                return;
            }
        }
        let head = std::mem::take(&mut read);
        let answer = match head.starts_with(b"GET /tibio ") {
            true => Answer { bytes: WARMED.to_vec(), ..Answer::default() },
            false => {
                let mut script = script.lock().unwrap();
                script.asked.push(head);
                script.answer.clone()
            }
        };
        let (first, rest) = answer.bytes.split_at(answer.parted.unwrap_or(0).min(answer.bytes.len()));
        for piece in [first, rest] {
            if stream.write_all(piece).await.is_err() {
                return;
            }
            tokio::task::yield_now().await;
        }
        if answer.closes {
            return;
        }
    }
}
