//! The lengths of a head's fields as HPACK packs them (RFC 7541), in clear; names as the h2 crate reads them.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use bytes::Bytes;

const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;
const SETTINGS: u8 = 4;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// Lines of a request besides its target.
pub type Lines<'l> = [(&'l str, &'l str)];

/// What frames around a head and around a body take (RFC 9113, 4.1).
pub const FRAME_BYTES: usize = 9;

/// Requests for `path` on one connection: of the first answer and of the shortest one after it the fields, in their order, with the
/// bytes of each.
pub fn measure(address: SocketAddr, path: &str, lines: &Lines) -> Vec<Vec<(String, usize)>> {
    let names = names(address, path, lines);
    blocks(address, path, lines).map(|block| names.iter().cloned().zip(lengths(&block)).collect()).into()
}

/// The bytes of a head in its frame, where such an answer has been on the connection before.
pub fn again(address: SocketAddr, path: &str, lines: &Lines) -> usize {
    FRAME_BYTES + blocks(address, path, lines)[1].len()
}

/// The first, and the shortest of those after it: another second may begin at any of them, and brings another date.
fn blocks(address: SocketAddr, path: &str, lines: &Lines) -> [Vec<u8>; 2] {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
    stream.write_all(&frame(SETTINGS, 0, 0, b"")).unwrap();
    let mut one = |id| {
        let authority = address.to_string();
        let mut fields = vec![(":method", "GET"), (":scheme", "http"), (":authority", &authority), (":path", path)];
        fields.extend(lines);
        let block: Vec<u8> = fields.iter().flat_map(|(name, value)| literal(name, value)).collect();
        stream.write_all(&frame(HEADERS, END_HEADERS | END_STREAM, id, &block)).unwrap();
        head(&mut stream, id)
    };
    let first = one(1);
    let rest = [3, 5, 7].map(one);
    [first, rest.into_iter().min_by_key(Vec::len).unwrap_or_default()]
}

/// In the order of the wire: h2 keeps it.
fn names(address: SocketAddr, path: &str, lines: &Lines) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let (sender, connection) = h2::client::Builder::new().handshake::<_, Bytes>(stream).await.unwrap();
        tokio::spawn(async { drop(connection.await) });
        let mut request = http::Request::builder().uri(format!("http://{address}{path}"));
        for (name, value) in lines {
            request = request.header(*name, *value);
        }
        let mut sender = sender.ready().await.unwrap();
        let (answer, _) = sender.send_request(request.body(()).unwrap(), true).unwrap();
        let head = answer.await.unwrap();
        let names = head.headers().keys().map(|name| name.as_str().to_owned());
        [":status".to_owned()].into_iter().chain(names).collect()
    })
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A literal that is not indexed (6.2.2), shorter than 127 bytes.
fn literal(name: &str, value: &str) -> Vec<u8> {
    assert!(name.len() < 127 && value.len() < 127);
    [&[0, name.len() as u8][..], name.as_bytes(), &[value.len() as u8], value.as_bytes()].concat()
}

/// The head's block of this stream; whatever else comes is read and forgotten, and settings are acknowledged.
fn head(stream: &mut TcpStream, id: u32) -> Vec<u8> {
    let (mut block, mut has_ended) = (Vec::new(), false);
    loop {
        let mut nine = [0; 9];
        stream.read_exact(&mut nine).expect("an answer");
        let mut payload = vec![0; u32::from_be_bytes([0, nine[0], nine[1], nine[2]]) as usize];
        stream.read_exact(&mut payload).unwrap();
        let (kind, flags) = (nine[3], nine[4]);
        let is_ours = u32::from_be_bytes([nine[5], nine[6], nine[7], nine[8]]) == id;
        match kind {
            SETTINGS if flags & 1 == 0 => stream.write_all(&frame(SETTINGS, 1, 0, b"")).unwrap(),
            HEADERS | CONTINUATION if is_ours => block.extend(payload),
            _ => {}
        }
        has_ended |= is_ours && kind != CONTINUATION && flags & END_STREAM != 0;
        if has_ended {
            return block;
        }
    }
}

/// The bytes of each field of a block; a change of the table's size counts with the field behind it.
fn lengths(block: &[u8]) -> Vec<usize> {
    let (mut found, mut at, mut from) = (Vec::new(), 0, 0);
    while at < block.len() {
        let byte = block[at];
        let (prefix, is_literal) = match byte {
            0x80.. => (7, false),
            0x40.. => (6, true),
            0x20.. => (5, false),
            _ => (4, true),
        };
        let index = integer(block, &mut at, prefix);
        if is_literal {
            let strings = if index == 0 { 2 } else { 1 };
            for _ in 0..strings {
                let length = integer(block, &mut at, 7);
                at += length;
            }
        }
        if byte & 0xe0 != 0x20 {
            found.push(at - from);
            from = at;
        }
    }
    found
}

/// 5.1
fn integer(block: &[u8], at: &mut usize, prefix: u32) -> usize {
    let most = (1usize << prefix) - 1;
    let mut n = usize::from(block[*at]) & most;
    *at += 1;
    if n == most {
        for shift in (0..).step_by(7) {
            let byte = usize::from(block[*at]);
            *at += 1;
            n += (byte & 127) << shift;
            if byte & 128 == 0 {
                break;
            }
        }
    }
    n
}
