//! A proxy that tampers: it stands before a site and changes what it wants to in answers over HTTP/1.1. What is HTTP/2
//! goes through as it is.

use std::io::{BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

use super::origin::Heard;
use super::wire::{Response, connect};

/// What becomes of an answer.
pub type Change = dyn Fn(&Heard, &mut Response) + Send + Sync;

/// A running one; its threads end with the process.
pub struct Tamper(SocketAddr);

impl Tamper {
    pub fn start(site: SocketAddr, change: impl Fn(&Heard, &mut Response) + Send + Sync + 'static) -> Tamper {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, change) = (listener.local_addr().unwrap(), Arc::new(change));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let change = change.clone();
                std::thread::spawn(move || lead(stream.unwrap(), site, &*change));
            }
        });
        Tamper(address)
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.0)
    }
}

fn lead(client: TcpStream, site: SocketAddr, change: &Change) {
    let mut first = [0; 3];
    // The first three bytes tell the protocol, as they do for the site itself.
    if !matches!(client.peek(&mut first), Ok(3)) || &first == b"PRI" {
        return tunnel(client, connect(site));
    }
    let mut reader = BufReader::new(client.try_clone().unwrap());
    let (mut server, mut client) = (BufReader::new(connect(site)), client);
    while let Some(heard) = Heard::read(&mut reader, 0) {
        let fields = heard.fields.iter().map(|(name, value)| format!("{name}: {value}\r\n"));
        let head = format!("{}\r\n{}\r\n", heard.line, fields.collect::<String>());
        if server.get_mut().write_all(head.as_bytes()).is_err() {
            return;
        }
        let to_head = heard.line.starts_with("HEAD ");
        let Some(mut response) = Response::read(&mut server, to_head) else { return };
        change(&heard, &mut response);
        if !to_head && response.field("content-length").is_some() {
            let length = response.body.len().to_string();
            set(&mut response, "content-length", &length);
        }
        let head = format!("{}\r\n\r\n", response.head);
        if client.write_all(&[head.as_bytes(), &response.body].concat()).is_err() {
            return;
        }
    }
}

/// Takes a field away.
pub fn drop_field(response: &mut Response, name: &str) {
    let is_other = |line: &&str| !line.split_once(':').is_some_and(|(field, _)| field.eq_ignore_ascii_case(name));
    response.head = response.head.lines().filter(is_other).collect::<Vec<_>>().join("\r\n");
}

/// Gives a field this value, and no other.
pub fn set(response: &mut Response, name: &str, value: &str) {
    let value = format!("\r\n{name}: {value}");
    drop_field(response, name);
    response.head += &value;
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
