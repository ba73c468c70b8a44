//! Sources with a real operator and servers that misbehave: what arrives is whole, and trouble is told, not suffered.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use difusor::base::clock::{Clock, Monotonic};
use difusor::base::disk::Disk;
use difusor::ingest::source::address::Address;
use difusor::ingest::source::document::Pointers;
use difusor::ingest::source::proxy::Proxies;
use difusor::ingest::{Happening, Operator, Sources, Staging, source};
use difusor::snapshot::Live;

use crate::common::origin::{Heard, Origin, Stream, answer, file};
use crate::common::room::intake;
use crate::common::server::DEADLINE;
use crate::common::{Tree, corte};

/// Bytes of a package at the most, here.
const LIMIT: u64 = 1 << 20;
const ONE: &str = "20240602_2000";
const TWO: &str = "20240602_2010";

fn package(id: &str) -> Vec<u8> {
    Tree::of(&corte(id), &[("index.html", id.as_bytes())]).tar()
}

fn at(name: &str, url: &str) -> source::Settings {
    source::Settings {
        name: name.into(),
        address: Address::parse(url).unwrap(),
        pointers: None,
        every: Duration::from_secs(1),
        timeout: Duration::from_secs(3600),
        hosts: Vec::new(),
        fields: Vec::new(),
        authorization: None,
        roots: Vec::new(),
    }
}

/// An operator with sources, and what it tells.
struct Room {
    dir: tempfile::TempDir,
    operator: Operator,
    sources: Sources,
    told: Receiver<String>,
}

impl Room {
    fn new(all: Vec<source::Settings>) -> Room {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("incoming")).unwrap();
        Room::on(dir, all)
    }

    fn on(dir: tempfile::TempDir, all: Vec<source::Settings>) -> Room {
        let (tell, told) = channel();
        let report = move |happening: &Happening| {
            let _ = match happening {
                Happening::Live { corte, .. } => tell.send(format!("live {corte}")),
                Happening::Same { source, .. } => tell.send(format!("same {source}")),
                Happening::Refused { code, .. } => tell.send(format!("refused {code}")),
                Happening::SourceFailed { source, code, why, next } => {
                    assert!(why.len() > 20 && *next >= Duration::from_secs(1), "{why}");
                    eprintln!("{source}: {code}: {why}");
                    tell.send(format!("{source} {code}"))
                }
                Happening::SourceBack { source, .. } => tell.send(format!("{source} back")),
                _ => Ok(()),
            };
        };
        let (disk, live) = (Disk::machine(), Arc::new(Live::default()));
        let intake = intake(&disk, dir.path());
        let (state, report) = (intake.state.clone(), Arc::new(report) as difusor::ingest::Reporter);
        let operator = Operator::start(intake, live, Clock::machine(), report.clone()).unwrap();
        let staging = Staging::of(&disk, &state, 0);
        let sources = Sources::start(all, &Proxies::default(), &staging, LIMIT, &operator.handle(), &report).unwrap();
        Room { dir, operator, sources, told }
    }

    fn next(&self) -> String {
        self.told.recv_timeout(DEADLINE).unwrap()
    }

    /// The next ones, in whatever order they come.
    fn next_few<const N: usize>(&self) -> [String; N] {
        let mut all = [(); N].map(|()| self.next());
        all.sort();
        all
    }

    /// Waits until so many more requests have come: what had to be told before is told then.
    fn silent_for(&self, origin: &Origin, more: usize) {
        let before = origin.heard().len();
        crate::common::server::until(|| (origin.heard().len() >= before + more).then_some(())).unwrap();
        assert_eq!(self.told.try_iter().collect::<Vec<_>>(), [""; 0]);
    }

    /// What was handed over is removed once its fate has been told.
    fn is_cleared(&self) {
        let is_empty = || staged(self.dir.path()).is_empty().then_some(());
        crate::common::server::until(is_empty).unwrap_or_else(|| panic!("{:?}", staged(self.dir.path())));
    }

    /// Ends everything; the folder stays.
    fn end(self) -> tempfile::TempDir {
        self.sources.stop();
        self.operator.stop();
        self.sources.join(DEADLINE);
        self.dir
    }
}

fn staged(dir: &Path) -> Vec<String> {
    let names = std::fs::read_dir(dir.join("state/staging")).unwrap();
    let mut names: Vec<_> = names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A source at a server that says this, each time another.
fn alone(script: impl Fn(&Heard, &mut dyn Stream) + Send + Sync + 'static) -> (Origin, Room) {
    let origin = Origin::start(script);
    let room = Room::new(vec![at("iec", &origin.url("/corte.tar"))]);
    (origin, room)
}

#[test]
fn a_transfer_that_is_cut_goes_on_and_a_new_version_is_noticed() {
    let (one, two) = (package(ONE), package(TWO));
    let half = one.len() / 2;
    let (origin, room) = alone(move |heard, to| match heard.n {
        0 => file(to, heard, "\"1\"", &one, Some(half)),
        1..4 => file(to, heard, "\"1\"", &one, None),
        _ => file(to, heard, "\"2\"", &two, None),
    });
    assert_eq!(room.next(), "iec S007");
    assert_eq!(room.next(), format!("live {ONE}"));
    assert_eq!(room.next(), "iec back");
    assert_eq!(room.next(), format!("live {TWO}"));
    let heard = origin.heard();
    assert_eq!((heard[1].from(), heard[1].field("if-range")), (Some(half), Some("\"1\"")));
    assert_eq!((heard[2].from(), heard[2].field("if-none-match")), (None, Some("\"1\"")));
    assert_eq!(heard[0].field("accept-encoding"), Some("identity"));
    room.is_cleared();
}

#[test]
fn a_part_outlives_the_process() {
    let one = package(ONE);
    let len = one.len();
    let (origin, room) = alone(move |heard, to| {
        // Half of it, then silence: whoever waits for the rest is told to stop.
        let cut = if heard.n == 0 { len / 2 } else { len };
        file(to, heard, "\"1\"", &one, Some(cut));
        if heard.n == 0 {
            let _ = to.read(&mut [0]);
        }
    });
    let part = room.dir.path().join("state/staging/.pull-iec.part");
    let has_come = || std::fs::metadata(&part).is_ok_and(|meta| meta.len() as usize == len / 2);
    crate::common::server::until(|| has_come().then_some(())).unwrap();
    let dir = room.end();
    assert_eq!(staged(dir.path()), [".pull-iec.part", ".pull-iec.part.json"]);
    let room = Room::on(dir, vec![at("iec", &origin.url("/corte.tar"))]);
    assert_eq!(room.next(), format!("live {ONE}"));
    assert_eq!(origin.heard()[1].from(), Some(len / 2));
    room.is_cleared();
}

#[test]
fn one_that_hangs_delays_neither_the_others_nor_the_end() {
    let silent = Origin::start(|_, to| drop(to.read(&mut [0])));
    let good = Origin::start(|heard, to| file(to, heard, "\"1\"", &package(ONE), None));
    let room = Room::new(vec![at("muda", &silent.url("/a.tar")), at("iec", &good.url("/b.tar"))]);
    assert_eq!(room.next(), format!("live {ONE}"));
    crate::common::server::until(|| (silent.heard().len() == 1).then_some(())).unwrap();
    let started = Monotonic::now();
    room.end();
    // It would wait for an answer for 30 s.
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}

#[test]
fn one_that_trickles_is_cut_and_gone_on_with() {
    let one = package(ONE);
    let (len, shown) = (one.len(), Arc::new(AtomicUsize::new(0)));
    let script = move |heard: &Heard, to: &mut dyn Stream| {
        // One more third each time, and then not a byte.
        let thirds = shown.fetch_add(1, SeqCst) + 1;
        let from = heard.from().unwrap_or(0);
        file(to, heard, "\"1\"", &one, Some((len * thirds / 3).saturating_sub(from)));
        if thirds < 3 {
            let _ = to.read(&mut [0]);
        }
    };
    let origin = Origin::start(script);
    let settings = source::Settings { timeout: Duration::from_secs(1), ..at("iec", &origin.url("/corte.tar")) };
    let room = Room::new(vec![settings]);
    assert_eq!(room.next(), "iec S004");
    assert_eq!([room.next(), room.next()], [format!("live {ONE}"), "iec back".into()]);
    assert!(origin.heard()[1..3].iter().all(|heard| heard.from().is_some()));
}

#[test]
fn bodies_that_are_too_large_are_not_taken() {
    let (_origin, room) = alone(move |heard, to| match heard.n {
        // Endless, and not saying so.
        0 => answer(to, "200 OK", "", None, &vec![b'x'; LIMIT as usize + 1]),
        1 => answer(to, "200 OK", "", Some(LIMIT as usize + 1), b""),
        _ => file(to, heard, "\"2\"", &package(ONE), None),
    });
    assert_eq!(room.next(), "iec S006");
    assert_eq!([room.next(), room.next()], [format!("live {ONE}"), "iec back".into()]);
    room.is_cleared();
}

#[test]
fn bodies_that_lie_are_refused_and_the_right_one_is_taken() {
    let one = package(ONE);
    let (_origin, room) = alone(move |heard, to| match heard.n {
        // Longer than it is.
        0 => answer(to, "200 OK", "", Some(one.len() + 1), &one),
        // Of no length that can be.
        1 => answer(to, "200 OK", "Content-Length: 7\r\n", Some(8), &one),
        // Shorter than it is: what is missing is noticed where the package is read.
        2 => answer(to, "200 OK", "ETag: \"1\"\r\n", Some(one.len() / 2), &one),
        _ => file(to, heard, "\"2\"", &one, None),
    });
    assert_eq!([room.next(), room.next(), room.next()], ["iec S007", "refused P003", "iec back"]);
    assert_eq!(room.next(), format!("live {ONE}"));
    room.is_cleared();
}

#[test]
fn trouble_is_told_once_until_it_changes_or_ends() {
    let (origin, room) = alone(move |heard, to| match heard.n {
        0..2 => answer(to, "503 Service Unavailable", "Retry-After: 1\r\n", Some(0), b""),
        2 => answer(to, "404 Not Found", "", Some(0), b""),
        _ => file(to, heard, "\"1\"", &package(ONE), None),
    });
    assert_eq!([room.next(), room.next()], ["iec S005", "iec S005"]);
    assert_eq!([room.next(), room.next()], [format!("live {ONE}"), "iec back".into()]);
    room.silent_for(&origin, 2);
}

#[test]
fn answers_that_lead_nowhere_have_a_name() {
    let loops = |heard: &Heard| format!("Location: {}x\r\n", heard.target());
    let (_origin, room) = alone(move |heard, to| match heard.n {
        0..6 => answer(to, "302 Found", &loops(heard), Some(0), b""),
        6 => answer(to, "302 Found", "Location: http://otro.example/a.tar\r\n", Some(0), b""),
        _ => answer(to, "200 OK", &format!("X: {}\r\n", "x".repeat(20_000)), Some(0), b""),
    });
    assert_eq!([room.next(), room.next(), room.next()], ["iec S009", "iec S010", "iec S007"]);
}

#[test]
fn nobody_there_is_told_with_the_reason() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let unknown = Origin::with_tls(tls(), |heard, to| file(to, heard, "\"1\"", &package(ONE), None));
    let room = Room::new(vec![
        at("cerrada", &format!("http://{closed}/a.tar")),
        at("sin-nombre", "http://no-existe.invalid/a.tar"),
        at("sin-raiz", &format!("https://{}/a.tar", unknown.address)),
    ]);
    assert_eq!(room.next_few(), ["cerrada S001", "sin-nombre S002", "sin-raiz S003"]);
}

/// A certificate that nobody knows.
fn tls() -> Arc<rustls::ServerConfig> {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    Arc::new(config.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key).unwrap())
}

#[test]
fn a_refused_package_is_not_handed_over_again_until_it_changes() {
    let forged = Tree::of(&corte(TWO), &[("index.html", b"x")]).with("sitio/index.html", "y").tar();
    let stage = Arc::new(AtomicUsize::new(0));
    let shown = stage.clone();
    let (origin, room) = alone(move |heard, to| match shown.load(SeqCst) {
        0 => file(to, heard, "\"1\"", &forged, None),
        // The same bytes under a new tag are the same bytes.
        1 => file(to, heard, "\"2\"", &forged, None),
        _ => file(to, heard, "\"3\"", &package(TWO), None),
    });
    assert_eq!(room.next(), "refused P063");
    room.silent_for(&origin, 2);
    stage.store(1, SeqCst);
    room.silent_for(&origin, 2);
    stage.store(2, SeqCst);
    assert_eq!(room.next(), format!("live {TWO}"));
}

#[test]
fn several_sources_and_the_folder_at_once() {
    let fast = Origin::start(|heard, to| file(to, heard, "\"1\"", &package(ONE), None));
    let held = Arc::new((Mutex::new(false), std::sync::Condvar::new()));
    let gate = held.clone();
    let slow = Origin::start(move |heard, to| {
        let open = gate.0.lock().unwrap();
        drop(gate.1.wait_while(open, |open| !*open).unwrap());
        file(to, heard, "\"1\"", &package(ONE), None);
    });
    let room = Room::new(vec![at("una", &fast.url("/a.tar")), at("otra", &slow.url("/b.tar"))]);
    assert_eq!(room.next(), format!("live {ONE}"));
    *held.0.lock().unwrap() = true;
    held.1.notify_all();
    assert_eq!(room.next(), format!("same {}", slow.url("/b.tar")), "the slower one is noted, and no incident");
    let draft = room.dir.path().join("draft");
    std::fs::write(&draft, package(TWO)).unwrap();
    std::fs::rename(&draft, room.dir.path().join("incoming/c.tar")).unwrap();
    assert_eq!(room.next(), format!("live {TWO}"));
    room.silent_for(&fast, 2);
}

#[test]
fn a_document_leads_to_the_newest_and_its_sum_is_held() {
    let current = Arc::new(Mutex::new(ONE));
    let shown = current.clone();
    let origin = Origin::start(move |heard, to| {
        let id = *shown.lock().unwrap();
        if heard.target() == "/datos/ultimo.json" {
            let sum = difusor::base::digest::Digest::of(&package(id));
            let json = format!("{{\"ultimo\": \"../cortes/{id}.tar\", \"suma\": \"{sum}\"}}");
            file(to, heard, &format!("\"{id}\""), json.as_bytes(), None);
        } else {
            file(to, heard, "\"x\"", &package(&heard.target()[8..21]), None);
        }
    });
    let pointers = Some(Pointers { package: "/ultimo".into(), sha256: Some("/suma".into()) });
    let room = Room::new(vec![source::Settings { pointers, ..at("iec", &origin.url("/datos/ultimo.json")) }]);
    assert_eq!(room.next(), format!("live {ONE}"));
    room.silent_for(&origin, 2);
    *current.lock().unwrap() = TWO;
    assert_eq!(room.next(), format!("live {TWO}"));
    let fetched = origin.heard().iter().filter(|heard| heard.target().ends_with(".tar")).count();
    assert_eq!(fetched, 2, "each package once");
}

#[test]
fn secrets_are_told_to_nobody_else() {
    let other = Origin::start(|heard, to| file(to, heard, "\"1\"", &package(ONE), None));
    let location = format!("Location: {}\r\n", other.url("/corte.tar"));
    let home = Origin::start(move |_, to| answer(to, "302 Found", &location, Some(0), b""));
    let mut settings = at("iec", &home.url("/ultimo"));
    settings.hosts = vec![other.address.to_string()];
    settings.authorization = Some("Bearer abc".parse().unwrap());
    settings.fields = vec![("x-api-key".parse().unwrap(), "7".parse().unwrap())];
    let room = Room::new(vec![settings]);
    assert_eq!(room.next(), format!("live {ONE}"));
    let shown = |origin: &Origin| {
        let heard = &origin.heard()[0];
        [heard.field("authorization").is_some(), heard.field("x-api-key").is_some()]
    };
    assert_eq!((shown(&home), shown(&other)), ([true; 2], [false; 2]));
}

#[test]
fn whoever_is_asked_to_poll_now_does_so() {
    let origin = Origin::start(|heard, to| file(to, heard, "\"1\"", &package(ONE), None));
    let rare = source::Settings { every: Duration::from_secs(3600), ..at("iec", &origin.url("/a.tar")) };
    let room = Room::new(vec![rare]);
    assert_eq!(room.next(), format!("live {ONE}"));
    room.sources.poll_now(false);
    room.silent_for(&origin, 1);
    room.sources.poll_now(true);
    assert_eq!(room.next(), format!("same {}", origin.url("/a.tar")));
    let conditions: Vec<_> = origin.heard().iter().map(|heard| heard.field("if-none-match").is_some()).collect();
    assert_eq!(conditions, [false, true, false]);
}
