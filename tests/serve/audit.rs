//! `difusor audit`, the real binary against the real binary; and against one that somebody tampers with.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use difusor::base::clock::Clock;
use difusor::base::digest::Digest;
use difusor::base::digests;
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, ZonedDateTime};
use serde_json::Value;
use ssh_key::private::Ed25519Keypair;

use crate::common::origin::{Heard, Origin, Stream, answer};
use crate::common::server::{Setup, Site, until};
use crate::common::tamper::{Tamper, drop_field, set};
use crate::common::verbs::{Said, difusor};
use crate::common::wire::{Response, Talk};
use crate::common::{Tree, corte};

const ID: &str = "20240602_2010";
const NAME: &str = "localhost";
const GOOD: i32 = 0;
const BAD: i32 = 1;
const NO_RESULTS: i32 = 3;

fn package(id: &str) -> Tree {
    let table = format!("{id},Ñandú,1,2\n").repeat(600);
    let page = "<h1>PREP</h1>".repeat(200);
    let files: [(&str, &[u8]); 5] = [
        ("index.html", page.as_bytes()),
        ("datos/tabla.csv", table.as_bytes()),
        ("datos/100% ñ.json", b"{}"),
        ("vacio.txt", b""),
        ("acta.jpg", b"\xff\xd8\xff\xe0 not compressed"),
    ];
    Tree::of(&corte(id), &files)
}

fn published(setup: Setup) -> Site {
    let site = setup.start();
    site.deliver("p.tar", &package(ID));
    site.live(ID);
    site
}

/// In the offset in which the tests' cortes are.
fn hours_ago(hours: i64) -> ZonedDateTime {
    let at = Clock::machine().now() - SignedDuration::from_hours(hours);
    at.to_zoned_datetime(TimeZone::fixed(Offset::constant(-6)))
}

/// A window that has been open for two hours.
fn tonight() -> String {
    let shown = |at: ZonedDateTime| at.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string();
    format!("opens = \"{}\"\ncloses = \"{}\"", shown(hours_ago(2)), shown(hours_ago(-24)))
}

/// Signers and what else is given, as JSON; checked that it is told in a person's form too.
fn audit(site: &Site, url: &str, more: &[&str]) -> (Said, Value) {
    let args = [&["audit", url, "--signers", "signers", "--json"], more].concat();
    let said = difusor(site.dir.path(), &args);
    let json = serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{error}: {said:?}"));
    (said, json)
}

/// The checks that went so, each with its sentence.
fn with(json: &Value, mark: &str) -> Vec<(String, String)> {
    let text = |row: &Value, key: &str| row[key].as_str().unwrap().to_owned();
    let rows = json["checks"].as_array().unwrap().iter().filter(|row| row["result"] == mark);
    rows.map(|row| (text(row, "check"), text(row, "what"))).collect()
}

fn names(json: &Value, mark: &str) -> Vec<String> {
    with(json, mark).into_iter().map(|(name, _)| name).collect()
}

#[test]
fn a_good_site_shows_what_the_authority_sent() {
    let site = published(Setup::both(&[NAME]));
    let clear = format!("http://{}", site.http());
    let secure = format!("https://{NAME}:{}", site.https().port());
    let ca = format!("{NAME}.pem");
    for (url, tls) in [(&clear, false), (&secure, true)] {
        let (said, json) = audit(&site, url, &["--ca", &ca, "--identity", "iec"]);
        assert_eq!((said.code, with(&json, "FAULT")), (GOOD, vec![]), "{url}");
        assert_eq!((json["verdict"].as_str(), json["corte"].as_str()), (Some("as-sent"), Some(ID)));
        assert_eq!((&json["files"], &json["files_listed"]), (&5.into(), &5.into()));
        // 5 files in 4 codings over both protocols, and what proves them.
        assert!(json["responses"].as_u64().unwrap() > 40, "{json}");
        let ok = names(&json, "OK");
        let expected = ["http", "state", "signature", "list", "original", "corte", "age", "files", "digests", "tags"];
        for name in expected.iter().chain(&["pinned", "chain", "fields", "clock", "results", "reach"]) {
            assert!(ok.contains(&(*name).to_owned()), "{name}: {json}");
        }
        assert_eq!(ok.contains(&"tls".to_owned()), tls);
        assert_eq!(ok.contains(&"certificate".to_owned()), tls);
    }
    // The clear form of the same, within one screen.
    let said = difusor(site.dir.path(), &["audit", &clear, "--signers", "signers"]);
    assert_eq!(said.code, GOOD, "{said:?}");
    assert!(said.out.contains("it shows what the authority sent") && said.out.lines().count() <= 25, "{}", said.out);
    assert!(said.out.lines().any(|line| line.contains("OK     files") && line.contains("all 5 files")), "{}", said.out);
    // A few at random.
    let (said, json) = audit(&site, &clear, &["--sample", "2"]);
    assert_eq!((said.code, &json["files"], &json["files_listed"]), (GOOD, &2.into(), &5.into()));
    // Nobody's certificate but those that count.
    let (said, json) = audit(&site, &secure, &[]);
    assert_eq!((said.code, names(&json, "FAULT")), (BAD, vec!["certificate".to_owned()]));
}

/// What the ladder has left out is told as that, and is no fault.
#[test]
fn what_is_left_out_for_now_is_told_as_left_out() {
    let ladder = "link = \"20 Mbit/s\"\nsteps = 1\ncalm = \"10m\"";
    let site = Setup::clear().with("", "content_check = \"off\"").with("ladder", ladder).start();
    let image: Vec<u8> = (0..50_000_u32).flat_map(|n| n.wrapping_mul(0x9e37_79b1).to_le_bytes()).collect();
    let files: [(&str, &[u8]); 3] = [("acta.jpg", &image), ("index.html", b"<h1>PREP</h1>"), ("a.json", b"{}")];
    site.deliver("p.tar", &Tree::of(&corte(ID), &files));
    site.live(ID);
    let url = format!("http://{}", site.http());
    let (said, json) = audit(&site, &url, &[]);
    assert_eq!((said.code, &json["files"], &json["files_left_out"]), (GOOD, &3.into(), &0.into()), "{json}");
    let mut talk = Talk::with(site.http());
    assert!(until(|| (talk.get("/acta.jpg", "").status == 503).then_some(())).is_some());
    let (said, json) = audit(&site, &url, &[]);
    assert_eq!((said.code, with(&json, "FAULT")), (GOOD, vec![]));
    assert_eq!((&json["files"], &json["files_listed"], &json["files_left_out"]), (&2.into(), &3.into(), &1.into()));
    let files = with(&json, "WARN").into_iter().find(|(name, _)| name == "files").expect("a warning of it").1;
    assert!(files.contains("2 of 3 files are as listed") && files.contains("1 left out for now"), "{files}");
    // What only looks like it is a fault.
    let tamper = Tamper::start(site.http(), |_, response| drop_field(response, "retry-after"));
    let (said, json) = audit(&site, &tamper.url(), &[]);
    assert_eq!(said.code, BAD);
    assert!(with(&json, "FAULT").iter().any(|(name, what)| name == "files" && what.contains("503")), "{json}");
}

#[test]
fn wrong_use_and_nobody_there() {
    let site = published(Setup::clear());
    let url = format!("http://{}", site.http());
    for args in [
        &["audit", &url, "--signers", "nada"][..],
        &["audit", &url],
        &["audit", "ftp://a", "--signers", "signers"],
        &["audit", &url, "--signers", "signers", "--ca", "signers"],
        &["audit", "--signers", "signers"],
    ] {
        let said = difusor(site.dir.path(), args);
        assert!(said.code == 2 && !said.err.is_empty(), "{args:?} {said:?}");
    }
    // HTTP/1.1 alone is told, and no fault.
    let site_at = site.http();
    let old = Origin::start(move |heard, to| {
        let mut talk = Talk::with(site_at);
        let fields = heard.fields.iter().map(|(name, value)| format!("{name}: {value}\r\n"));
        talk.say(format!("{}\r\n{}\r\n", heard.line, fields.collect::<String>()));
        let is_known = heard.line.ends_with("HTTP/1.1");
        if let Some(response) = is_known.then(|| talk.hear()).flatten() {
            let _ =
                to.write_all(&[response.head.as_bytes(), b"\r\nconnection: close\r\n\r\n", &response.body].concat());
        }
    });
    let (said, json) = audit(&site, &old.url(""), &[]);
    assert_eq!((said.code, with(&json, "FAULT"), names(&json, "WARN")), (GOOD, vec![], vec!["http".to_owned()]));
    // Nothing listens there any more.
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (said, json) = audit(&site, &format!("http://{gone}"), &[]);
    assert_eq!((said.code, names(&json, "FAULT")), (BAD, vec!["reach".to_owned()]));
    // Of several the worst counts.
    let both = difusor(site.dir.path(), &["audit", &url, &format!("http://{gone}"), "--signers", "signers", "--json"]);
    assert_eq!((both.code, both.out.lines().count()), (BAD, 2));
}

#[test]
fn the_clear_port_that_sends_to_tls_is_followed_on_the_same_host_only() {
    let setup = Setup::new().with("listen", "http = [\"127.0.0.1:0\"]\nhttps = [\"127.0.0.1:0\"]").certificate(NAME);
    let site = setup.start();
    site.deliver("p.tar", &package(ID));
    site.log_line(&["INFO live ", ID]);
    let (said, json) = audit(&site, &format!("http://{NAME}:{}", site.http().port()), &["--ca", "localhost.pem"]);
    assert_eq!((said.code, with(&json, "FAULT")), (GOOD, vec![]));
    assert_eq!(json["url"], format!("https://{NAME}:{}", site.https().port()));
    let plain = published(Setup::clear());
    let elsewhere = Tamper::start(plain.http(), |_, response| {
        response.head = response.head.replacen("200 OK", "302 Found", 1);
        set(response, "location", "https://otro.example/");
    });
    let (said, json) = audit(&plain, &elsewhere.url(), &[]);
    assert!(said.code == BAD && names(&json, "FAULT").contains(&"fields".to_owned()), "{json}");
}

/// What somebody does to answers, and the checks that must tell of it.
type Trick = (&'static str, &'static [&'static str], fn(&str, &mut Response));

/// Changes the bytes, and says the digests of the new ones.
fn cleverly(response: &mut Response, body: Vec<u8>) {
    let digest = digests::value(&Digest::of(&body));
    response.body = body;
    set(response, "repr-digest", &digest);
    set(response, "content-digest", &digest);
}

#[test]
fn every_trick_is_caught_by_its_check() {
    let site = published(Setup::clear());
    let tricks: [Trick; 20] = [
        ("one byte of one file in one coding", &["files", "digests", "tags"], |path, response| {
            if path == "/datos/tabla.csv" && response.field("content-encoding") == Some("br") {
                let last = response.body.len() - 1;
                response.body[last / 2] ^= 1;
            }
        }),
        ("another file, with digests to match", &["files"], |path, response| {
            if path == "/datos/100%25%20%C3%B1.json" {
                cleverly(response, b"[]".to_vec());
                set(response, "etag", "\"other\"");
            }
        }),
        ("one file is gone", &["files"], |path, response| {
            if path == "/acta.jpg" {
                response.head = response.head.replacen("200 OK", "404 Not Found", 1);
            }
        }),
        ("one coding is no such coding", &["files"], |path, response| {
            if path == "/vacio.txt" {
                set(response, "content-encoding", "x-own");
            }
        }),
        ("a corte of another time on one file", &["corte"], |path, response| {
            if path == "/acta.jpg" {
                set(response, "corte", "20240602_2000");
            }
        }),
        ("no corte", &["corte"], |path, response| {
            if path == "/datos/tabla.csv" {
                drop_field(response, "corte-fecha-hora");
            }
        }),
        ("no state", &["state"], |path, response| {
            if path == "/vacio.txt" {
                drop_field(response, "corte-estado");
            }
        }),
        ("no digest", &["digests"], |path, response| {
            if path == "/acta.jpg" {
                drop_field(response, "repr-digest");
            }
        }),
        ("a wrong digest", &["digests"], |path, response| {
            if path == "/acta.jpg" {
                set(response, "content-digest", &digests::value(&Digest::of(b"other")));
            }
        }),
        ("weak tags", &["tags"], |path, response| {
            if path == "/acta.jpg" {
                let tag = format!("W/{}", response.field("etag").unwrap());
                set(response, "etag", &tag);
            }
        }),
        ("one tag for all codings", &["tags"], |path, response| {
            if path == "/datos/tabla.csv" {
                set(response, "etag", "\"always\"");
            }
        }),
        ("a cookie", &["fields"], |path, response| {
            if path == "/" {
                set(response, "set-cookie", "reader=7");
            }
        }),
        ("closed to other pages", &["fields"], |path, response| {
            if path == "/acta.jpg" {
                drop_field(response, "access-control-allow-origin");
            }
        }),
        ("another list", &["signature"], |path, response| {
            if path == "/.prep/SHA256SUMS" {
                let mut list = response.body.clone();
                list[0] = if list[0] == b'0' { b'1' } else { b'0' };
                cleverly(response, list);
            }
        }),
        ("no signature", &["signature"], |path, response| {
            if path == "/.prep/SHA256SUMS.sig" {
                response.head = response.head.replacen("200 OK", "404 Not Found", 1);
            }
        }),
        ("another corte.json", &["original"], |path, response| {
            if path == "/.prep/corte.original.json" {
                let text = String::from_utf8(response.body.clone()).unwrap().replace("20:10:00", "20:10:30");
                cleverly(response, text.into_bytes());
            }
        }),
        ("a chain that says otherwise", &["chain"], |path, response| {
            if path == "/.prep/cortes" {
                let text =
                    String::from_utf8(response.body.clone()).unwrap().replace("\"anterior\":\"0", "\"anterior\":\"1");
                cleverly(response, text.into_bytes());
            }
        }),
        ("another file under the URL of the corte", &["pinned"], |path, response| {
            if path.starts_with("/.prep/c/") {
                cleverly(response, b"other".to_vec());
            }
        }),
        ("another time than the clock's", &["clock"], |path, response| {
            if path == "/.prep/estado.json" {
                let mut told: Value = serde_json::from_slice(&response.body).unwrap();
                told["reloj"]["eleccion"] = "2024-06-02T20:11:00-06:00".into();
                cleverly(response, told.to_string().into_bytes());
            }
        }),
        ("it says that it is current", &["age"], |_, response| {
            if response.field("content-type") == Some("application/json") && response.body.starts_with(b"{\"eleccion\"")
            {
                let text = String::from_utf8_lossy(&response.body).replace("\"final\"", "\"vigente\"");
                cleverly(response, text.into_bytes());
            }
            set(response, "corte-estado", "vigente");
        }),
    ];
    for (trick, expected, change) in tricks {
        let tamper = Tamper::start(site.http(), move |heard, response| change(heard.target(), response));
        let (said, json) = audit(&site, &tamper.url(), &[]);
        let found = names(&json, "FAULT");
        assert_eq!((said.code, json["verdict"].as_str()), (BAD, Some("differs")), "{trick}: {json}");
        for name in expected {
            assert!(found.contains(&(*name).to_owned()), "{trick} is not found by {name}: {found:?}");
        }
        // What is not its business says nothing.
        let is_about =
            |name: &String| expected.contains(&name.as_str()) || trick.contains("current") || trick.contains("list");
        let other: Vec<_> = found.iter().filter(|name| !is_about(name)).collect();
        assert!(other.is_empty(), "{trick}: {:?}", with(&json, "FAULT"));
    }
}

#[test]
fn a_file_of_the_corte_before_is_caught_and_a_new_corte_in_between_is_not() {
    let site = published(Setup::clear());
    let next = "20240602_2020";
    site.deliver("q.tar", &package(next));
    site.live(next);
    let (from, site_at) = (site.http(), site.http());
    let old = Tamper::start(site_at, move |heard, response| {
        if heard.target() == "/datos/tabla.csv" {
            *response = crate::common::wire::get(from, &format!("/.prep/c/{ID}/datos/tabla.csv"));
            drop_field(response, "connection");
        }
    });
    let (said, json) = audit(&site, &old.url(), &[]);
    let found = names(&json, "FAULT");
    assert!(said.code == BAD && found.contains(&"files".into()) && found.contains(&"corte".into()), "{json}");
    // The third corte goes live when the first file is asked for.
    let last = "20240602_2030";
    let once = std::sync::Once::new();
    let draft = site.path("last.tar");
    fs::write(&draft, package(last).tar()).unwrap();
    let (incoming, at) = (site.incoming().join("r.tar"), site.http());
    let swapped = Tamper::start(at, move |heard, _| {
        if heard.target() == "/datos/tabla.csv" {
            once.call_once(|| {
                fs::rename(&draft, &incoming).unwrap();
                let is_live = || crate::common::wire::get(at, "/").field("corte") == Some(last);
                crate::common::server::until(|| is_live().then_some(())).expect("it goes live");
            });
        }
    });
    let (said, json) = audit(&site, &swapped.url(), &[]);
    assert_eq!((said.code, with(&json, "FAULT"), json["corte"].as_str()), (GOOD, vec![], Some(last)));
}

#[test]
fn somebody_elses_signature_is_none() {
    let site = published(Setup::clear());
    let other = ssh_key::PrivateKey::from(Ed25519Keypair::from_seed(&[9; 32]));
    let line = format!("iec {}\n", other.public_key().to_openssh().unwrap());
    fs::write(site.path("others"), line).unwrap();
    let said =
        difusor(site.dir.path(), &["audit", &format!("http://{}", site.http()), "--signers", "others", "--json"]);
    let json: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!((said.code, names(&json, "FAULT")), (BAD, vec!["signature".to_owned()]));
    let (said, json) = audit(&site, &format!("http://{}", site.http()), &["--identity", "ine"]);
    assert_eq!((said.code, names(&json, "FAULT")), (BAD, vec!["signature".to_owned()]));
}

#[test]
fn before_the_opening_nothing_may_leak() {
    let site = Setup::clear().window("opens = \"2099-06-07T18:30\"\ncloses = \"2099-06-08T18:30\"").start();
    let url = format!("http://{}", site.http());
    let (said, json) = audit(&site, &url, &[]);
    assert_eq!((said.code, with(&json, "FAULT")), (NO_RESULTS, vec![]));
    assert_eq!((json["verdict"].as_str(), json["state"].as_str()), (Some("no-results"), Some("previo")));
    assert!(names(&json, "OK").contains(&"embargo".into()));
    type Leak = (&'static str, fn(&mut Response));
    let leaks: [Leak; 4] = [
        ("a tag", |response| set(response, "etag", "\"x\"")),
        ("a corte", |response| set(response, "corte", ID)),
        ("no retry", |response| drop_field(response, "retry-after")),
        ("results", |response| response.head = response.head.replacen("503 Service Unavailable", "200 OK", 1)),
    ];
    for (leak, change) in leaks {
        for path in ["/", "/.prep/SHA256SUMS"] {
            let tamper = Tamper::start(site.http(), move |heard, response| {
                if heard.target() == path {
                    change(response);
                }
            });
            let (said, json) = audit(&site, &tamper.url(), &[]);
            let found = names(&json, "FAULT");
            assert!(said.code == BAD && found.contains(&"embargo".into()), "{leak} {path}: {json}");
        }
    }
}

#[test]
fn while_transmission_is_interrupted_there_are_no_results() {
    let site = Setup::clear().window(&tonight()).start();
    let id = &hours_ago(1).strftime("%Y%m%d_%H%M").to_string();
    site.deliver("p.tar", &package(id));
    site.live_or_interrupted(id);
    let (said, json) = audit(&site, &format!("http://{}", site.http()), &[]);
    assert_eq!((said.code, with(&json, "FAULT")), (NO_RESULTS, vec![]));
    assert_eq!((json["state"].as_str(), json["corte"].as_str()), (Some("interrumpido"), Some(&**id)));
    assert!(names(&json, "OK").contains(&"notice".into()));
    // Somebody shows the last results all the same.
    let tamper = Tamper::start(site.http(), |heard, response| {
        if heard.target() == "/" {
            response.head = response.head.replacen("503 Service Unavailable", "200 OK", 1);
        }
    });
    let (said, json) = audit(&site, &tamper.url(), &[]);
    assert!(said.code == BAD && names(&json, "FAULT").contains(&"notice".into()), "{json}");
    // Or says nothing of which was the last.
    let tamper = Tamper::start(site.http(), |_, response| drop_field(response, "corte"));
    let (said, json) = audit(&site, &tamper.url(), &[]);
    assert!(said.code == BAD && names(&json, "FAULT").contains(&"notice".into()), "{json}");
}

#[test]
fn a_corte_of_now_is_current() {
    let site = Setup::clear().window(&tonight()).start();
    let id = hours_ago(0).strftime("%Y%m%d_%H%M").to_string();
    site.deliver("p.tar", &package(&id));
    site.live(&id);
    let url = format!("http://{}", site.http());
    let (said, json) = audit(&site, &url, &[]);
    assert_eq!((said.code, with(&json, "FAULT"), json["state"].as_str()), (GOOD, vec![], Some("vigente")));
    assert!(json["age_s"].as_i64().unwrap() < 660, "{json}");
}

#[test]
fn a_certificate_that_ends_before_the_close_is_told_in_time() {
    let setup = Setup::both(&[NAME]).window(&tonight());
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new([NAME.to_owned()]).unwrap();
    // Midnight (UTC): within the 24 hours that the window still lasts.
    let end = Clock::machine().now().to_zoned_datetime(TimeZone::UTC).date().tomorrow().unwrap();
    let (month, day) = (u8::try_from(end.month()).unwrap(), u8::try_from(end.day()).unwrap());
    params.not_after = rcgen::date_time_ymd(end.year().into(), month, day);
    let certificate = params.self_signed(&key).unwrap();
    fs::write(setup.dir.path().join("localhost.pem"), certificate.pem()).unwrap();
    fs::write(setup.dir.path().join("localhost.key"), key.serialize_pem()).unwrap();
    let site = setup.start();
    let id = hours_ago(0).strftime("%Y%m%d_%H%M").to_string();
    site.deliver("p.tar", &package(&id));
    site.live(&id);
    let url = format!("https://{NAME}:{}", site.https().port());
    let (said, json) = audit(&site, &url, &["--ca", "localhost.pem"]);
    let warned = with(&json, "WARN");
    assert_eq!((said.code, with(&json, "FAULT"), warned.len()), (GOOD, vec![], 1), "{json}");
    assert!(warned[0].0 == "certificate" && warned[0].1.contains(&end.to_string()), "{warned:?}");
}

#[test]
fn many_are_watched_line_by_line_where_nobody_sees_a_table() {
    let good = published(Setup::clear());
    let bad = Tamper::start(good.http(), |_, response| drop_field(response, "repr-digest"));
    let mut child = Command::new(env!("CARGO_BIN_EXE_difusor"))
        .args(["audit", &format!("http://{}", good.http()), &bad.url(), "--signers", "signers", "--watch=1s"])
        .current_dir(good.dir.path())
        .stdout(Stdio::piped())
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let first: Vec<String> = lines.take(5).map(Result::unwrap).collect();
    child.kill().unwrap();
    child.wait().unwrap();
    let of = |url: &str| first.iter().filter(|line| line.contains(url)).collect::<Vec<_>>();
    let (well, ill) = (of(&format!("http://{}", good.http())), of(&bad.url()));
    assert!(well.len() >= 2 && well.iter().all(|line| line.contains(ID) && line.ends_with("as sent")), "{first:?}");
    assert!(!ill.is_empty() && ill.iter().all(|line| line.contains("FAULT  digests: ")), "{first:?}");
}

/// Sends `bytes` again and again until whoever listens has heard enough; fails where nobody ever has.
fn without_end(to: &mut dyn Stream, bytes: &[u8]) {
    for sent in 0.. {
        if to.write_all(bytes).is_err() {
            return;
        }
        assert!(sent * bytes.len() < 64 << 20, "64 MiB were taken of what never ends");
    }
}

#[test]
fn a_hostile_server_costs_little() {
    let site = published(Setup::clear());
    let json = "Content-Type: application/json\r\nAccess-Control-Allow-Origin: *\r\ncorte-estado: vigente\r\n";
    type Script = fn(&Heard, &mut dyn Stream, &str);
    let tricks: [(&str, Script); 6] = [
        ("a body without end", |_, to, json| {
            answer(to, "200 OK", json, None, b"{");
            without_end(to, &[b' '; 64 << 10]);
        }),
        ("a head without end", |_, to, _| {
            let _ = to.write_all(b"HTTP/1.1 200 OK\r\n");
            without_end(to, format!("X-Field: {}\r\n", "x".repeat(4 << 10)).as_bytes());
        }),
        ("a bomb", |_, to, json| {
            let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
            gzip.write_all(&vec![b' '; 32 << 20]).unwrap();
            let fields = format!("{json}Content-Encoding: gzip\r\n");
            answer(to, "200 OK", &fields, None, &gzip.finish().unwrap());
        }),
        ("redirects in a circle", |heard, to, _| {
            let to_itself = format!("Location: http://{}/x\r\n", heard.field("host").unwrap());
            answer(to, "302 Found", &to_itself, Some(0), b"");
        }),
        ("no HTTP", |_, to, _| drop(to.write_all(b"220 mail.example ESMTP\r\n"))),
        ("words for a terminal", |_, to, json| {
            let fields = format!("{json}corte: \u{1b}[2J\r\n");
            answer(to, "200 OK", &fields, None, "{\"estado\":\"\u{1b}[2J\"}".as_bytes());
        }),
    ];
    for (trick, script) in tricks {
        let json = json.to_owned();
        let origin = Origin::start(move |heard, to| script(heard, to, &json));
        let said = difusor(site.dir.path(), &["audit", &origin.url(""), "--signers", "signers"]);
        assert_eq!(said.code, BAD, "{trick}: {said:?}");
        assert!(said.out.contains("FAULT") && !said.out.contains('\u{1b}'), "{trick}: {said:?}");
    }
}
