//! The door for who pushes from elsewhere: TLS, tokens, and places for each.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;

use difusor::admin::push::{Destination, Push};
use difusor::admin::{Https, Parcel, tokens};
use difusor::base::disk::Disk;
use difusor::http::tls::CertificateFiles;
use difusor::ingest::Outcome;
use tokio::sync::oneshot;

use super::{LIMIT, Room, furnished};
use crate::common::server::{DEADLINE, until};

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
