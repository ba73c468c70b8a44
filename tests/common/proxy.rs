//! A proxy as companies have them: CONNECT to anywhere, clear requests with the whole URL, and a password.

use std::io::{BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use super::origin::{Heard, answer};

/// `user:secret`, as a proxy wants to see it.
const CREDENTIALS: &str = "Basic dXNlcjpzZWNyZXQ=";

/// A running proxy; its threads end with the process.
pub struct Proxy {
    pub address: SocketAddr,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    pub fn start() -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, heard) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(Vec::new())));
        let log = heard.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let log = log.clone();
                std::thread::spawn(move || lead(stream.unwrap(), &log));
            }
        });
        Proxy { address, heard }
    }

    /// Its address as the environment has it.
    pub fn url(&self) -> String {
        format!("http://user:secret@{}", self.address)
    }

    /// The request lines so far.
    pub fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }
}

fn lead(mut client: TcpStream, log: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(client.try_clone().unwrap());
    let Some(heard) = Heard::read(&mut reader, 0) else { return };
    log.lock().unwrap().push(heard.line.clone());
    if heard.field("proxy-authorization") != Some(CREDENTIALS) {
        return answer(&mut client, "407 Proxy Authentication Required", "", Some(0), b"");
    }
    let target = heard.target();
    if heard.line.starts_with("CONNECT ") {
        let server = TcpStream::connect(target).unwrap();
        client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        return tunnel(client, server);
    }
    let rest = target.strip_prefix("http://").unwrap();
    let (authority, path) = rest.split_at(rest.find('/').unwrap());
    let mut head = format!("GET {path} HTTP/1.1\r\nConnection: close\r\n");
    for (name, value) in heard.fields.iter().filter(|(name, _)| !name.starts_with("proxy-") && name != "connection") {
        head += &format!("{name}: {value}\r\n");
    }
    let mut server = TcpStream::connect(authority).unwrap();
    server.write_all(format!("{head}\r\n").as_bytes()).unwrap();
    pass(server, client);
}

fn tunnel(client: TcpStream, server: TcpStream) {
    let (from, to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    std::thread::spawn(move || pass(from, to));
    pass(server, client);
}

fn pass(mut from: TcpStream, mut to: TcpStream) {
    let mut bytes = [0; 16 << 10];
    while let Ok(n @ 1..) = from.read(&mut bytes) {
        if to.write_all(&bytes[..n]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}
