//! The operators' side with an operator who answers as the test wants, on a disk in memory.

#[path = "admin/door.rs"]
mod door;
#[path = "admin/upload.rs"]
mod upload;

use std::io::{BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use difusor::admin::{Admin, Company, Desk, Https, Settings, socket_path};
use difusor::base::clock::Clock;
use difusor::base::disk::{Disk, Twin};
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
