//! HTTP/1.1 as far as these clients need it: one GET after the other on one connection, and an answer with its length.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Nothing takes as long: whoever waits so long has found a fault.
const PATIENCE: Duration = Duration::from_secs(30);
/// Read at once.
const READ_BYTES: usize = 16 << 10;

pub struct Talk {
    stream: TcpStream,
    read: Vec<u8>,
}

/// What came back.
pub struct Answer {
    pub status: u16,
    /// From the cache.
    pub is_hit: bool,
    pub body_bytes: usize,
}

impl Talk {
    pub fn with(address: SocketAddr) -> Talk {
        let stream = TcpStream::connect(address).expect("it listens");
        stream.set_nodelay(true).expect("a socket");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        Talk { stream, read: Vec::with_capacity(READ_BYTES) }
    }

    /// `more`: lines of the head.
    pub fn get(&mut self, path: &str, more: &str) -> Answer {
        let request = format!("GET {path} HTTP/1.1\r\nHost: prep.example\r\n{more}\r\n");
        self.stream.write_all(request.as_bytes()).expect("it is there");
        self.read.clear();
        let head = loop {
            if let Some(end) = end_of_head(&self.read) {
                break end;
            }
            self.more();
        };
        let text = std::str::from_utf8(&self.read[..head]).expect("a head of text");
        let status = text.get(9..12).and_then(|code| code.parse().ok()).expect("a status");
        let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")).expect("a length");
        let (is_hit, body_bytes) = (text.contains("difusor; hit"), length.parse().expect("a number"));
        while self.read.len() < head + body_bytes {
            self.more();
        }
        Answer { status, is_hit, body_bytes }
    }

    fn more(&mut self) {
        let before = self.read.len();
        self.read.resize(before + READ_BYTES, 0);
        let read = self.stream.read(&mut self.read[before..]).expect("an answer in time");
        assert!(read > 0, "the connection ended in the middle");
        self.read.truncate(before + read);
    }
}

/// Where the body begins.
pub fn end_of_head(read: &[u8]) -> Option<usize> {
    read.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4)
}
