//! The operators' side with an operator who answers as the test wants, on a disk in memory.

use std::io::{BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use difusor::admin::push::{Destination, Push};
use difusor::admin::{Admin, Company, Desk, Https, Parcel, Settings, socket_path, tokens};
use difusor::base::clock::Clock;
use difusor::base::digest::Digest;
use difusor::base::digests;
use difusor::base::disk::{At, Disk, Twin};
use difusor::http::tls::CertificateFiles;
use difusor::ingest::{Arrival, Outcome, Wish, WishFault};
use difusor::record::{Incident, Journal, Metrics};
use difusor::snapshot::Live;
use tokio::sync::oneshot;

use crate::common::server::{DEADLINE, until};
use crate::common::wire::Response;

const LIMIT: u64 = 1 << 20;
/// Bytes of the disk that stay free.
const RESERVE: u64 = 1 << 20;

/// What the operator was asked, and where the answer goes.
enum Asked {
    Notified,
    Delivered(Arrival, oneshot::Sender<Outcome>),
    Wished(Wish, oneshot::Sender<Result<String, WishFault>>),
}

struct Fake(Mutex<Sender<Asked>>);

impl Desk for Fake {
    fn notify(&self) {
        self.0.lock().unwrap().send(Asked::Notified).unwrap();
    }

    fn deliver(&self, arrival: Arrival) -> oneshot::Receiver<Outcome> {
        let (reply, answer) = oneshot::channel();
        // An operator who is gone drops the answer's sender.
        let _ = self.0.lock().unwrap().send(Asked::Delivered(arrival, reply));
        answer
    }

    fn wish(&self, wish: Wish) -> oneshot::Receiver<Result<String, WishFault>> {
        let (reply, answer) = oneshot::channel();
        let _ = self.0.lock().unwrap().send(Asked::Wished(wish, reply));
        answer
    }
}

struct Room {
    dir: tempfile::TempDir,
    admin: Admin,
    asked: Receiver<Asked>,
    journal: Arc<Journal>,
    metrics: Arc<Metrics>,
    disk: Disk,
    twin: Twin,
}

fn room() -> Room {
    furnished(|_, _| None)
}

/// A room whose folder is prepared first.
fn furnished(prepare: impl FnOnce(&Path, &Disk) -> Option<Https>) -> Room {
    let dir = tempfile::tempdir().unwrap();
    let (disk, twin) = Disk::twin();
    disk.make_folder(dir.path()).unwrap();
    let https = prepare(dir.path(), &disk);
    let (send, asked) = channel();
    let (clock, _) = Clock::scripted("2026-06-08T02:12:00Z".parse().unwrap());
    let metrics = Arc::new(Metrics::new());
    let journal = Arc::new(Journal::new(disk.clone(), dir.path(), clock.clone(), metrics.clone()));
    let company = Company {
        desk: Arc::new(Fake(Mutex::new(send))),
        live: Arc::new(Live::default()),
        journal: journal.clone(),
        metrics: metrics.clone(),
        clock,
        disk: disk.clone(),
        corridor: None,
    };
    let settings = Settings { state: dir.path().to_owned(), package_bytes: LIMIT, reserve: RESERVE, https };
    let admin = Admin::start(&settings, company).unwrap();
    Room { dir, admin, asked, journal, metrics, disk, twin }
}

/// A connection to the socket.
struct Client(BufReader<UnixStream>);

impl Client {
    fn say(&mut self, bytes: impl AsRef<[u8]>) -> &mut Client {
        let _ = self.0.get_mut().write_all(bytes.as_ref());
        self
    }

    fn hear(&mut self) -> Response {
        Response::read(&mut self.0, false).expect("an answer")
    }
}

impl Room {
    fn client(&self) -> Client {
        let stream = UnixStream::connect(socket_path(self.dir.path()).unwrap()).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        Client(BufReader::new(stream))
    }

    /// A client that has sent a whole package, and has no answer yet.
    fn put(&self, name: &str, fields: &str, body: &[u8]) -> Client {
        let mut client = self.client();
        let length = body.len();
        client.say(format!("PUT /packages/{name} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n{fields}\r\n"));
        client.say(body);
        client
    }

    fn post(&self, path: &str, body: &str) -> Client {
        let mut client = self.client();
        let length = body.len();
        client.say(format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}"));
        client
    }

    fn get(&self, path: &str) -> Response {
        self.client().say(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")).hear()
    }

    fn delivered(&self) -> (Arrival, oneshot::Sender<Outcome>) {
        match self.asked.recv_timeout(DEADLINE) {
            Ok(Asked::Delivered(arrival, reply)) => (arrival, reply),
            _ => panic!("nothing was delivered"),
        }
    }

    fn staged(&self) -> Vec<String> {
        let folder = self.disk.folder(&self.dir.path().join("staging")).unwrap();
        folder.names().unwrap().into_iter().map(|(name, _)| name).collect()
    }

    fn has_nothing_staged(&self) {
        until(|| self.staged().is_empty().then_some(())).unwrap_or_else(|| panic!("{:?}", self.staged()));
    }

    /// Waits for an incident under this code.
    fn noted(&self, code: &str) -> Incident {
        let found = until(|| self.journal.latest(99).into_iter().find(|incident| incident.code == code));
        found.unwrap_or_else(|| panic!("no {code} in {:?}", self.journal.latest(99)))
    }
}

fn json(response: &Response) -> serde_json::Value {
    serde_json::from_slice(&response.body).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&response.body)))
}

#[test]
fn a_package_is_handed_over_whole_and_its_sender_hears_the_verdict() {
    let room = room();
    let corte = "20260607_2010".parse().unwrap();
    let refused =
        |heals| Outcome::Refused { code: "P063", why: "sitio/a: its SHA-256 is 00, expected 11".into(), heals };
    let cases = [
        (Outcome::Live { corte }, 201, "live"),
        (Outcome::Held { corte }, 202, "held"),
        (Outcome::Same { corte }, 200, "same"),
        (refused(false), 422, ""),
        (refused(true), 422, ""),
    ];
    for (n, (outcome, status, word)) in cases.into_iter().enumerate() {
        let body = vec![n as u8; 300_000];
        let digest =
            format!("Content-Digest: {}\r\nRepr-Digest: sha-512=:AA==:\r\n", digests::value(&Digest::of(&body)));
        let mut client = room.put("20260607_2010.tar.zst", &digest, &body);
        let (arrival, reply) = room.delivered();
        assert_eq!(arrival.name, "20260607_2010.tar.zst");
        assert_eq!(arrival.source, format!("push uid {}", rustix::process::getuid().as_raw()));
        assert!(arrival.path.starts_with(room.dir.path().join("staging")));
        let name = arrival.path.file_name().unwrap().to_str().unwrap();
        assert!(name.ends_with(".tar.zst") && !name.starts_with('.'), "{name}");
        assert_eq!(room.disk.read(&arrival.path, 1 << 20).unwrap(), body);
        room.disk.remove(&arrival.path).unwrap();
        reply.send(outcome.clone()).unwrap();
        let response = client.hear();
        assert_eq!(response.status, status, "{}", response.head);
        assert_eq!(response.field("cache-control"), Some("no-store"));
        assert!(response.field("content-security-policy").unwrap().contains("frame-ancestors 'none'"));
        let told = json(&response);
        if let Outcome::Refused { code, why, heals } = outcome {
            assert_eq!(response.field("content-type"), Some("application/problem+json"));
            assert_eq!((&told["code"], &told["detail"], &told["heals"]), (&code.into(), &why.into(), &heals.into()));
            assert_eq!(told["title"], "Un archivo del paquete llegó distinto o cortado");
        } else {
            assert_eq!((&told["outcome"], &told["corte"]), (&word.into(), &"20260607_2010".into()));
        }
    }
    room.has_nothing_staged();
    let metrics = room.get("/metrics");
    assert_eq!(metrics.field("content-type"), Some(Metrics::MEDIA_TYPE));
    let text = String::from_utf8(metrics.body).unwrap();
    assert!(text.contains("difusor_uploads_total{status=\"422\"} 2\n"), "{text}");
    assert!(text.contains("difusor_uploads_open 0\n"), "{text}");
}

#[test]
fn what_is_faulty_is_refused_and_leaves_nothing() {
    let room = room();
    let other = format!("Content-Digest: {}\r\n", digests::value(&Digest::of(b"other")));
    for (name, fields, status) in [
        ("a.tar", other.as_str(), 400),
        ("a.tar", "Repr-Digest: sha-256=:AA==:\r\n", 400),
        ("a.tar", "Content-Range: bytes 0-3/9\r\n", 400),
        ("a.tar", "Content-Encoding: gzip\r\n", 415),
        ("a.exe", "", 415),
        (".a.tar", "", 400),
    ] {
        let response = room.put(name, fields, b"body").hear();
        assert_eq!(response.status, status, "{name} {fields}");
        assert_eq!(json(&response)["status"], status);
    }
    for (request, status) in [("GET /packages/a.tar", 405), ("POST /metrics", 405), ("GET /x", 404), ("GET /hold", 405)]
    {
        assert_eq!(
            room.client().say(format!("{request} HTTP/1.1\r\nHost: a\r\n\r\n")).hear().status,
            status,
            "{request}"
        );
    }
    room.has_nothing_staged();
    assert!(room.asked.try_recv().is_err());
    assert!(room.noted("A012").source.unwrap().starts_with("push uid "));
}

#[test]
fn too_much_is_refused_before_it_is_sent_and_while_it_is() {
    let room = room();
    let head = |fields: &str| format!("PUT /packages/a.tar HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
    // Told beforehand: not a byte has to be sent.
    let mut client = room.client();
    client.say(head(&format!("Content-Length: {}\r\nExpect: 100-continue\r\n", LIMIT + 1)));
    assert_eq!(client.hear().status, 413);
    // Not told.
    let mut client = room.client();
    client.say(head("Transfer-Encoding: chunked\r\n"));
    for _ in 0..=LIMIT / 4096 {
        client.say("1000\r\n").say([b'x'; 4096]).say("\r\n");
    }
    let response = client.hear();
    assert_eq!((response.status, response.field("connection")), (413, Some("close")));
    // Who has not noticed yet is heard out for a while: a connection that is reset would take the answer with it.
    let more = [&b"80000\r\n"[..], &[b'x'; 0x80000], b"\r\n"].concat();
    assert!(client.0.get_mut().write_all(&more).is_ok(), "more than any socket's buffer holds");
    room.has_nothing_staged();
    // Exactly as much as may be is fine; and who asks first is told to go on.
    let mut client = room.client();
    client.say(head(&format!("Content-Length: {LIMIT}\r\nExpect: 100-continue\r\n")));
    assert_eq!(client.hear().status, 100);
    client.say(vec![0; usize::try_from(LIMIT).unwrap()]);
    drop(room.delivered());
    assert_eq!(client.hear().status, 503, "an operator who is gone");
}

#[test]
fn a_full_disk_is_told_before_and_while_it_fills() {
    let room = room();
    // Asked for room, made, and then not written.
    room.twin.at(room.twin.operations() + 2, At::Fail(ErrorKind::StorageFull));
    let response = room.put("a.tar", "", &[0; 100]).hear();
    assert_eq!(response.status, 507, "{}", response.head);
    room.has_nothing_staged();
    room.twin.has_room_for(RESERVE + 99);
    let response = room.put("a.tar", "", &[0; 100]).hear();
    assert_eq!((response.status, response.field("retry-after")), (507, Some("60")));
    assert!(json(&response)["detail"].as_str().unwrap().contains("vault.reserve"));
    // Not told how much comes: what has to stay free stays free all the same.
    room.twin.has_room_for(RESERVE - 1);
    let mut client = room.client();
    client.say("PUT /packages/a.tar HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n");
    assert_eq!(client.hear().status, 507);
    assert_eq!(room.noted("A013").severity.as_str(), "critico");
}

#[test]
fn a_transfer_that_is_cut_leaves_nothing_and_is_noted() {
    let room = room();
    let mut client = room.client();
    client.say("PUT /packages/a.tar HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n").say([0; 50_000]);
    let first = until(|| room.staged().pop()).unwrap();
    assert!(first.starts_with(".push-"), "{first}");
    drop(client);
    room.has_nothing_staged();
    let noted = room.noted("A012");
    assert_eq!((noted.package.as_deref(), noted.suppressed), (Some("a.tar"), 0));
    assert!(noted.detail.starts_with("ended after 50000 bytes"), "{}", noted.detail);
    assert!(room.asked.try_recv().is_err());
}

#[test]
fn so_many_at_once_and_a_place_is_free_when_the_verdict_is_there_whoever_waits_for_it() {
    let room = room();
    let clients: Vec<_> = (0..2).map(|_| room.put("a.tar", "", b"x")).collect();
    let mut waiting: Vec<_> = (0..2).map(|_| room.delivered()).collect();
    assert_eq!(room.put("a.tar", "", b"x").hear().status, 429);
    // Those who sent them are gone, and still their packages take their places.
    drop(clients);
    assert_eq!(room.put("a.tar", "", b"x").hear().status, 429);
    let (_, reply) = waiting.pop().unwrap();
    reply.send(Outcome::Same { corte: "20260607_2010".parse().unwrap() }).unwrap();
    let freed = until(|| {
        let text = room.metrics.text();
        text.contains("difusor_uploads_open 1\n").then_some(())
    });
    freed.expect("a place is free");
    let mut client = room.put("a.tar", "", b"x");
    let (_, reply) = room.delivered();
    reply.send(Outcome::Same { corte: "20260607_2010".parse().unwrap() }).unwrap();
    assert_eq!(client.hear().status, 200);
}

#[test]
fn wishes_reach_the_operator_and_are_written_down() {
    let room = room();
    let corte = "20260607_2010".parse().unwrap();
    let reason = || "error del IEC".to_owned();
    let cases = [
        ("/rollback", Wish::Rollback { corte, seen: None, reason: reason() }, "A001"),
        ("/hold", Wish::Hold { reason: reason() }, "A002"),
        ("/release", Wish::Release { reason: reason() }, "A003"),
    ];
    for (path, expected, code) in cases {
        let corte = if path == "/rollback" { "\"corte\": \"20260607_2010\", " } else { "" };
        let mut client = room.post(path, &format!("{{{corte}\"reason\": \"error del IEC\"}}"));
        let Ok(Asked::Wished(wish, reply)) = room.asked.recv_timeout(DEADLINE) else { panic!("{path}") };
        assert_eq!(wish, expected);
        reply.send(Ok("hecho".into())).unwrap();
        let response = client.hear();
        assert_eq!((response.status, &json(&response)["sentence"]), (200, &"hecho".into()));
        let noted = room.noted(code);
        assert!(noted.detail.contains("error del IEC") && noted.source.unwrap().starts_with("uid "));
    }
    let mut client = room.post("/hold", r#"{"reason": "otra vez"}"#);
    let Ok(Asked::Wished(_, reply)) = room.asked.recv_timeout(DEADLINE) else { panic!() };
    reply.send(Err(WishFault::Refused("is held already".into()))).unwrap();
    let response = client.hear();
    assert_eq!((response.status, &json(&response)["detail"]), (409, &"is held already".into()));
    room.noted("A004");
    assert_eq!(room.post("/rollback", "{}").hear().status, 400);
    assert_eq!(room.post("/hold", &" ".repeat(20_000)).hear().status, 400);
    assert_eq!(room.post("/notify", "").hear().status, 202);
    assert!(matches!(room.asked.recv_timeout(DEADLINE), Ok(Asked::Notified)));
    let state = json(&room.get("/state"));
    assert_eq!(state["live"], serde_json::Value::Null);
    assert!(state["incidents"].as_array().unwrap().len() >= 4, "{state}");
}

/// A door with a certificate of its own, for who has the token of 32 sevens, or of 32 eights.
fn door(dir: &Path, disk: &Disk) -> Option<Https> {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    std::fs::write(dir.join("c.pem"), made.cert.pem()).unwrap();
    std::fs::write(dir.join("k.pem"), made.signing_key.serialize_pem()).unwrap();
    let line = |name, byte| tokens::make(name, &[byte; tokens::RANDOM_BYTES]).unwrap().1;
    let lines = format!("{}\n{}\n", line("redaccion", 7).trim_end(), line("otra", 8).trim_end());
    disk.create(&dir.join("tokens")).unwrap().write_all(lines.as_bytes()).unwrap();
    Some(Https {
        address: "127.0.0.1:0".parse().unwrap(),
        certificate: CertificateFiles { chain: dir.join("c.pem"), key: dir.join("k.pem") },
        client_ca: None,
        tokens: Some(dir.join("tokens")),
    })
}

fn push(room: &Room, name: &str, byte: u8) -> Push {
    let (token, _) = tokens::make(name, &[byte; tokens::RANDOM_BYTES]).unwrap();
    let destination = Destination {
        url: format!("https://{}/", room.admin.address().unwrap()),
        token: Some(token),
        certificate: None,
        authorities: Some(room.dir.path().join("c.pem")),
    };
    Push::to(&destination).unwrap()
}

/// Takes two places with the token of `otra`, until the verdicts are given.
fn hold_two(room: &Room) -> [oneshot::Sender<Outcome>; 2] {
    let push = Arc::new(push(room, "otra", 8));
    let file = room.dir.path().join("20260607_2000.tar");
    std::fs::write(&file, [5; 1000]).unwrap();
    [(); 2].map(|()| {
        let (push, mut parcel) = (push.clone(), Parcel::of(&file).unwrap());
        std::thread::spawn(move || push.send(&mut parcel, &mut |_| {}, &mut |_, _| {}));
        room.delivered().1
    })
}

#[test]
fn whoever_takes_all_his_places_leaves_those_of_the_others() {
    let room = furnished(door);
    let held = hold_two(&room);
    let file = room.dir.path().join("20260607_2010.tar");
    std::fs::write(&file, [6; 1000]).unwrap();
    let mut parcel = Parcel::of(&file).unwrap();
    let mut is_told = |why: &str, _| assert!(why.starts_with("429: "), "{why}");
    assert!(push(&room, "otra", 8).send(&mut parcel, &mut |_| {}, &mut is_told).is_err(), "a third of the same");
    let corte = "20260607_2010".parse().unwrap();
    std::thread::scope(|scope| {
        let redaccion = push(&room, "redaccion", 7);
        let sent = scope.spawn(move || redaccion.send(&mut parcel, &mut |_| {}, &mut |why, _| panic!("{why}")));
        let (arrival, reply) = room.delivered();
        assert_eq!(arrival.source, "push redaccion");
        reply.send(Outcome::Live { corte }).unwrap();
        assert_eq!(sent.join().unwrap().unwrap().outcome, "live");
    });
    held.into_iter().for_each(|reply| reply.send(Outcome::Same { corte }).unwrap());
}

#[test]
fn a_push_that_finds_no_place_is_sent_again_and_what_is_final_is_not() {
    let room = furnished(door);
    let push = push(&room, "redaccion", 7);
    let file = room.dir.path().join("20260607_2010.tar");
    std::fs::write(&file, vec![5; 200_000]).unwrap();
    let mut parcel = Parcel::of(&file).unwrap();
    let corte = "20260607_2010".parse().unwrap();
    // Two of this machine's, and two of somebody else's: whoever sent them may be gone.
    let clients: Vec<_> = (0..2).map(|_| room.put("a.tar", "", b"x")).collect();
    let mut waiting: Vec<_> = (0..2).map(|_| room.delivered().1).collect();
    waiting.extend(hold_two(&room));
    let mut waiting = waiting.into_iter();
    let (mut waits, mut last) = (0, 0);
    std::thread::scope(|scope| {
        let sent = scope.spawn(|| {
            push.send(&mut parcel, &mut |sent| last = sent, &mut |why, length| {
                assert!(why.starts_with("429: ") && length.as_secs() == 5, "{why} {length:?}");
                waits += 1;
                // On the second time there is a place.
                if waits == 2 {
                    let reply = waiting.next().unwrap();
                    reply.send(Outcome::Same { corte }).unwrap();
                    let text = || room.metrics.text().contains("difusor_uploads_open 3\n").then_some(());
                    until(text).expect("a place is free");
                }
            })
        });
        let (arrival, reply) = room.delivered();
        assert_eq!((arrival.name.as_str(), arrival.source.as_str()), ("20260607_2010.tar", "push redaccion"));
        assert_eq!(room.disk.read(&arrival.path, LIMIT).unwrap(), vec![5; 200_000]);
        reply.send(Outcome::Held { corte }).unwrap();
        let verdict = sent.join().unwrap().unwrap();
        assert_eq!((verdict.outcome.as_str(), verdict.corte.as_str()), ("held", "20260607_2010"));
    });
    assert_eq!((waits, last), (2, 200_000));
    waiting.for_each(|reply| reply.send(Outcome::Same { corte }).unwrap());
    drop(clients);
    until(|| room.metrics.text().contains("difusor_uploads_open 0\n").then_some(())).expect("all places are free");
    std::thread::scope(|scope| {
        let sent = scope.spawn(|| push.send(&mut parcel, &mut |_| {}, &mut |why, _| panic!("{why}")));
        let (_, reply) = room.delivered();
        reply.send(Outcome::Refused { code: "P081", why: "not later".into(), heals: false }).unwrap();
        let fault = sent.join().unwrap().unwrap_err().to_string();
        assert_eq!(fault, "P081: not later");
    });
}

#[test]
fn a_server_that_is_not_believed_is_told_at_once_with_what_to_check() {
    let room = furnished(door);
    let other = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let authorities = room.dir.path().join("other.pem");
    std::fs::write(&authorities, other.cert.pem()).unwrap();
    let url = format!("https://{}/", room.admin.address().unwrap());
    let token = Some("x".to_owned());
    let push = Push::to(&Destination { url, token, certificate: None, authorities: Some(authorities) }).unwrap();
    let file = room.dir.path().join("20260607_2010.tar");
    std::fs::write(&file, "x").unwrap();
    let sent = push.send(&mut Parcel::of(&file).unwrap(), &mut |_| {}, &mut |why, _| panic!("tried again: {why}"));
    let why = sent.unwrap_err().to_string();
    assert!(why.starts_with("not delivered: TLS: invalid peer certificate") && why.contains("--ca"), "{why}");
}

#[test]
fn one_address_cannot_take_all_places_at_the_door() {
    let room = furnished(door);
    let address = room.admin.address().unwrap();
    let come = |from: &str| {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::new(from.parse().unwrap(), 0).into()).unwrap();
        socket.connect(&address.into()).unwrap();
        let stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream
    };
    // Whoever is let in hears that this is no TLS.
    let is_let_in = |from: &str| {
        let mut stream = come(from);
        let _ = stream.write_all(b"GET / HTTP/1.1\r\n\r\n");
        stream.read(&mut [0; 64]).is_ok_and(|n| n > 0)
    };
    let silent: Vec<_> = (0..8).map(|_| come("127.0.0.1")).collect();
    assert!(!is_let_in("127.0.0.1"));
    assert!(is_let_in("127.0.0.2"));
    drop(silent);
    until(|| is_let_in("127.0.0.1").then_some(())).expect("the places are free again");
}

#[test]
fn at_the_end_what_arrives_is_let_go_and_what_has_arrived_gets_its_verdict() {
    let room = room();
    let mut arriving = room.client();
    arriving.say("PUT /packages/a.tar HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx");
    until(|| room.staged().pop()).unwrap();
    let mut waiting = room.put("b.tar", "", b"x");
    let (_, reply) = room.delivered();
    room.admin.close();
    assert_eq!(arriving.hear().status, 503);
    let gone = || UnixStream::connect(socket_path(room.dir.path()).unwrap()).is_err().then_some(());
    until(gone).expect("the socket goes away");
    reply.send(Outcome::Live { corte: "20260607_2010".parse().unwrap() }).unwrap();
    assert_eq!(waiting.hear().status, 201);
    room.admin.stop();
}

#[test]
fn leftovers_are_cleared_and_a_second_service_is_told() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("staging")).unwrap();
    std::fs::write(dir.path().join("staging/.push-1-0-a.tar"), "x").unwrap();
    let start = || {
        let (clock, _) = Clock::scripted("2026-06-08T02:12:00Z".parse().unwrap());
        let metrics = Arc::new(Metrics::new());
        let journal = Arc::new(Journal::new(Disk::machine(), dir.path(), clock.clone(), metrics.clone()));
        let desk = Arc::new(Fake(Mutex::new(channel().0)));
        let company =
            Company { desk, live: Arc::default(), journal, metrics, clock, disk: Disk::machine(), corridor: None };
        Admin::start(&Settings { state: dir.path().to_owned(), package_bytes: LIMIT, reserve: 0, https: None }, company)
    };
    let first = start().unwrap();
    let names =
        |path: &Path| -> Vec<PathBuf> { std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect() };
    assert_eq!(names(&dir.path().join("staging")), [""; 0].map(PathBuf::from));
    let fault = start().err().unwrap().to_string();
    assert!(fault.contains("admin.sock") && fault.contains("another difusor"), "{fault}");
    first.stop();
    start().unwrap().stop();
}
