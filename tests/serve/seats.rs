//! Who takes all that an origin has for single clients, and does not read it: what is for all goes on, and so do others.

use std::net::SocketAddr;
use std::sync::mpsc;

use crate::common::frames::{self, Asked};
use crate::common::metrics::turned_away;
use crate::common::origin::{Origin, answer};
use crate::common::secure::Client;
use crate::common::server::{DEADLINE, Setup, Site, until};
use crate::common::wire::{Response, Talk, connect};

/// Connections to the origin: six of them for single clients, three of these for each.
const EIGHT: &str = "connections = 8\nconnect = \"1s\"\nidle = \"60s\"";
const ALONE: &str = "path = \"/a\"\ncache = false\n[[route]]\nupstream = \"origen\"\npath = \"/nueva\"\nfirst = true";

/// `/a/endless` does not end, nor does `/a/upload` begin before its body has come; anything else is answered at once. Tells when whoever
/// took what does not end is gone.
fn origin() -> (Origin, mpsc::Receiver<()>) {
    let (gone, told) = mpsc::channel();
    let origin = Origin::start(move |heard, to| match heard.target() {
        target if target.contains("/endless") => {
            let head = "HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n";
            let _ = to.write_all(head.as_bytes());
            while to.write_all(&[b'x'; 1 << 14]).is_ok() {}
            let _ = gone.send(());
        }
        "/a/eco" => {
            let head = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: eco\r\n\r\n";
            let _ = to.write_all(head.as_bytes());
            let _ = to.read(&mut [0]);
        }
        _ => answer(to, "200 OK", "Cache-Control: max-age=600\r\n", Some(5), b"listo"),
    });
    (origin, told)
}

/// From another address of this machine.
fn from(last: u8, to: SocketAddr) -> Talk {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, last], 0)).into()).unwrap();
    socket.connect(&to.into()).unwrap();
    let stream = std::net::TcpStream::from(socket);
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    Talk::over(stream)
}

fn site(origin: &Origin, upstream: &str, limits: &str) -> Site {
    Setup::both(&["prep.example"]).origin(origin.address, upstream, ALONE).with("limits", limits).start()
}

fn ask(talk: &mut Talk, path: &str) -> Response {
    talk.say(format!("GET {path} HTTP/1.1\r\nHost: prep\r\n\r\n"));
    talk.hear().unwrap()
}

/// As many streams as that, whose windows stay shut, each for what does not end.
fn shut(client: &mut Client, path: impl Fn(u32) -> String, count: u32) {
    let get = |stream: u32| {
        let path = path(stream);
        let fields = [(":method", "GET"), (":scheme", "http"), (":path", &path), (":authority", "prep")];
        let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        Asked { fields, ..Asked::default() }.frames(2 * stream + 1)
    };
    client.say(&[frames::open(0), (0..count).flat_map(get).collect()].concat());
}

/// Until so many requests for that are with the origin.
fn are_under_way(origin: &Origin, path: &str, count: usize) {
    let there = || origin.heard().iter().filter(|heard| heard.target() == path).count();
    let are_there = until(|| (there() == count).then_some(()));
    assert!(are_there.is_some(), "{} of {count} at the origin", there());
}

#[test]
fn who_takes_all_for_himself_leaves_what_is_for_all_and_what_is_for_others() {
    let (origin, _gone) = origin();
    let site = site(&origin, EIGHT, "client_exempt = []");
    let mut greedy = Client::clear(connect(site.http()));
    shut(&mut greedy, |_| "/a/endless".into(), 80);
    are_under_way(&origin, "/a/endless", 3);
    for n in 0..4 {
        let found = ask(&mut Talk::with(site.http()), &format!("/nueva/{n}"));
        assert_eq!(found.status, 200, "{}", found.head);
    }
    let own = ask(&mut Talk::with(site.http()), "/a/propia");
    assert_eq!(own.status, 503, "{}", own.head);
    assert!(own.field("cache-status").unwrap().ends_with("detail=full"), "{}", own.head);
    for last in 2..4 {
        let other = ask(&mut from(last, site.http()), "/a/ajena");
        assert_eq!(other.status, 200, "{}", other.head);
    }
    are_under_way(&origin, "/a/endless", 3);
}

/// That a page is nobody else's is known only once it has come: until then it was asked for on behalf of all.
#[test]
fn what_turns_out_to_be_for_one_client_leaves_as_much() {
    let (origin, _gone) = origin();
    let site = site(&origin, EIGHT, "client_exempt = []");
    let mut greedy = Client::clear(connect(site.http()));
    shut(&mut greedy, |n| format!("/nueva/endless/{n}"), 80);
    // All are asked for, and three of them have what they hold.
    let all = until(|| (origin.heard().len() >= 80).then_some(()));
    assert!(all.is_some(), "{}", origin.heard().len());
    for n in 0..4 {
        let found = ask(&mut Talk::with(site.http()), &format!("/nueva/{n}"));
        assert_eq!(found.status, 200, "{}", found.head);
    }
    for last in 2..4 {
        let other = ask(&mut from(last, site.http()), "/a/ajena");
        assert_eq!(other.status, 200, "{}", other.head);
    }
}

#[test]
fn connections_that_become_something_else_leave_some_to_what_does_not() {
    let (origin, _gone) = origin();
    // Of a server before this one: all of them are one address, and not one client.
    let site = site(&origin, EIGHT, "client_exempt = [\"127.0.0.0/8\"]");
    let mut talks: Vec<Talk> = (0..5).map(|_| Talk::with(site.http())).collect();
    for talk in &mut talks {
        talk.say("GET /a/eco HTTP/1.1\r\nHost: prep\r\nConnection: upgrade\r\nUpgrade: eco\r\n\r\n");
    }
    let statuses: Vec<u16> = talks.iter_mut().map(|talk| talk.hear().unwrap().status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 101).count(), 4, "{statuses:?}");
    assert_eq!(ask(&mut Talk::with(site.http()), "/a/propia").status, 200);
    assert_eq!(ask(&mut Talk::with(site.http()), "/nueva").status, 200);
}

#[test]
fn what_is_not_over_in_time_is_taken_back_whether_anybody_reads_it_or_not() {
    let (origin, gone) = origin();
    let site = site(&origin, "total = \"1s\"", "");
    let mut client = Client::clear(connect(site.http()));
    shut(&mut client, |_| "/a/endless".into(), 1);
    gone.recv_timeout(DEADLINE).unwrap();
    // By HTTP/1.1, straight and otherwise: nobody reads what comes.
    for request in ["GET /a/endless HTTP/1.1", "GET /a/endless HTTP/1.1\r\nTransfer-Encoding: chunked"] {
        let end = if request.contains("chunked") { "0\r\n\r\n" } else { "" };
        let mut talk = Talk::with(site.http());
        talk.say(format!("{request}\r\nHost: prep\r\n\r\n{end}"));
        gone.recv_timeout(DEADLINE).unwrap();
    }
    assert_eq!(turned_away(&site, "send-rate"), 0);
}
