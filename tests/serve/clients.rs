//! What one client may have: connections at once, requests a second, and who is not counted.

use crate::common::origin::{Origin, answer};
use crate::common::server::{Setup, until};
use crate::common::wire::{Talk, ways};

const TIGHT: &str = "client_connections = 3\nclient_requests = 1\nclient_burst = 5\nclient_exempt = []";

#[test]
fn one_client_gets_so_many_connections() {
    let site = Setup::clear().with("limits", TIGHT).start();
    let asks = |talk: &mut Talk| {
        talk.say("GET /.prep/estado.json HTTP/1.1\r\nHost: prep\r\n\r\n");
        talk.hear().map(|response| response.status)
    };
    let mut talks: Vec<Talk> = (0..3).map(|_| Talk::with(site.http())).collect();
    assert!(talks.iter_mut().all(|talk| asks(talk) == Some(200)));
    let mut fourth = Talk::with(site.http());
    fourth.say("GET / HTTP/1.1\r\nHost: prep\r\n\r\n");
    assert!(fourth.is_ended(), "closed without a word");
    site.log_line(&["a client has all that one client gets", "127.0.0.1", "connections"]);
    // Whoever goes makes room.
    talks.pop();
    let again = until(|| {
        let mut talk = Talk::with(site.http());
        talk.say("GET /.prep/estado.json HTTP/1.1\r\nHost: prep\r\n\r\n");
        (!talk.is_ended()).then_some(())
    });
    assert!(again.is_some());
}

#[test]
fn one_client_asks_at_a_pace_by_every_protocol() {
    let site = Setup::both(&["prep.example"]).with("limits", &TIGHT.replace("= 3", "= 100")).start();
    for way in ways(&site, "prep.example") {
        // More than there may be at once, whatever has come back meanwhile.
        let refused = until(|| Some(way.get("/.prep/estado.json", &[])).filter(|one| one.status == 429));
        let refused = refused.unwrap_or_else(|| panic!("{way:?} asks without end"));
        assert_eq!(refused.field("retry-after"), Some("2"), "{way:?} {}", refused.head);
        assert!(String::from_utf8(refused.body).unwrap().contains("demasiadas-solicitudes"), "{way:?}");
        // And after a while he may ask again.
        let again = until(|| Some(way.get("/.prep/estado.json", &[])).filter(|one| one.status == 200));
        assert!(again.is_some(), "{way:?}");
    }
    site.log_line(&["a client has all that one client gets", "requests"]);
}

#[test]
fn who_is_sent_on_asks_at_a_pace_too() {
    let listen = "http = [\"127.0.0.1:0\"]\nhttps = [\"127.0.0.1:0\"]";
    let setup = Setup::new().with("listen", listen).certificate("prep.example");
    let site = setup.with("limits", &TIGHT.replace("= 3", "= 100")).start();
    for way in ways(&site, "prep.example").into_iter().take(2) {
        for status in [301, 429] {
            let found = until(|| (way.get("/", &[]).status == status).then_some(()));
            assert!(found.is_some(), "{way:?}: no {status}");
        }
    }
}

#[test]
fn one_request_counts_once_whoever_answers_it() {
    let limits = "client_requests = 1\nclient_burst = 40\nclient_exempt = []";
    let origin = Origin::start(|_, to| answer(to, "200 OK", "", Some(2), b"si"));
    let route = "path = \"/o\"\ncache = false";
    let site = Setup::clear().origin(origin.address, "", route).with("limits", limits).start();
    // These begin on the plain path, which has to leave them to somebody else.
    for n in 0..40 {
        let mut talk = Talk::with(site.http());
        talk.say("GET /o HTTP/1.1\r\nHost: prep\r\nConnection: close\r\n\r\n");
        assert_eq!(talk.hear().unwrap().status, 200, "{n}");
    }
}

#[test]
fn who_stands_for_many_is_not_counted() {
    let limits = TIGHT.replace("[]", "[\"127.0.0.1\"]");
    let site = Setup::clear().with("limits", &limits).start();
    let mut talks: Vec<Talk> = (0..20).map(|_| Talk::with(site.http())).collect();
    for talk in &mut talks {
        assert_eq!(talk.get("/.prep/estado.json", "").status, 200);
    }
}
