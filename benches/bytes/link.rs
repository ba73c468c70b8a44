//! Readers that a shaped link carries for real: nginx and difusor, the same files, one corte after the one before.

use std::collections::HashMap;
use std::io::Read;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use base64ct::{Base64, Encoding};
use bytes::Bytes;
use difusor::base::clock::Monotonic;
use difusor::base::digest::Digest;
use difusor::snapshot::{Coding, Content, Level, decode, media};
use h2::client::SendRequest;
use http::Request;

use crate::coded::versions;
use crate::heads::Heads;
use crate::material::Material;
use crate::nginx::Nginx;
use crate::night::{TAKEN, Takes, WITH_DICTIONARIES};
use crate::served::Served;
use crate::shaped::{Link, MBIT};

/// Connections, each of which has had an answer for every file; readers come on them one after the other, as soon as there is room.
const CONNECTIONS: usize = 40;
/// How long each server is read from.
const TIME: Duration = Duration::from_secs(10);
/// When nginx's files were made: 2 June 2019.
const STAMP_S: u64 = 1_559_500_000;
const PATIENCE: Duration = Duration::from_secs(100);

pub fn print(material: &Material, heads: &Heads) {
    println!("\n## Readers that a shaped link of {MBIT} Mbit/s carries\n");
    let link = match Link::new() {
        Ok(link) => link,
        Err(why) => return println!("Skipped: {why}. It takes root, iproute2, veth and tbf."),
    };
    let Some(nginx) = Nginx::start_at(link.server().into(), &link.through()) else {
        return println!("Skipped: no nginx here (Debian package nginx-light).");
    };
    let n = material.cortes.len() / 2;
    println!(
        "Corte {} of Quintana Roo 2019 after the one before; over HTTP/2 in clear on {CONNECTIONS} connections, {} s each. A reader is counted when all of",
        n + 1,
        TIME.as_secs()
    );
    println!(
        "the five files were there and right; {:.0} % know dictionaries, and all had the corte before. Everything that the wire carries counts.\n",
        100.0 * WITH_DICTIONARIES
    );
    let pair = Pair::of(material, n);
    let mut found = Vec::new();
    for (what, door) in [("nginx, brotli 11", nginx.doors.coded[1]), ("nginx, as Debian has it", nginx.doors.stock[1])]
    {
        pair.before.iter().for_each(|(path, body)| put(&nginx, path, body, STAMP_S));
        let turn = || pair.after.iter().for_each(|(path, body)| put(&nginx, path, body, STAMP_S + 600));
        found.push((what, link.far(|| read(door, &pair, turn))));
        nginx.clear();
    }
    let served = Served::start((link.server(), 0).into(), &link.through());
    let address = served.address;
    let deliver = |served: &Served, n: usize| {
        served.deliver(n, &material.cortes[n]);
        served.line("differences from earlier cortes are ready", PATIENCE);
    };
    deliver(&served, n - 1);
    let turn = move || {
        deliver(&served, n);
        served
    };
    found.push(("difusor", link.far(|| read(address, &pair, turn))));
    let ours = found[2].1;
    let [coded, _, stock] = simulated(material, heads, n);
    println!("| server | readers | times as many, here | by the sizes |\n| --- | ---: | ---: | ---: |");
    for ((what, readers), by_sizes) in found[..2].iter().zip([coded, stock]) {
        println!("| {what} | {readers} | {:.2} | {by_sizes:.2} |", ours as f64 / *readers as f64);
    }
    println!("| difusor | {ours} | | |");
}

/// How many times as many this corte's sizes and heads promise.
fn simulated(material: &Material, heads: &Heads, n: usize) -> [f64; 3] {
    let mut takes = Takes::new(2);
    for path in TAKEN {
        let (sizes, _) = versions(path, &material.versions_of(path)[n - 1..=n]);
        takes.add(path, &sizes, &heads.ours[1], &heads.theirs[1]);
    }
    let (nginx, ours) = takes.mean(1..2);
    nginx.map(|bytes| bytes / ours)
}

/// A corte and the one before, of the files that readers take.
struct Pair {
    before: Vec<(&'static str, Bytes)>,
    after: Vec<(&'static str, Bytes)>,
}

impl Pair {
    fn of(material: &Material, n: usize) -> Pair {
        let of = |n: usize| TAKEN.map(|path| (path, material.versions_of(path)[n].clone())).into();
        Pair { before: of(n - 1), after: of(n) }
    }
}

fn put(nginx: &Nginx, path: &str, body: &Bytes, stamp_s: u64) {
    let content = Content::new(body.clone(), Digest::of(body), media::of(path), Level::Best);
    let coded = [("br", Coding::Br), ("gz", Coding::Gzip)];
    let beside = coded.iter().filter_map(|(end, coding)| Some((*end, &content.get(*coding)?.body[..])));
    nginx.put(path, body, &beside.collect::<Vec<_>>(), stamp_s);
}

/// What a reader has of each file: its entity tag and its bytes.
type Kept = Vec<(String, Bytes)>;

/// The files of a corte as they should come, and bodies that were found to be so.
struct Proof<'p> {
    authority: String,
    files: &'p [(&'static str, Bytes)],
    proven: Mutex<HashMap<(usize, String), Bytes>>,
}

impl Proof<'_> {
    /// One reader takes all files at once; `None` where something did not come, or was not right.
    async fn visit(&self, sender: &SendRequest<Bytes>, kept: Option<&Kept>, knows: bool) -> Option<Kept> {
        let mut coming = Vec::new();
        for (n, (path, _)) in self.files.iter().enumerate() {
            // By a name of this machine, so that dictionaries count without TLS (RFC 9842, section 8).
            let mut request = Request::builder().uri(format!("http://{}/{path}", self.authority));
            let codings = if knows { "gzip, deflate, br, zstd, dcb, dcz" } else { "gzip, deflate, br, zstd" };
            request = request.header("accept-encoding", codings);
            if let Some((etag, had)) = kept.map(|kept| &kept[n]) {
                request = request.header("if-none-match", etag);
                if knows {
                    let hash = Base64::encode_string(Digest::of(had).as_bytes());
                    request = request.header("available-dictionary", format!(":{hash}:"));
                }
            }
            let mut sender = sender.clone().ready().await.ok()?;
            coming.push(sender.send_request(request.body(()).ok()?, true).ok()?.0);
        }
        let mut all = Vec::new();
        for (n, answer) in coming.into_iter().enumerate() {
            let (head, mut stream) = answer.await.ok()?.into_parts();
            let field = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
            let had = kept.map(|kept| &kept[n].1);
            let mut body = Vec::new();
            while let Some(piece) = stream.data().await {
                let piece = piece.ok()?;
                stream.flow_control().release_capacity(piece.len()).ok()?;
                body.extend_from_slice(&piece);
            }
            let is_right = match head.status.as_u16() {
                200 => self.is_right(n, field("content-encoding"), body.into(), had),
                304 => had == Some(&self.files[n].1),
                _ => false,
            };
            if !is_right {
                eprintln!("{} {}: not what it should be", head.status, self.files[n].0);
                return None;
            }
            all.push((field("etag").to_owned(), self.files[n].1.clone()));
        }
        Some(all)
    }

    fn is_right(&self, n: usize, coding: &str, body: Bytes, had: Option<&Bytes>) -> bool {
        let mut proven = self.proven.lock().unwrap();
        let known = proven.entry((n, coding.to_owned())).or_default();
        if *known == body {
            return true;
        }
        let expected = &self.files[n].1;
        let difference = |coding| decode(&body, coding, had.map_or(b"", |had| had), expected.len());
        let decoded = match coding {
            "" => Some(body.to_vec()),
            "gzip" => whole(flate2::read::GzDecoder::new(&body[..])),
            "br" => whole(brotli::Decompressor::new(&body[..], 4096)),
            "zstd" => zstd::decode_all(&body[..]).ok(),
            "dcb" => difference(Coding::Dcb),
            "dcz" => difference(Coding::Dcz),
            _ => None,
        };
        *known = body.clone();
        decoded.is_some_and(|decoded| decoded == *expected)
    }
}

fn whole(mut decoder: impl Read) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    decoder.read_to_end(&mut out).ok()?;
    Some(out)
}

/// Reads the corte before, lets the next one come, and counts readers who are served whole. What `turn` returns is kept meanwhile.
fn read<T>(address: SocketAddr, pair: &Pair, turn: impl FnOnce() -> T) -> u64 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let proof = |files| Proof { authority: format!("localhost:{}", address.port()), files, proven: Mutex::default() };
    let (before, after) = (proof(&pair.before), proof(&pair.after));
    runtime.block_on(async {
        let connect = async || {
            let stream = tokio::net::TcpStream::connect(address).await.unwrap();
            stream.set_nodelay(true).unwrap();
            let (sender, connection) = h2::client::handshake(stream).await.unwrap();
            tokio::spawn(async { drop(connection.await) });
            sender
        };
        let kept = before.visit(&connect().await, None, true).await.expect("the corte before");
        let _running = turn();
        let mut senders = Vec::new();
        for _ in 0..CONNECTIONS {
            let sender = connect().await;
            // Who keeps a connection has had such answers on it.
            after.visit(&sender, None, true).await.expect("the corte");
            senders.push(sender);
        }
        let (started, came, served) = (Monotonic::now(), AtomicU64::new(0), AtomicU64::new(0));
        let on_one = |sender: SendRequest<Bytes>| async {
            let sender = sender;
            while started.elapsed() < TIME {
                let knows = (came.fetch_add(1, Ordering::Relaxed) % 10) as f64 / 10.0 < WITH_DICTIONARIES;
                let is_whole = after.visit(&sender, Some(&kept), knows).await.is_some();
                served.fetch_add(u64::from(is_whole && started.elapsed() < TIME), Ordering::Relaxed);
            }
        };
        all(senders.into_iter().map(on_one)).await;
        served.into_inner()
    })
}

/// Waits for all of them; borrowed, so they are no tasks.
async fn all<F: Future<Output = ()>>(futures: impl Iterator<Item = F>) {
    let mut futures: Vec<_> = futures.map(Box::pin).collect();
    std::future::poll_fn(|cx| {
        futures.retain_mut(|future| future.as_mut().poll(cx).is_pending());
        if futures.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}
