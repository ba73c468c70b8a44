//! `difusor audit`, the real binary against the real binary; and against one that somebody tampers with.

#[path = "audit/hostile.rs"]
mod hostile;
#[path = "audit/night.rs"]
mod night;
#[path = "audit/tricks.rs"]
mod tricks;

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use serde_json::Value;
use ssh_key::private::Ed25519Keypair;

use crate::common::origin::Origin;
use crate::common::server::{Setup, Site, until};
use crate::common::tamper::{Tamper, drop_field, set};
use crate::common::verbs::{Said, difusor};
use crate::common::wire::Talk;
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
