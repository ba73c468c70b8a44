//! What the head of a response costs, field by field, over HTTP/1.1 and HTTP/2, measured on the real binary.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use base64ct::{Base64, Encoding};
use difusor::base::clock::Monotonic;
use difusor::base::digest::Digest;

use crate::hpack;

/// Bytes of heads over HTTP/1.1.
#[derive(Clone, Copy, Debug)]
pub struct Heads {
    pub plain: usize,
    pub difference: usize,
    pub not_modified: usize,
    pub nginx: usize,
    pub nginx_304: usize,
}

/// A small file: some 400 bytes.
const SMALL: &str = "/datos/corte.json";
/// One that differs from corte to corte by little.
const LARGE: &str = "/datos/distrito_01.json";
const PLAIN: &str = "accept-encoding: gzip, deflate, br, zstd\r\n";
/// How long a corte and its differences may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// What nginx 1.22 sends with a `.br` beside the file (`brotli_static`, `expires` off), and for a 304.
const NGINX: &str = "HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Mon, 08 Jun 2026 02:10:00 GMT\r\nContent-Type: application/json\r\n\
    Content-Length: 1234\r\nLast-Modified: Mon, 08 Jun 2026 02:10:00 GMT\r\nConnection: keep-alive\r\nVary: Accept-Encoding\r\n\
    ETag: \"6664f6d8-4d2\"\r\nContent-Encoding: br\r\n\r\n";
const NGINX_304: &str = "HTTP/1.1 304 Not Modified\r\nServer: nginx\r\nDate: Mon, 08 Jun 2026 02:10:00 GMT\r\n\
    Last-Modified: Mon, 08 Jun 2026 02:10:00 GMT\r\nConnection: keep-alive\r\nETag: \"6664f6d8-4d2\"\r\n\r\n";

/// Why each field is there; what has no reason has no place.
const REASONS: [(&str, &str); 19] = [
    (":status", "RFC 9112, RFC 9113"),
    ("content-type", "browsers guess without it"),
    ("etag", "the validator of the 304 that comes next"),
    ("accept-ranges", "downloads are resumed"),
    ("repr-digest", "anybody can check a part (RFC 9530)"),
    ("content-digest", "anybody can check the whole (RFC 9530)"),
    ("content-encoding", "the body cannot be read without it"),
    ("content-length", "ends the body over HTTP/1.1; progress and checks over HTTP/2"),
    ("vary", "shared caches would mix codings up"),
    ("use-as-dictionary", "the next corte comes as a difference (RFC 9842)"),
    ("cache-control", "who may keep it, and until when"),
    ("date", "an origin with a clock must (RFC 9110, 6.6.1); ages are reckoned by it"),
    ("last-modified", "validator of those who know no entity tags"),
    ("corte", "which corte it is of (the call)"),
    ("corte-fecha-hora", "its date and hour (the call)"),
    ("corte-tipo", "results of the election or of a drill (the call)"),
    ("corte-estado", "whether more are awaited"),
    ("access-control-allow-origin", "other pages may show it"),
    ("access-control-expose-headers", "their scripts may read the corte"),
];

/// The demo, which ends with this.
struct Demo(Child, SocketAddr);

impl Drop for Demo {
    fn drop(&mut self) {
        // SIGTERM, so that it clears its folder away.
        let pid = rustix::process::Pid::from_child(&self.0);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ = self.0.wait();
    }
}

fn demo() -> Demo {
    let mut command = Command::new(env!("CARGO_BIN_EXE_difusor"));
    command.args(["demo", "--every", "5s", "--listen", "127.0.0.1:0"]).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("the binary runs");
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let line = lines.find(|line| line.trim_start().starts_with("results ")).expect("it says where it listens");
    let address = line.rsplit("http://").next().unwrap().trim_end_matches('/').parse().expect("an address");
    std::thread::spawn(move || lines.for_each(drop));
    Demo(child, address)
}

struct Response {
    head: String,
    body: Vec<u8>,
}

impl Response {
    fn field(&self, name: &str) -> Option<&str> {
        self.fields().find(|(field, _)| *field == name).map(|(_, value)| value)
    }

    fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.head.lines().skip(1).filter_map(|line| line.split_once(": "))
    }
}

fn get(address: SocketAddr, path: &str, fields: &str) -> Response {
    let mut stream = TcpStream::connect(address).expect("it listens");
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\n{fields}\r\n").unwrap();
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(reader.read_line(&mut head).unwrap() > 0, "a whole head");
    }
    let mut response = Response { head, body: Vec::new() };
    let length = if response.head.contains(" 304 ") { None } else { response.field("content-length") };
    let length = length.map_or(0, |length| length.parse().unwrap());
    response.body.resize(length, 0);
    reader.read_exact(&mut response.body).unwrap();
    response
}

/// Asks until `is_it`, or the patience is at its end: then what came last.
fn until(ask: impl Fn() -> Response, is_it: impl Fn(&Response) -> bool) -> Response {
    let started = Monotonic::now();
    loop {
        let response = ask();
        if is_it(&response) || started.elapsed() > PATIENCE {
            return response;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

pub fn print() -> Heads {
    let demo = demo();
    let address = demo.1;
    until(|| get(address, "/", ""), |response| response.head.starts_with("HTTP/1.1 200"));
    let (heads, small, not_modified) = measure(address);
    let first = hpack::measure(address, SMALL, None);
    // Of the corte of this moment, else there is no 304.
    let etag = get(address, SMALL, PLAIN).field("etag").map(str::to_owned);
    let again = hpack::measure(address, SMALL, etag.as_deref());
    println!("## Heads\n");
    println!(
        "`{SMALL}` of the demo, {} bytes as it comes. Over HTTP/2: the first on a connection, and one more.\n",
        small.body.len()
    );
    println!("| field | HTTP/1.1 | HTTP/2, first | HTTP/2, again | also in a 304 | why |");
    println!("| --- | ---: | ---: | ---: | --- | --- |");
    let status = small.head.lines().next().map_or(0, |line| line.len() + 2);
    let mut rows = vec![(":status".to_owned(), status)];
    rows.extend(small.fields().map(|(name, value)| (name.to_owned(), name.len() + value.len() + 4)));
    for (name, bytes) in &rows {
        let of = |n: usize| first.get(n).and_then(|fields| fields.iter().find(|(field, _)| field == name));
        let cell = |n: usize| of(n).map_or("-".to_owned(), |(_, bytes)| bytes.to_string());
        let is_kept = name == ":status" || not_modified.field(name).is_some();
        let why = REASONS.iter().find(|(field, _)| field == name).map_or("**none is written down**", |(_, why)| *why);
        println!("| `{name}` | {bytes} | {} | {} | {} | {why} |", cell(0), cell(1), if is_kept { "yes" } else { "" });
    }
    let sum = |all: &[Vec<(String, usize)>], n: usize| {
        all.get(n).map_or(0, |fields| fields.iter().map(|(_, bytes)| bytes).sum())
    };
    println!(
        "| all, with the empty line or the frame's 9 bytes | {} | {} | {} | | |",
        small.head.len(),
        sum(&first, 0) + 9,
        sum(&first, 1) + 9
    );
    println!("\n| head of | HTTP/1.1 | HTTP/2, first | HTTP/2, again | nginx, HTTP/1.1 |");
    println!("| --- | ---: | ---: | ---: | ---: |");
    println!(
        "| a 200 of this file | {} | {} | {} | {} |",
        small.head.len(),
        sum(&first, 0) + 9,
        sum(&first, 1) + 9,
        heads.nginx
    );
    println!("| a 200 of a file that has differences | {} | | | {} |", heads.plain, heads.nginx);
    println!("| a difference | {} | | | - |", heads.difference);
    println!(
        "| a 304 | {} | {} | {} | {} |",
        heads.not_modified,
        sum(&again, 0) + 9,
        sum(&again, 1) + 9,
        heads.nginx_304
    );
    heads
}

fn measure(address: SocketAddr) -> (Heads, Response, Response) {
    // A corte's own second, so that all is of one corte.
    let begin = get(address, SMALL, PLAIN);
    let is_new = |response: &Response| response.field("corte") != begin.field("corte");
    until(|| get(address, SMALL, PLAIN), is_new);
    let large = get(address, LARGE, "");
    let named = format!(":{}:", Base64::encode_string(Digest::of(&large.body).as_bytes()));
    let small = get(address, SMALL, PLAIN);
    let etag = small.field("etag").unwrap_or_default().to_owned();
    let not_modified = get(address, SMALL, &format!("{PLAIN}if-none-match: {etag}\r\n"));
    assert!(not_modified.head.starts_with("HTTP/1.1 304"), "{}", not_modified.head);
    let with = format!("accept-encoding: gzip, deflate, br, zstd, dcb, dcz\r\navailable-dictionary: {named}\r\n");
    let is_difference =
        |response: &Response| response.field("content-encoding").is_some_and(|coding| coding.starts_with("dc"));
    let difference = until(|| get(address, LARGE, &with), is_difference);
    if !is_difference(&difference) {
        println!("No difference came within {PATIENCE:?}: its head is taken as that of a 200.\n");
    }
    let plain = get(address, LARGE, PLAIN);
    let heads = Heads {
        plain: plain.head.len(),
        difference: difference.head.len(),
        not_modified: not_modified.head.len(),
        nginx: NGINX.len(),
        nginx_304: NGINX_304.len(),
    };
    (heads, small, not_modified)
}
