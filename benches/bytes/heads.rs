//! What the head of a response costs, field by field, over HTTP/1.1 and HTTP/2, measured on the real binary.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use base64ct::{Base64, Encoding};
use difusor::base::clock::Monotonic;
use difusor::base::digest::Digest;

use crate::hpack;
use crate::nginx::Nginx;

/// Bytes of our heads over one protocol, with frames where it has some; over HTTP/2 on a connection that had such answers before.
#[derive(Clone, Copy, Debug)]
pub struct Ours {
    pub plain: usize,
    pub difference: usize,
    pub not_modified: usize,
}

/// And nginx's: with a coded file beside the file, without, compressed as it is sent, and a 304.
#[derive(Clone, Copy, Debug)]
pub struct Theirs {
    pub coded: usize,
    pub plain: usize,
    pub streamed: usize,
    pub not_modified: usize,
}

/// Over HTTP/1.1 and HTTP/2.
#[derive(Clone, Copy, Debug)]
pub struct Heads {
    pub ours: [Ours; 2],
    pub theirs: [Theirs; 2],
}

/// In the order of [`Heads`].
pub const PROTOCOLS: [&str; 2] = ["HTTP/1.1", "HTTP/2"];

/// A small file: some 400 bytes.
const SMALL: &str = "/datos/corte.json";
/// One that differs from corte to corte by little.
const LARGE: &str = "/datos/distrito_01.json";
const PLAIN: &str = "accept-encoding: gzip, deflate, br, zstd\r\n";
/// How long a corte and its differences may take.
const PATIENCE: Duration = Duration::from_secs(30);

const ACCEPTED: (&str, &str) = ("accept-encoding", "gzip, deflate, br, zstd");
/// What nginx 1.22 of Debian 12 was found to send; for where there is none.
const THEIRS: [Theirs; 2] = [
    Theirs { coded: 262, plain: 240, streamed: 255, not_modified: 196 },
    Theirs { coded: 139, plain: 126, streamed: 119, not_modified: 95 },
];
/// HTTP/1.1 sends a body of unknown length in pieces, each with its length, and a last one (RFC 9112, 7.1).
const CHUNKING_BYTES: usize = 5 + 2 + 5;

/// Why each field is there; what has no reason has no place.
const REASONS: [(&str, &str); 18] = [
    (":status", "RFC 9112, RFC 9113"),
    ("content-type", "browsers guess without it"),
    ("etag", "the validator of the 304 that comes next"),
    ("accept-ranges", "downloads are resumed; on what is not coded"),
    ("repr-digest", "anybody can check the whole and a part (RFC 9530)"),
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
        self.fields().find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.head.lines().skip(1).filter_map(|line| line.split_once(": "))
    }
}

fn ask(address: SocketAddr, path: &str, fields: &str) -> (BufReader<TcpStream>, String) {
    let mut stream = TcpStream::connect(address).expect("it listens");
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\n{fields}\r\n").unwrap();
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(reader.read_line(&mut head).unwrap() > 0, "a whole head");
    }
    (reader, head)
}

fn get_head(address: SocketAddr, path: &str, fields: &str) -> String {
    ask(address, path, fields).1
}

fn get(address: SocketAddr, path: &str, fields: &str) -> Response {
    let (mut reader, head) = ask(address, path, fields);
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

/// Without a word.
pub fn count() -> Heads {
    let demo = ready();
    Heads { ours: measure(demo.1).0, theirs: nginx() }
}

fn ready() -> Demo {
    let demo = demo();
    until(|| get(demo.1, "/", ""), |response| response.head.starts_with("HTTP/1.1 200"));
    demo
}

pub fn print() -> Heads {
    let demo = ready();
    let address = demo.1;
    let (ours, small, small_304) = measure(address);
    let first = hpack::measure(address, SMALL, &[ACCEPTED]);
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
        let is_kept = name == ":status" || small_304.field(name).is_some();
        let why = REASONS.iter().find(|(field, _)| field == name).map_or("**none is written down**", |(_, why)| *why);
        println!("| `{name}` | {bytes} | {} | {} | {} | {why} |", cell(0), cell(1), if is_kept { "yes" } else { "" });
    }
    let sum =
        |n: usize| hpack::FRAME_BYTES + first.get(n).map_or(0, |fields| fields.iter().map(|(_, bytes)| bytes).sum());
    println!(
        "| all, with the empty line or the frame's 9 bytes | {} | {} | {} | | |",
        small.head.len(),
        sum(0),
        sum(1)
    );
    let theirs = nginx();
    println!(
        "\nHTTP/2 on a connection that had such answers before; with the 9 bytes of the frame around a head, and of the one around a body.\n"
    );
    println!("| head of | HTTP/1.1 | HTTP/2 | nginx, HTTP/1.1 | nginx, HTTP/2 |");
    println!("| --- | ---: | ---: | ---: | ---: |");
    let row = |what: &str, of: &dyn Fn(&Ours) -> usize, by: &dyn Fn(&Theirs) -> usize| {
        let cells = [of(&ours[0]), of(&ours[1]), by(&theirs[0]), by(&theirs[1])];
        let cells = cells.map(|bytes| if bytes == 0 { "-".to_owned() } else { bytes.to_string() });
        println!("| {what} | {} |", cells.join(" | "));
    };
    row("a coded 200 of a file that has differences", &|ours| ours.plain, &|theirs| theirs.coded);
    row("a difference", &|ours| ours.difference, &|_| 0);
    row("a 304", &|ours| ours.not_modified, &|theirs| theirs.not_modified);
    row("a 200 without coding", &|_| 0, &|theirs| theirs.plain);
    row("a 200 that is compressed on the way", &|_| 0, &|theirs| theirs.streamed);
    Heads { ours, theirs }
}

/// Ours, and a small file's 200 and 304 over HTTP/1.1.
fn measure(address: SocketAddr) -> ([Ours; 2], Response, Response) {
    // A corte's own second, so that all is of one corte.
    let begin = get(address, SMALL, PLAIN);
    let is_new = |response: &Response| response.field("corte") != begin.field("corte");
    until(|| get(address, SMALL, PLAIN), is_new);
    let large = get(address, LARGE, "");
    let named = format!(":{}:", Base64::encode_string(Digest::of(&large.body).as_bytes()));
    let not_modified = |path: &str| {
        let etag = get(address, path, PLAIN).field("etag").unwrap_or_default().to_owned();
        let response = get(address, path, &format!("{PLAIN}if-none-match: {etag}\r\n"));
        assert!(response.head.starts_with("HTTP/1.1 304"), "{}", response.head);
        (response, hpack::again(address, path, &[ACCEPTED, ("if-none-match", &etag)]))
    };
    let (small, (small_304, _)) = (get(address, SMALL, PLAIN), not_modified(SMALL));
    let (large_304, large_304_again) = not_modified(LARGE);
    let accepted = "gzip, deflate, br, zstd, dcb, dcz";
    let with = format!("accept-encoding: {accepted}\r\navailable-dictionary: {named}\r\n");
    let is_difference =
        |response: &Response| response.field("content-encoding").is_some_and(|coding| coding.starts_with("dc"));
    let difference = until(|| get(address, LARGE, &with), is_difference);
    if !is_difference(&difference) {
        println!("No difference came within {PATIENCE:?}: its head is taken as that of a 200.\n");
    }
    let difference_again =
        hpack::again(address, LARGE, &[("accept-encoding", accepted), ("available-dictionary", &named)]);
    let plain = get(address, LARGE, PLAIN);
    let ours = [
        Ours { plain: plain.head.len(), difference: difference.head.len(), not_modified: large_304.head.len() },
        Ours {
            plain: hpack::again(address, LARGE, &[ACCEPTED]) + hpack::FRAME_BYTES,
            difference: difference_again + hpack::FRAME_BYTES,
            not_modified: large_304_again,
        },
    ];
    (ours, small, small_304)
}

/// nginx's, of a JSON and of a page.
fn nginx() -> [Theirs; 2] {
    let Some(nginx) = Nginx::start() else {
        println!("\nNo nginx here (Debian package nginx-light): its heads are those of 1.22.");
        return THEIRS;
    };
    let body = vec![b'a'; 4321];
    nginx.put("a.json", &body, &[("br", &body[..1234]), ("gz", &body[..1234])], 1_559_500_000);
    nginx.put("a.html", &body, &[], 1_559_500_000);
    let end = if nginx.has_brotli { "br" } else { "gzip" };
    let [coded, stock] = [nginx.doors.coded, nginx.doors.stock];
    let got = get(coded[0], "/a.json", PLAIN);
    assert_eq!(got.field("content-encoding"), Some(end), "{}", got.head);
    let (etag, plain) = (got.field("etag").unwrap_or_default(), get(stock[0], "/a.json", PLAIN).head.len());
    let streamed = get_head(stock[0], "/a.html", PLAIN).len() + CHUNKING_BYTES;
    let not_modified = get(coded[0], "/a.json", &format!("{PLAIN}if-none-match: {etag}\r\n")).head.len();
    let again = |address, path, lines: &hpack::Lines| hpack::again(address, path, lines) + hpack::FRAME_BYTES;
    [
        Theirs { coded: got.head.len(), plain, streamed, not_modified },
        Theirs {
            coded: again(coded[1], "/a.json", &[ACCEPTED]),
            plain: again(stock[1], "/a.json", &[ACCEPTED]),
            streamed: again(stock[1], "/a.html", &[ACCEPTED]),
            not_modified: hpack::again(coded[1], "/a.json", &[ACCEPTED, ("if-none-match", etag)]),
        },
    ]
}
