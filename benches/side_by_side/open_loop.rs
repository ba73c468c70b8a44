//! A client that asks at a steady rate, whatever comes back, as a crowd does: what has to wait is counted from when it was due. It has
//! a core of its own and never sleeps, so that no timer adds to what it measures.

use std::collections::{BTreeSet, VecDeque};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::Fault;

#[derive(clap::Args)]
pub struct Args {
    #[arg(long)]
    pub address: SocketAddr,
    /// Paths without a slash in front, asked for in turn
    #[arg(long, value_delimiter = ',')]
    pub paths: Vec<String>,
    #[arg(long)]
    pub per_second: u32,
    #[arg(long)]
    pub seconds: u32,
    #[arg(long, default_value_t = 64)]
    pub connections: usize,
}

/// What came of it, printed as one line of JSON. Times in microseconds.
#[derive(Serialize, Deserialize)]
pub struct Seen {
    pub requests: u64,
    pub p50_us: u64,
    pub p99_us: u64,
    pub p999_us: u64,
    pub max_us: u64,
    /// Different cortes.
    pub cortes: usize,
}

/// The longest that is told apart.
const LONGEST_US: u64 = 60_000_000;
/// Read at once.
const ROOM_BYTES: usize = 64 << 10;
/// For the answers that are under way when the time is over.
const GRACE: Duration = Duration::from_secs(5);

struct Connection {
    stream: TcpStream,
    due: Instant,
    head: Vec<u8>,
    /// Bytes of the body that are still to come, once the head is there.
    left: Option<usize>,
}

pub fn run(args: &Args) -> Result<(), Fault> {
    let request = |path: &String| format!("GET /{path} HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n\r\n");
    let requests: Vec<String> = args.paths.iter().map(request).collect();
    let (mut idle, mut busy) = (Vec::new(), VecDeque::new());
    for _ in 0..args.connections {
        let stream = TcpStream::connect(args.address)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        idle.push(Connection { stream, due: Instant::now(), head: Vec::new(), left: None });
    }
    let mut times = Histogram::<u64>::new_with_bounds(1, LONGEST_US, 3)?;
    let (mut cortes, mut room) = (BTreeSet::new(), vec![0; ROOM_BYTES]);
    let gap = Duration::from_secs(1) / args.per_second;
    let (begin, all) = (Instant::now(), u64::from(args.per_second) * u64::from(args.seconds));
    let last = begin + Duration::from_secs(args.seconds.into()) + GRACE;
    let (mut asked, mut answered, mut due) = (0_u64, 0_u64, begin);
    while answered < all {
        let now = Instant::now();
        if now > last {
            return Err(format!("{} of {all} answers are missing {GRACE:?} after the end", all - answered).into());
        }
        while asked < all
            && due <= now
            && let Some(mut connection) = idle.pop()
        {
            connection.due = due;
            // So little always fits.
            connection.stream.write_all(requests[asked as usize % requests.len()].as_bytes())?;
            (asked, due) = (asked + 1, due + gap);
            busy.push_back(connection);
        }
        for _ in 0..busy.len() {
            let Some(mut connection) = busy.pop_front() else { break };
            if connection.is_answered(&mut room, &mut cortes)? {
                times.saturating_record(u64::try_from(connection.due.elapsed().as_micros())?.max(1));
                answered += 1;
                idle.push(connection);
            } else {
                busy.push_back(connection);
            }
        }
    }
    let at = |part| times.value_at_quantile(part);
    let seen = Seen {
        requests: answered,
        p50_us: at(0.5),
        p99_us: at(0.99),
        p999_us: at(0.999),
        max_us: times.max(),
        cortes: cortes.len(),
    };
    println!("{}", serde_json::to_string(&seen)?);
    Ok(())
}

impl Connection {
    /// Reads what has come; true once that is all of an answer.
    fn is_answered(&mut self, room: &mut [u8], cortes: &mut BTreeSet<Vec<u8>>) -> Result<bool, Fault> {
        let came = match self.stream.read(room) {
            Ok(0) => return Err("the server ended a connection".into()),
            Ok(came) => came,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        let left = match self.left {
            Some(left) => left.checked_sub(came),
            None => {
                self.head.extend_from_slice(&room[..came]);
                let Some(end) = self.head.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(false) };
                let (length, corte) = read(&self.head[..end + 2])?;
                if !cortes.contains(corte) {
                    cortes.insert(corte.to_vec());
                }
                let behind = self.head.len() - end - 4;
                self.head.clear();
                length.checked_sub(behind)
            }
        };
        self.left = Some(left.ok_or("more bytes than the answer has")?).filter(|left| *left > 0);
        Ok(self.left.is_none())
    }
}

/// The length of the body of a 200, and the corte that it is of.
fn read(head: &[u8]) -> Result<(usize, &[u8]), Fault> {
    let mut lines = head.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let first = lines.next().unwrap_or_default();
    if !first.starts_with(b"HTTP/1.1 200") {
        return Err(format!("no 200, but {}", String::from_utf8_lossy(first)).into());
    }
    let (mut length, mut corte) = (None, &b""[..]);
    for line in lines {
        let Some(at) = line.iter().position(|byte| *byte == b':') else { continue };
        let (name, value) = (&line[..at], line[at + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"content-length") {
            length = std::str::from_utf8(value)?.parse().ok();
        } else if name.eq_ignore_ascii_case(b"corte") {
            corte = value;
        }
    }
    Ok((length.ok_or("no length")?, corte))
}
