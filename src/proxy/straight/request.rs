//! A plain request's head as it goes to an origin, by the rules of [`forward`](super::super::forward), written from the lines
//! as they were read: no map is made of them. What would take more than a look is not written. httparse takes no name and no value that
//! a map would not (a test holds it to that).

use std::io::{self, Write};
use std::net::IpAddr;

use super::super::forward;
use super::super::upstream::{HostOut, Plan};

/// A GET or HEAD of HTTP/1.1 in origin form, without a body, an upgrade or an expectation.
#[derive(Clone, Copy)]
pub struct Read<'r> {
    pub is_head: bool,
    /// Path and query, of characters that every parser takes as they are.
    pub path: &'r str,
    pub query: Option<&'r str>,
    /// As it was sent; a host that may stand in a target.
    pub host: &'r str,
    pub is_secure: bool,
    pub fields: &'r [httparse::Header<'r>],
    pub client: IpAddr,
}

/// The head; `None` where [`forward`](super::super::forward) has to be asked. `tells_host`: an origin may be told for which host it was
/// asked, whatever it writes into its pages. `own`: our name in `Via`.
pub fn write(asked: &Read, plan: &Plan, tells_host: bool, own: &str) -> Option<Vec<u8>> {
    let length: usize = asked.fields.iter().map(|field| field.name.len() + field.value.len() + 4).sum();
    let mut out = Vec::with_capacity(length + asked.path.len() + asked.query.map_or(0, str::len) + MORE_BYTES);
    out.extend_from_slice(if asked.is_head { b"HEAD " } else { b"GET " });
    out.extend_from_slice(asked.path.as_bytes());
    if let Some(query) = asked.query {
        out.push(b'?');
        out.extend_from_slice(query.as_bytes());
    }
    out.extend_from_slice(b" HTTP/1.1\r\nhost: ");
    let host = match &plan.host {
        HostOut::Named(name) => name,
        HostOut::Client => asked.host,
    };
    // Whatever else it is written with, somebody else judges.
    if !host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte)) {
        return None;
    }
    push_lower(host.as_bytes(), &mut out);
    out.extend_from_slice(b"\r\n");
    let mut has_cookie = false;
    for field in asked.fields {
        let from = out.len();
        push_lower(field.name.as_bytes(), &mut out);
        let name = &out[from..];
        match name {
            // What others have said of their way is read as a list.
            b"via" => return None,
            // In one line they are somebody else's work.
            b"cookie" if std::mem::replace(&mut has_cookie, true) => return None,
            _ if forward::is_dropped(name) => {
                out.truncate(from);
                continue;
            }
            _ => {}
        }
        out.extend_from_slice(b": ");
        out.extend_from_slice(field.value);
        out.extend_from_slice(b"\r\n");
    }
    write_own(asked, plan, tells_host, own, &mut out).ok()?;
    Some(out)
}

/// Room for what is said of this hop.
const MORE_BYTES: usize = 256;
/// Of an address in text: IPv6 with an IPv4 address in it has 45.
const ADDRESS_BYTES: usize = 48;

/// Fields of our own, and the empty line.
fn write_own(asked: &Read, plan: &Plan, tells_host: bool, own: &str, out: &mut Vec<u8>) -> io::Result<()> {
    let mut push = |parts: &[&[u8]]| parts.iter().for_each(|part| out.extend_from_slice(part));
    let mut room = [0; ADDRESS_BYTES];
    let mut rest = &mut room[..];
    write!(rest, "{}", asked.client)?;
    let left = rest.len();
    let client = &room[..ADDRESS_BYTES - left];
    let scheme: &[u8] = if asked.is_secure { b"https" } else { b"http" };
    push(&[b"via: 1.1 ", own.as_bytes(), b"\r\n"]);
    if plan.forwarded {
        let (begin, end): (&[u8], &[u8]) = if asked.client.is_ipv6() { (b"\"[", b"]\"") } else { (b"", b"") };
        push(&[b"forwarded: for=", begin, client, end, b";proto=", scheme, b"\r\n"]);
    }
    if plan.x_forwarded {
        push(&[b"x-forwarded-for: ", client, b"\r\nx-forwarded-proto: ", scheme, b"\r\n"]);
    }
    if plan.x_forwarded && tells_host {
        push(&[b"x-forwarded-host: ", asked.host.as_bytes(), b"\r\n"]);
    }
    push(&[b"\r\n"]);
    Ok(())
}

/// In lower case.
pub fn push_lower(text: &[u8], out: &mut Vec<u8>) {
    let from = out.len();
    out.extend_from_slice(text);
    out[from..].make_ascii_lowercase();
}

#[cfg(test)]
mod tests {
    use http::header::{HeaderName, HeaderValue};

    #[test]
    fn what_is_read_is_what_a_map_would_take() {
        for byte in 0..=u8::MAX {
            let is_read = |name: &[u8], value: &[u8]| {
                let mut room = [httparse::EMPTY_HEADER; 2];
                let head = [name, b":", value, b"\r\n\r\n"].concat();
                let read = httparse::parse_headers(&head, &mut room).is_ok_and(|read| read.is_complete());
                let mut room = [httparse::EMPTY_HEADER; 2];
                let whole = [b"HTTP/1.1 200 OK\r\n", &head[..]].concat();
                read | httparse::Response::new(&mut room).parse(&whole).is_ok_and(|read| read.is_complete())
            };
            let text = [b'a', byte, b'b'];
            // An end of the line makes two of it.
            if !b"\r\n:".contains(&byte) {
                assert!(!is_read(&text, b"x") || HeaderName::from_bytes(&text).is_ok(), "{byte}");
                assert!(!is_read(b"a", &text) || HeaderValue::from_bytes(&text).is_ok(), "{byte}");
            }
        }
    }
}
