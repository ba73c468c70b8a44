//! A server that misbehaves on command: raw HTTP/1.1, one request a connection, optionally behind TLS.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::server::DEADLINE;

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Heard {
    /// Method, target, version.
    pub line: String,
    pub fields: Vec<(String, String)>,
    /// How many came before it.
    pub n: usize,
}

impl Heard {
    pub fn read(stream: &mut impl BufRead, n: usize) -> Option<Heard> {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).ok()? == 0 {
                return None;
            }
            match line.trim_end() {
                "" => break,
                line => lines.push(line.to_owned()),
            }
        }
        let fields = lines.iter().skip(1).filter_map(|line| line.split_once(": "));
        let fields = fields.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
        Some(Heard { line: lines.first()?.clone(), fields, n })
    }

    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    pub fn target(&self) -> &str {
        self.line.split(' ').nth(1).unwrap()
    }

    /// Where the range begins that was asked for.
    pub fn from(&self) -> Option<usize> {
        self.field("range")?.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok()
    }
}

pub trait Stream: Read + Write {}
impl<S: Read + Write> Stream for S {}

/// Writes an answer. `length` is announced if it is given, whatever the body's is.
pub fn answer(to: &mut dyn Stream, status: &str, fields: &str, length: Option<usize>, body: &[u8]) {
    let length = length.map_or(String::new(), |n| format!("Content-Length: {n}\r\n"));
    let head = format!("HTTP/1.1 {status}\r\n{length}{fields}Connection: close\r\n\r\n");
    // Whoever has heard enough may be gone.
    let _ = to.write_all(&[head.as_bytes(), body].concat()).and_then(|()| to.flush());
}

/// A file with this tag, as good servers send it, but cut after so many bytes of what was asked for.
pub fn file(to: &mut dyn Stream, heard: &Heard, etag: &str, bytes: &[u8], cut: Option<usize>) {
    let tag = format!("ETag: {etag}\r\n");
    if heard.field("if-none-match") == Some(etag) {
        return answer(to, "304 Not Modified", &tag, None, b"");
    }
    let from = heard.from().filter(|_| heard.field("if-range") == Some(etag));
    let body = &bytes[from.unwrap_or(0)..];
    let shown = &body[..body.len().min(cut.unwrap_or(usize::MAX))];
    match from {
        None => answer(to, "200 OK", &tag, Some(body.len()), shown),
        Some(from) => {
            let range = format!("{tag}Content-Range: bytes {from}-{}/{}\r\n", bytes.len() - 1, bytes.len());
            answer(to, "206 Partial Content", &range, Some(body.len()), shown);
        }
    }
}

/// A running server; its threads end with the process.
pub struct Origin {
    pub address: SocketAddr,
    heard: Arc<Mutex<Vec<Heard>>>,
}

impl Origin {
    pub fn start(script: impl Fn(&Heard, &mut dyn Stream) + Send + Sync + 'static) -> Origin {
        Origin::serve(None, script)
    }

    pub fn with_tls(
        tls: Arc<ServerConfig>,
        script: impl Fn(&Heard, &mut dyn Stream) + Send + Sync + 'static,
    ) -> Origin {
        Origin::serve(Some(tls), script)
    }

    fn serve(
        tls: Option<Arc<ServerConfig>>,
        script: impl Fn(&Heard, &mut dyn Stream) + Send + Sync + 'static,
    ) -> Origin {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (heard, script) = (Arc::new(Mutex::new(Vec::new())), Arc::new(script));
        let log = heard.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (script, log, tls) = (script.clone(), log.clone(), tls.clone());
                std::thread::spawn(move || {
                    let stream = stream.unwrap();
                    stream.set_read_timeout(Some(DEADLINE)).unwrap();
                    match tls {
                        None => talk(stream, &*script, &log),
                        Some(tls) => {
                            talk(StreamOwned::new(ServerConnection::new(tls).unwrap(), stream), &*script, &log)
                        }
                    }
                });
            }
        });
        Origin { address, heard }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }
}

fn talk(stream: impl Stream, script: &(dyn Fn(&Heard, &mut dyn Stream) + Send + Sync), log: &Mutex<Vec<Heard>>) {
    let mut stream = BufReader::new(stream);
    let n = log.lock().unwrap().len();
    let Some(heard) = Heard::read(&mut stream, n) else { return };
    log.lock().unwrap().push(heard.clone());
    script(&heard, stream.get_mut());
}
