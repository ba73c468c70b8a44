//! A package that is sent by the socket: whole, faulty, too large, cut, or one too many.

use std::io::{ErrorKind, Write};

use difusor::base::digest::Digest;
use difusor::base::digests;
use difusor::base::disk::At;
use difusor::ingest::Outcome;
use difusor::record::Metrics;

use super::{LIMIT, RESERVE, json, room};
use crate::common::server::until;

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
