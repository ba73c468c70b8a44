//! The other end of the socket: one request, one answer, within a bounded time. For the verbs on the same machine.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The longest answer: metrics of many sources take 100 KB.
const ANSWER_MAX_BYTES: u64 = 4 << 20;
/// Fields of an answer's head; ours has ten.
const FIELDS_MAX: usize = 32;

/// What came back.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
}

/// Why nothing came back.
#[derive(Debug, thiserror::Error)]
pub enum AskFault {
    #[error("{}: nobody listens there; is the service running, and is `state` the same?", .0.display())]
    Nobody(PathBuf),
    #[error("{}: this user may not open it; ask as root, or as the service's user", .0.display())]
    NotAllowed(PathBuf),
    #[error("{}: no answer in time; the service is busy or hangs, its log says more", .0.display())]
    TooLate(PathBuf),
    #[error("{}: {error}", path.display())]
    Broken { path: PathBuf, error: io::Error },
    #[error("{}: what came back is no answer of difusor; who listens there?", .0.display())]
    Garbled(PathBuf),
}

/// Asks once. `patience` is for each step: to be heard, and to hear.
pub fn ask(socket: &Path, method: &str, target: &str, body: &str, patience: Duration) -> Result<Answer, AskFault> {
    let fault = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => AskFault::Nobody(socket.to_owned()),
        io::ErrorKind::PermissionDenied => AskFault::NotAllowed(socket.to_owned()),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => AskFault::TooLate(socket.to_owned()),
        _ => AskFault::Broken { path: socket.to_owned(), error },
    };
    let answer = exchange(socket, method, target, body, patience).map_err(fault)?;
    parse(&answer).ok_or_else(|| AskFault::Garbled(socket.to_owned()))
}

fn exchange(socket: &Path, method: &str, target: &str, body: &str, patience: Duration) -> io::Result<Vec<u8>> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(patience))?;
    let len = body.len();
    let head =
        format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {len}\r\n\r\n");
    stream.write_all(&[head.as_bytes(), body.as_bytes()].concat())?;
    let mut answer = Vec::new();
    stream.take(ANSWER_MAX_BYTES).read_to_end(&mut answer)?;
    Ok(answer)
}

/// Reads an answer that ends with its connection.
pub fn parse(bytes: &[u8]) -> Option<Answer> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut head = httparse::Response::new(&mut fields);
    let Ok(httparse::Status::Complete(end)) = head.parse(bytes) else { return None };
    let status = head.code?;
    let length = head.headers.iter().find(|field| field.name.eq_ignore_ascii_case("content-length"));
    let length = length.map(|field| str::from_utf8(field.value).ok()?.trim().parse::<usize>().ok());
    let body = bytes.get(end..)?;
    match length {
        // Cut short.
        Some(length) => Some(Answer { status, body: body.get(..length?)?.to_vec() }),
        None => Some(Answer { status, body: body.to_vec() }),
    }
}

impl Answer {
    /// A text member of a JSON body: `sentence`, `title`, `detail`.
    pub fn text(&self, member: &str) -> Option<String> {
        let value: serde_json::Value = serde_json::from_slice(&self.body).ok()?;
        Some(value.get(member)?.as_str()?.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn answers_are_read_whole_or_not_at_all() {
        let whole = b"HTTP/1.1 409 Conflict\r\ncontent-length: 13\r\n\r\n{\"title\":\"x\"}";
        let answer = parse(whole).unwrap();
        assert_eq!((answer.status, answer.text("title").as_deref(), answer.text("detail")), (409, Some("x"), None));
        for end in 0..whole.len() {
            assert_eq!(parse(&whole[..end]), None, "{end}");
        }
        assert_eq!(parse(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap().body, b"");
        assert_eq!(parse(b"SSH-2.0-OpenSSH_9.6\r\n"), None);
    }

    #[test]
    fn nobody_at_home_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        let asked = || ask(&path, "POST", "/notify", "", Duration::from_millis(50));
        assert!(matches!(asked(), Err(AskFault::Nobody(_))));
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        // It is heard by nobody who answers.
        assert!(matches!(asked(), Err(AskFault::TooLate(_))));
        drop(listener);
        assert!(matches!(asked(), Err(AskFault::Nobody(_))));
    }

    proptest! {
        #[test]
        fn never_panics(bytes: Vec<u8>) {
            let _ = parse(&bytes);
            let _ = parse(&[b"HTTP/1.1 200 OK\r\n", &bytes[..]].concat());
        }
    }
}
