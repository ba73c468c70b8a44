//! Origins at several addresses: who is asked, who is left out, what each is told of the reader, and where their names lead.

use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use rcgen::{CertificateParams, KeyPair};

use crate::common::metrics::metrics;
use crate::common::nginx::Nginx;
use crate::common::origin::{Origin, answer};
use crate::common::server::{Setup, until};
use crate::common::tool;
use crate::common::wire::Talk;

/// Every request goes to the origin.
const UNCACHED: &str = "path = \"/\"\nhost = \"prep\"\ncache = false";

/// An origin that says who it is, or fails as long as `is_sick`.
fn moody(name: &'static str, is_sick: Arc<AtomicBool>) -> Origin {
    Origin::start(move |_, to| match is_sick.load(SeqCst) {
        false => answer(to, "200 OK", "", Some(name.len()), name.as_bytes()),
        true => answer(to, "503 Service Unavailable", "", Some(0), b""),
    })
}

fn urls(origins: &[&Origin]) -> Vec<String> {
    origins.iter().map(|origin| format!("http://{}", origin.address)).collect()
}

fn has(metrics: &str, name: &str, place: SocketAddr, value: u8) -> bool {
    let line = format!("{name}{{upstream=\"origen\",place=\"{place}\"}} {value}");
    metrics.lines().any(|one| one == line)
}

#[test]
fn who_answers_badly_is_left_out_and_told_of() {
    let is_sick = Arc::new(AtomicBool::new(true));
    let (bad, good) = (moody("malo", is_sick), moody("bueno", Arc::default()));
    let site = Setup::clear().origins(&urls(&[&bad, &good]), "", UNCACHED).start();
    let statuses: Vec<_> = (0..30).map(|_| site.get("/x").status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 503).count(), 6, "{statuses:?}");
    assert_eq!((bad.heard().len(), good.heard().len()), (6, 24));
    site.log_line(&["a place of an origin answers badly", &bad.address.to_string(), "pause_s=10", "last=\"503\""]);
    let metrics = metrics(&site);
    assert!(has(&metrics, "difusor_origin_ejections_total", bad.address, 1), "{metrics}");
}

#[test]
fn checks_decide_who_is_asked() {
    let is_sick = Arc::new(AtomicBool::new(false));
    let (one, other) = (moody("uno", is_sick.clone()), moody("dos", Arc::default()));
    // Half a second: what a busy machine may take for an answer.
    let settings = "health = \"/salud?a\"\nhealth_interval = \"500ms\"";
    let site = Setup::clear().origins(&urls(&[&one, &other]), settings, UNCACHED).start();
    let readers = |origin: &Origin| origin.heard().iter().filter(|heard| heard.target() == "/x").count();
    // Before any reader has come.
    let checked = || Some(()).filter(|()| one.heard().len() > 1 && other.heard().len() > 1);
    until(checked).expect("both are checked");
    let heard = one.heard().remove(0);
    assert_eq!((heard.line.as_str(), heard.field("host")), ("GET /salud?a HTTP/1.1", Some(&*one.address.to_string())));
    assert!(heard.field("user-agent").unwrap().ends_with("(health check)"), "{heard:?}");
    is_sick.store(true, SeqCst);
    let place = one.address.to_string();
    site.log_line(&["fails its health checks", &place, "checks=3", "last=\"503\""]);
    let is_told = |up| until(|| has(&metrics(&site), "difusor_origin_up", one.address, up).then_some(())).is_some();
    assert!(is_told(0));
    let before = readers(&one);
    for _ in 0..10 {
        assert_eq!(site.get("/x").body, b"dos");
    }
    assert_eq!(readers(&one), before);
    is_sick.store(false, SeqCst);
    site.log_line(&["passes its health checks", &place, "checks=2"]);
    assert!(is_told(1));
    let bodies: Vec<_> = (0..10).map(|_| site.get("/x").body).collect();
    assert!(bodies.contains(&b"uno".to_vec()), "it is used again");
}

/// One of two nginx is killed in the middle: connections that lay ready end, and no more are taken.
#[test]
fn readers_do_not_notice_that_a_place_dies() {
    if tool("nginx").is_none() {
        return;
    }
    let start = |body: &'static str| {
        Nginx::with(&[], |address, _| format!("access_log off; server {{ listen {address}; return 200 \"{body}\"; }}"))
    };
    let (one, other) = (start("uno"), start("dos"));
    let urls = [&one, &other].map(|nginx| format!("http://{}", nginx.address));
    let site = Setup::clear().origins(&urls, "", UNCACHED).start();
    let says = |body: &[u8]| until(|| Some(()).filter(|()| site.get("/x").body == body));
    says(b"uno").and_then(|()| says(b"dos")).expect("both are there");
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let readers = [(); 4].map(|()| {
            scope.spawn(|| {
                let (mut talk, mut count) = (Talk::with(site.http()), 0);
                while !is_over.load(SeqCst) {
                    let response = talk.get("/x", "");
                    assert_eq!(response.status, 200, "after {count}: {}", response.head);
                    count += 1;
                }
                count
            })
        });
        let mut after = 0;
        let mut watching = Talk::with(site.http());
        drop(one);
        while after < 200 {
            let response = watching.get("/x", "");
            assert_eq!((response.status, &response.body[..]), (200, &b"dos"[..]), "{}", response.head);
            after += 1;
        }
        is_over.store(true, SeqCst);
        assert!(readers.map(|reader| reader.join().unwrap()).iter().all(|count| *count > 0));
    });
}

#[test]
fn checks_end_with_the_service() {
    let origin = moody("uno", Arc::default());
    let mut site =
        Setup::clear().origin(origin.address, "health = \"/\"\nhealth_interval = \"100ms\"", UNCACHED).start();
    until(|| Some(()).filter(|()| origin.heard().len() > 2)).expect("it is checked");
    site.terminate();
    assert_eq!(site.ended(), Some(0));
}

/// What the origin is told, by settings: `Host`, `Forwarded`, `X-Forwarded-For`.
#[test]
fn what_the_origin_is_told_of_the_reader_is_set() {
    let origin = Origin::start(|_, to| answer(to, "200 OK", "", Some(0), b""));
    let own = origin.address.to_string();
    let (forwarded, x_forwarded) = (Some("for=127.0.0.1;proto=http"), Some("127.0.0.1"));
    let cases = [
        ("", own.as_str(), forwarded, x_forwarded),
        ("host = \"client\"", "prep", forwarded, x_forwarded),
        ("host = \"WWW.eldiario.example:81\"", "www.eldiario.example:81", forwarded, x_forwarded),
        ("forwarded = false", &own, None, x_forwarded),
        ("x_forwarded = false", &own, forwarded, None),
        ("forwarded = false\nx_forwarded = false", &own, None, None),
    ];
    for (settings, host, forwarded, x_forwarded) in cases {
        let site = Setup::clear().origin(origin.address, settings, UNCACHED).start();
        // What a reader says of himself is never passed on.
        let claims = "X-Forwarded-For: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\n";
        assert_eq!(Talk::with(site.http()).get("/x", claims).status, 200);
        let heard = origin.heard().pop().unwrap();
        assert_eq!(heard.field("host"), Some(host), "{settings}");
        assert_eq!(heard.field("forwarded"), forwarded, "{settings}");
        assert_eq!(heard.field("x-forwarded-for"), x_forwarded, "{settings}");
        let others = ["x-forwarded-proto", "x-forwarded-host"].map(|name| heard.field(name).is_some());
        assert_eq!(others, [x_forwarded.is_some(); 2], "{settings}");
        assert_eq!(heard.field("x-real-ip"), None, "{settings}");
    }
}

/// For localhost, and its own authority: the certificate and its key.
fn certificate() -> [(&'static str, Vec<u8>); 2] {
    let key = KeyPair::generate().unwrap();
    let made = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    [("leaf.pem", made.pem().into_bytes()), ("leaf.key", key.serialize_pem().into_bytes())]
}

#[test]
fn nginx_is_told_who_asks_by_the_proxy_protocol() {
    if tool("nginx").is_none() {
        return;
    }
    for (version, is_tls) in [("v1", false), ("v2", false), ("v1", true), ("v2", true)] {
        let made = certificate();
        let files: Vec<_> = made.iter().map(|(name, bytes)| (*name, bytes.as_slice())).collect();
        let nginx = Nginx::with(&files, |address, root| {
            let tls = format!("ssl_certificate {root}/www/leaf.pem; ssl_certificate_key {root}/www/leaf.key;");
            let (mark, tls) = if is_tls { ("ssl", tls) } else { ("", String::new()) };
            format!(
                "log_format told '$status <$proxy_protocol_addr> $http_user_agent'; access_log {root}/told.log told;
                server {{
                    listen {address} {mark} proxy_protocol; {tls}
                    return 200 \"$proxy_protocol_addr:$proxy_protocol_port \
                                 $proxy_protocol_server_addr:$proxy_protocol_server_port\";
                }}"
            )
        });
        let (scheme, host) = if is_tls { ("https", "localhost") } else { ("http", "127.0.0.1") };
        let url = format!("{scheme}://{host}:{}", nginx.address.port());
        let setup = Setup::clear();
        fs::write(setup.dir.path().join("ca.pem"), &made[0].1).unwrap();
        let ca = if is_tls { "ca = \"ca.pem\"" } else { "" };
        let settings = format!("proxy_protocol = \"{version}\"\nhealth = \"/\"\nhealth_interval = \"500ms\"\n{ca}");
        let site = setup.origins(&[url], &settings, UNCACHED).start();
        until(|| Some(()).filter(|()| site.get("/x").status == 200)).expect("nginx is there");
        // Two readers at once, and one of them twice: each is told by his own address.
        let mut readers = [Talk::with(site.http()), Talk::with(site.http())];
        for n in [0, 1, 0] {
            let response = readers[n].get("/x", "");
            let told = String::from_utf8(response.body).unwrap();
            let expected = format!("{} {}", readers[n].address(), site.http());
            let words: Vec<_> = told.split_whitespace().collect();
            assert_eq!((response.status, words.join(" ")), (200, expected), "{version} {scheme}");
        }
        // A check speaks for nobody.
        let told = || fs::read_to_string(nginx.dir.path().join("told.log")).unwrap();
        let checked = |line: &str| line.starts_with("200 <") && line.ends_with("(health check)");
        until(|| Some(()).filter(|()| told().lines().any(checked))).expect("a check that goes well");
        assert!(told().lines().filter(|line| line.contains("health")).all(checked), "{}", told());
    }
}

/// A name server for one name: its last number, what it says is to be kept a second, and how often it was asked.
struct NameServer {
    address: SocketAddr,
    last: Arc<Mutex<Option<u8>>>,
    asked: Arc<AtomicUsize>,
}

impl NameServer {
    /// At an address of its own, since resolv.conf has no ports.
    fn start() -> Option<NameServer> {
        let socket = (1..=254).find_map(|last| UdpSocket::bind((format!("127.77.77.{last}"), 53)).ok())?;
        let (last, asked) = (Arc::new(Mutex::new(Some(1))), Arc::new(AtomicUsize::new(0)));
        let server = NameServer { address: socket.local_addr().unwrap(), last: last.clone(), asked: asked.clone() };
        std::thread::spawn(move || {
            let mut bytes = [0; 1500];
            while let Ok((length, from)) = socket.recv_from(&mut bytes) {
                asked.fetch_add(1, SeqCst);
                let says = *last.lock().unwrap();
                if let Some(last) = says {
                    let _ = socket.send_to(&reply(&bytes[..length], last), from);
                }
            }
        });
        Some(server)
    }
}

/// RFC 1035, 4.1: the question again, and 127.0.0.`last` for a second where an IPv4 address is asked for.
fn reply(asked: &[u8], last: u8) -> Vec<u8> {
    let name = asked[12..].iter().position(|byte| *byte == 0).unwrap();
    let question = &asked[12..12 + name + 5];
    let is_a = question[name + 1..name + 3] == [0, 1];
    let head = [&asked[..2], &[0x81, 0x80, 0, 1, 0, u8::from(is_a), 0, 0, 0, 0]].concat();
    let found = [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 127, 0, 0, last];
    [&head[..], question, if is_a { &found } else { &[] }].concat()
}

/// With a resolv.conf of its own, which takes a namespace for mounts and a port below 1024: root alone has them.
#[test]
fn a_name_is_asked_for_again_by_its_ttl_and_outlives_its_name_server() {
    if tool("nginx").is_none() || tool("unshare").is_none() {
        return;
    }
    if !rustix::process::geteuid().is_root() {
        return eprintln!("passed over: a name server of our own needs root");
    }
    let nginx = Nginx::with(&[], |address, _| {
        let port = address.port();
        let one = |last, body| format!("server {{ listen 127.0.0.{last}:{port}; return 200 \"{body}\"; }}");
        format!("access_log off; {} {}", one(1, "uno"), one(2, "dos"))
    });
    let names = NameServer::start().expect("a port 53 of ours");
    let setup = Setup::clear();
    let resolv = setup.dir.path().join("resolv.conf");
    fs::write(&resolv, format!("nameserver {}\n", names.address.ip())).unwrap();
    let mount = format!("mount --bind {} /etc/resolv.conf && exec \"$@\"", resolv.display());
    let through = ["unshare", "--mount", "sh", "-c", &mount, "sh"].map(str::to_owned);
    let url = format!("http://origen.prueba:{}", nginx.address.port());
    let site = setup.origins(&[url], "", UNCACHED).through(through.into()).start();
    let says = |body: &str| until(|| Some(()).filter(|()| site.get("/x").body == body.as_bytes()));
    says("uno").expect("the first address");
    *names.last.lock().unwrap() = Some(2);
    says("dos").expect("the second address, once the first one's time is over");
    // Now it says nothing, and nobody notices.
    *names.last.lock().unwrap() = None;
    let asked = names.asked.load(SeqCst);
    while names.asked.load(SeqCst) < asked + 3 {
        let response = site.get("/x");
        assert_eq!((response.status, response.body), (200, b"dos".to_vec()), "{}", response.head);
    }
}
