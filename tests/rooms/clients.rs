//! Two kinds of readers: HTTP/1.1 pipelined on a raw socket, and HTTP/2 with many streams.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use bytes::{Bytes, BytesMut};
use h2::client::SendRequest;

use crate::night::{Asked, Night, Seen, TARGETS};

/// Requests that are under way at once on a connection.
pub const BATCH: usize = 50;
/// Requests after which a connection is given up and a new one made.
pub const PER_CONNECTION: usize = 5_000;

fn path(asked: &Asked, night: &Night) -> String {
    let target = TARGETS[asked.target].0;
    asked.pinned.map_or_else(|| target.to_owned(), |n| format!("/.prep/c/{}{target}", night.cortes[n].id))
}

/// A connection of HTTP/1.1.
pub struct Pipelined {
    stream: TcpStream,
    unread: Vec<u8>,
    at: usize,
}

impl Pipelined {
    pub fn connect(to: SocketAddr) -> Pipelined {
        let stream = TcpStream::connect(to).unwrap();
        stream.set_nodelay(true).unwrap();
        Pipelined { stream, unread: Vec::new(), at: 0 }
    }

    /// Sends all requests at once, then reads as many responses.
    pub fn ask(&mut self, batch: &[Asked], night: &Night) -> Vec<Seen> {
        let mut out = Vec::with_capacity(batch.len() * 150);
        for asked in batch {
            let (path, coding) = (path(asked, night), asked.coding);
            write!(out, "GET {path} HTTP/1.1\r\nhost: prep\r\naccept-encoding: {coding}\r\n").unwrap();
            if let Some(held) = &asked.held {
                out.extend([b"if-none-match: ", &held[..], b"\r\n"].concat());
            }
            out.extend(b"\r\n");
        }
        self.stream.write_all(&out).unwrap();
        batch.iter().map(|_| self.response()).collect()
    }

    fn response(&mut self) -> Seen {
        let end = loop {
            if let Some(end) = self.unread[self.at..].windows(4).position(|four| four == b"\r\n\r\n") {
                break self.at + end;
            }
            self.more();
        };
        let (mut seen, mut length) = (Seen::default(), 0);
        let mut lines = self.unread[self.at..end].split(|b| *b == b'\n');
        let status = lines.next().unwrap();
        seen.status = str::from_utf8(&status[9..12]).unwrap().parse().unwrap();
        for line in lines {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let colon = line.iter().position(|b| *b == b':').unwrap();
            let value = || line[colon + 2..].to_vec();
            match &line[..colon] {
                b"corte" => seen.corte = value(),
                b"corte-fecha-hora" => seen.fecha_hora = value(),
                b"etag" => seen.etag = value(),
                b"content-encoding" => seen.coding = value(),
                b"content-length" => length = str::from_utf8(&line[colon + 2..]).unwrap().parse().unwrap(),
                _ => {}
            }
        }
        self.at = end + 4;
        let length = if seen.status == 304 { 0 } else { length };
        while self.unread.len() < self.at + length {
            self.more();
        }
        seen.body = Bytes::copy_from_slice(&self.unread[self.at..self.at + length]);
        self.at += length;
        seen
    }

    fn more(&mut self) {
        self.unread.drain(..self.at);
        self.at = 0;
        let had = self.unread.len();
        self.unread.resize(had + (64 << 10), 0);
        let got = self.stream.read(&mut self.unread[had..]).expect("the connection is whole");
        assert!(got > 0, "the connection was closed");
        self.unread.truncate(had + got);
    }
}

/// A connection of HTTP/2.
pub struct Multiplexed(SendRequest<Bytes>);

impl Multiplexed {
    /// To be called within a runtime, which drives it.
    pub async fn connect(to: SocketAddr) -> Multiplexed {
        let stream = tokio::net::TcpStream::connect(to).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (send, connection) = h2::client::handshake(stream).await.unwrap();
        tokio::spawn(async move { connection.await.expect("the connection is whole") });
        Multiplexed(send)
    }

    /// Opens a stream for each request, then reads them in the same order.
    pub async fn ask(&mut self, batch: &[Asked], night: &Night) -> Vec<Seen> {
        let mut waiting = Vec::with_capacity(batch.len());
        for asked in batch {
            let uri = format!("http://prep{}", path(asked, night));
            let mut request = http::Request::get(uri).header("accept-encoding", asked.coding);
            if let Some(held) = &asked.held {
                request = request.header("if-none-match", &held[..]);
            }
            self.0 = self.0.clone().ready().await.unwrap();
            let (response, _) = self.0.send_request(request.body(()).unwrap(), true).unwrap();
            waiting.push(response);
        }
        let mut all = Vec::with_capacity(batch.len());
        for response in waiting {
            let response = response.await.unwrap();
            let field = |name: &str| response.headers().get(name).map_or(Vec::new(), |v| v.as_bytes().to_vec());
            let mut seen = Seen {
                status: response.status().as_u16(),
                corte: field("corte"),
                fecha_hora: field("corte-fecha-hora"),
                etag: field("etag"),
                coding: field("content-encoding"),
                body: Bytes::new(),
            };
            let (mut body, mut whole) = (response.into_body(), BytesMut::new());
            while let Some(piece) = body.data().await {
                let piece = piece.unwrap();
                body.flow_control().release_capacity(piece.len()).unwrap();
                whole.extend_from_slice(&piece);
            }
            seen.body = whole.freeze();
            all.push(seen);
        }
        all
    }
}
