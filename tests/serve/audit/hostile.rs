//! Servers that want to cost whoever audits them.

use std::io::Write;

use super::{BAD, published};
use crate::common::origin::{Heard, Origin, Stream, answer};
use crate::common::server::Setup;
use crate::common::verbs::difusor;

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
