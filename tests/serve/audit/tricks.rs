//! Somebody tampers with answers: each trick is caught by its check, and by no other.

use std::fs;

use difusor::base::digest::Digest;
use difusor::base::digests;
use serde_json::Value;

use super::{BAD, GOOD, ID, audit, names, package, published, with};
use crate::common::server::Setup;
use crate::common::tamper::{Tamper, drop_field, set};
use crate::common::wire::Response;

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
