//! An origin that has everything: one kilobyte, with the head that nginx gives a file, fresh for a day.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

use difusor::base::clock::Clock;

use crate::cores::{Guard, lowly};

/// Of each body.
pub const BODY_BYTES: usize = 1024;
/// What an answer has beside status line and length; they weigh what they weigh at an origin of today.
const FIELDS: &str = "Server: nginx/1.22.1\r\nDate: @date@\r\nContent-Type: image/jpeg\r\nLast-Modified: @date@\r\n\
    ETag: \"6660f0a0-400\"\r\nCache-Control: max-age=86400\r\nAccept-Ranges: bytes\r\n";

/// All fields of an answer.
pub fn fields() -> String {
    let date = Clock::machine().now().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    format!("{}Content-Length: {BODY_BYTES}\r\n", FIELDS.replace("@date@", &date))
}

/// Serves for ever; says first where.
pub fn run() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    println!("{}", listener.local_addr().expect("its address"));
    let head: Arc<str> = format!("HTTP/1.1 200 OK\r\n{}\r\n", fields()).into();
    for stream in listener.incoming() {
        let (stream, head) = (stream.expect("a connection"), head.clone());
        std::thread::spawn(move || serve(stream, &head));
    }
}

/// Answers until the other side has had enough. A body begins with its target, so that none is another's.
fn serve(mut stream: TcpStream, head: &str) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let target = line.split(' ').nth(1).unwrap_or_default().to_owned();
        while line.trim_end() != "" {
            line.clear();
            reader.read_line(&mut line)?;
        }
        let mut answer = head.as_bytes().to_vec();
        let end = answer.len() + BODY_BYTES;
        answer.extend_from_slice(target.as_bytes());
        answer.resize(end, b'.');
        stream.write_all(&answer)?;
    }
}

/// One in a process of its own.
pub fn start() -> (Guard, SocketAddr) {
    let mut child = lowly(&["origin"]);
    let mut said = String::new();
    BufReader::new(child.0.stdout.take().expect("it speaks")).read_line(&mut said).expect("it speaks");
    (child, said.trim().parse().expect("an address"))
}
