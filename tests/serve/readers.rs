//! `difusor readers`, the real binary, against the real server, and against one that lies.

use std::io::BufReader;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use difusor::base::digest::Digest;
use difusor::base::digests;
use serde_json::Value;

use crate::common::origin::{Heard, answer};
use crate::common::server::{Setup, Site};
use crate::common::verbs::{difusor, ended};
use crate::common::{Tree, corte};

const CORTES: [&str; 3] = ["20240602_2010", "20240602_2020", "20240602_2030"];
/// From one poll to the next, and what a busy machine may add to it.
const POLL_MS: f64 = 500.0;
const BOUND_MS: f64 = 5_000.0;

fn package(n: usize) -> Tree {
    let rows: String =
        (0..400).map(|row| format!("acta {row},{},{n}\n", row * 7919 % 997 + n * usize::from(row % 50 == 0))).collect();
    let page = format!("<!doctype html><title>PREP</title><p>corte {n}");
    Tree::of(&corte(CORTES[n]), &[("index.html", page.as_bytes()), ("datos/actas.csv", rows.as_bytes())])
}

fn readers(dir: &Path, url: &str, more: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_difusor"));
    command.args(["readers", url, "--json", "report.json", "--poll", "500ms"]).args(more).current_dir(dir);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Lets readers come, changes the corte twice while they are there, and ends them with Ctrl-C: their report.
fn night(site: &Site, url: &str, more: &[&str]) -> Value {
    site.deliver("p0", &package(0));
    site.live(CORTES[0]);
    let mut all = vec![
        "--readers",
        "60",
        "--for",
        "10m",
        "--path",
        "/datos/actas.csv",
        "--comers",
        "20%",
        "--rush",
        "1s",
        "--stay",
        "1s",
    ];
    all.extend(more);
    let child = readers(site.dir.path(), url, &all);
    for (n, id) in CORTES.iter().enumerate() {
        if n > 0 {
            site.deliver(&format!("p{n}"), &package(n));
            site.live(id);
        }
        // Everybody's next poll is due meanwhile: nothing but the report tells of it, and that comes at the end.
        std::thread::sleep(std::time::Duration::from_millis(4 * POLL_MS as u64));
    }
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::INT).unwrap();
    let said = ended(child);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.err.is_empty(), "silent where nobody looks: {}", said.err);
    assert!(said.out.contains("errors      none"), "{}", said.out);
    serde_json::from_slice(&std::fs::read(site.path("report.json")).unwrap()).unwrap()
}

fn is_right(report: &Value) {
    let number = |pointer: &str| {
        report.pointer(pointer).and_then(Value::as_f64).unwrap_or_else(|| panic!("{pointer}: {report}"))
    };
    assert_eq!(report["errors"], serde_json::json!({}), "{report}");
    assert!(number("/by_status/200") > 100.0 && number("/by_status/304") > 100.0, "{report}");
    assert_eq!(number("/bodies/unproven"), 0.0);
    assert_eq!(number("/bodies/proven"), number("/by_status/200"));
    assert!(number("/bytes/received") > number("/bytes/bodies") && number("/bytes/bodies") > 0.0);
    // Seven of ten know dictionaries: whoever stays has the corte before, and is sent what is different. Each such body was
    // decoded, and compared with its digest and with the content that its tag names: see above.
    let difference = |coding: &str| report["bytes"]["by_coding"][coding]["responses"].as_f64().unwrap_or(0.0);
    assert!(difference("dcz") + difference("dcb") > 20.0, "{report}");
    let cortes: Vec<&str> =
        report["cortes"].as_array().unwrap().iter().map(|one| one["corte"].as_str().unwrap()).collect();
    assert_eq!(cortes, CORTES);
    for at in 1..CORTES.len() {
        // Those who stay, four of five, were there before.
        assert!(number(&format!("/cortes/{at}/readers")) >= 30.0, "{report}");
        let late = number(&format!("/cortes/{at}/late_ms/max"));
        assert!(late < POLL_MS + BOUND_MS, "{late} ms: {report}");
    }
    assert_eq!(number("/readers_without_the_last_corte"), 0.0);
    assert!(number("/visits/returning") > 0.0, "{report}");
}

#[test]
fn a_night_in_clear() {
    let site = Setup::clear().start();
    let report = night(&site, &format!("http://{}/", site.http()), &["--returning", "100%"]);
    is_right(&report);
}

#[test]
fn a_night_over_tls_by_both_protocols() {
    let site = Setup::both(&["localhost"]).start();
    let url = format!("https://localhost:{}/", site.https().port());
    let report =
        night(&site, &url, &["--ca", "localhost.pem", "--http2", "50%", "--connections", "8", "--returning", "100%"]);
    is_right(&report);
}

/// What a server says of a body.
type Fields = fn(&[u8]) -> String;

/// A server that says of every body what `fields` makes of it.
fn liar(fields: Fields, body: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for (n, stream) in listener.incoming().flatten().enumerate() {
            let Some(_) = Heard::read(&mut BufReader::new(&stream), n) else { continue };
            answer(&mut &stream, "200 OK", &fields(body), Some(body.len()), body);
        }
    });
    address
}

#[test]
fn lies_are_caught() {
    let named = |bytes: &[u8]| digests::value(&Digest::of(bytes));
    let lies: [(Fields, &str); 4] = [
        (|_| format!("Repr-Digest: {}\r\n", digests::value(&Digest::of(b"otro"))), "body-digest"),
        (|_| "Content-Encoding: gzip\r\n".into(), "body-coding"),
        (|_| "Content-Encoding: aes128gcm\r\n".into(), "body-unasked"),
        (|_| "ETag: \"AAAAAAAAAAAAAAAA\"\r\n".into(), "body-content"),
    ];
    let dir = tempfile::tempdir().unwrap();
    for (fields, kind) in lies {
        let url = format!("http://{}/", liar(fields, b"votos: 1"));
        let said = ended(readers(dir.path(), &url, &["--readers", "5", "--for", "1s"]));
        assert_eq!(said.code, 1, "{kind} {said:?}");
        assert!(said.out.contains(&format!("{kind}: /")), "{said:?}");
        let report: Value = serde_json::from_slice(&std::fs::read(dir.path().join("report.json")).unwrap()).unwrap();
        assert!(report["errors"][kind].as_u64().unwrap() > 0, "{report}");
    }
    // The same server, when it says the truth; `--json -` leaves standard output to the report.
    let truthful: Fields = |body| format!("Repr-Digest: {}\r\n", digests::value(&Digest::of(body)));
    assert_eq!(truthful(b"votos: 1"), format!("Repr-Digest: {}\r\n", named(b"votos: 1")));
    let url = format!("http://{}/", liar(truthful, b"votos: 1"));
    let said =
        difusor(dir.path(), &["readers", &url, "--readers", "5", "--for", "1s", "--poll", "500ms", "--json", "-"]);
    assert_eq!(said.code, 0, "{said:?}");
    let report: Value = serde_json::from_str(&said.out).unwrap();
    assert!(report["answers"].as_u64().unwrap() > 5, "{report}");
}

#[test]
fn others_than_this_machine_are_named_twice() {
    let dir = tempfile::tempdir().unwrap();
    // An address for documentation (RFC 5737): nobody has it.
    let refused = difusor(dir.path(), &["readers", "http://192.0.2.1/", "--for", "1s"]);
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(refused.err.contains("--i-mean 192.0.2.1"), "{refused:?}");
    let other = difusor(dir.path(), &["readers", "http://192.0.2.1/", "--for", "1s", "--i-mean", "192.0.2.2"]);
    assert_eq!(other.code, 2, "{other:?}");
    for bad in [&["readers", "http://127.0.0.1:1/", "--path", "sin-barra"][..], &["readers", "ftp://127.0.0.1/"]] {
        assert_eq!(difusor(dir.path(), bad).code, 2, "{bad:?}");
    }
    // Meant, and nobody there: nothing came, which is no success.
    let nobody =
        difusor(dir.path(), &["readers", "http://127.0.0.1:1/", "--readers", "2", "--for", "1s", "--poll", "500ms"]);
    assert_eq!(nobody.code, 1, "{nobody:?}");
    assert!(nobody.out.contains("connect: /"), "{nobody:?}");
}
