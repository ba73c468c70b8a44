//! What an origin makes of one client's request is not what it makes of everybody's: neither a refusal to share, nor a failure.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use super::{ROUTE, get};
use crate::common::origin::{Heard, Origin, Stream, answer};
use crate::common::server::{Setup, Site, until};
use crate::common::wire::{Response, Talk};

const FRESH: &str = "Cache-Control: max-age=600\r\n";
const STALE: &str = "Cache-Control: max-age=1\r\nAge: 5\r\nETag: \"a\"\r\n";
const SPARING: &str = "path = \"/\"\nhost = \"prep\"\nstale_if_error = \"1h\"";
const COOKIE: &str = "Cookie: sesion=1\r\n";
/// Readers, each of whom has a browser and a cookie of his own.
const CROWD: usize = 60;
/// Leaders in a row, at most, before what the origin makes of their requests counts for all: `proxy::store`.
const VOICES: usize = 3;

/// What an origin may make of a cookie.
type Mood = fn(&mut dyn Stream);
const MOODS: [(&str, Mood); 6] = [
    ("private", |to| answer(to, "200 OK", "Cache-Control: private\r\n", Some(3), b"suy")),
    ("no-store", |to| answer(to, "200 OK", "Cache-Control: no-store\r\n", Some(3), b"suy")),
    ("set-cookie", |to| answer(to, "200 OK", "Cache-Control: max-age=9\r\nSet-Cookie: a=b\r\n", Some(3), b"suy")),
    ("forbidden", |to| answer(to, "403 Forbidden", "", Some(3), b"suy")),
    ("broken", |to| answer(to, "500 Internal Server Error", "", Some(3), b"suy")),
    ("reset", |_| {}),
];

/// Asks all at once, each in his own words; what they are told once all have asked and `after` has been.
fn crowd(site: &Site, path: &str, after: impl FnOnce()) -> Vec<Response> {
    let mut readers: Vec<_> = (0..CROWD).map(|_| Talk::with(site.http())).collect();
    for (n, reader) in readers.iter_mut().enumerate() {
        reader.say(format!("GET {path} HTTP/1.1\r\nHost: prep\r\nUser-Agent: Lector/{n}\r\nX-Ga: {n}\r\n\r\n"));
    }
    after();
    readers.iter_mut().map(|reader| reader.hear().expect("an answer")).collect()
}

fn count(origin: &Origin, path: &str) -> usize {
    origin.heard().iter().filter(|heard| heard.target() == path).count()
}

/// Does to who has a cookie as `mood` says, and well to all others.
fn picky(mood: Mood) -> Origin {
    Origin::start(move |heard, to| match heard.field("cookie") {
        Some(_) => mood(to),
        None => answer(to, "200 OK", FRESH, Some(5), b"todos"),
    })
}

#[test]
fn whoever_asks_after_one_with_a_cookie_shares_all_the_same() {
    for (name, mood) in MOODS {
        let origin = picky(mood);
        let site = Setup::clear().origin(origin.address, "", ROUTE).start();
        let his = get(&site, "/x", COOKIE);
        assert!(his.1 == "suy" || his.0 == 502, "{name}: {his:?}");
        for response in crowd(&site, "/x", || {}) {
            assert_eq!((response.status, &response.body[..]), (200, &b"todos"[..]), "{name}: {}", response.head);
        }
        let heard = count(&origin, "/x");
        assert_eq!(heard, 2, "{name}: {heard} requests for {CROWD} readers and one more");
    }
}

#[test]
fn whoever_waits_for_one_with_a_cookie_shares_all_the_same() {
    for (name, mood) in MOODS {
        let (is_asked, may_answer) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let (asked, may) = (is_asked.clone(), may_answer.clone());
        let origin = Origin::start(move |heard, to| match heard.field("cookie") {
            Some(_) => {
                asked.store(true, SeqCst);
                until(|| may.load(SeqCst).then_some(()));
                mood(to);
            }
            None => answer(to, "200 OK", FRESH, Some(5), b"todos"),
        });
        let site = Setup::clear().origin(origin.address, "", ROUTE).start();
        let mut his = Talk::with(site.http());
        his.say(format!("GET /x HTTP/1.1\r\nHost: prep\r\n{COOKIE}\r\n"));
        until(|| is_asked.load(SeqCst).then_some(())).expect("he leads");
        for response in crowd(&site, "/x", || may_answer.store(true, SeqCst)) {
            assert_eq!((response.status, &response.body[..]), (200, &b"todos"[..]), "{name}: {}", response.head);
        }
        let his = his.hear().unwrap();
        assert!(his.body == b"suy" || his.status == 502, "{name}: {}", his.head);
        assert_eq!(count(&origin, "/x"), 2, "{name}");
    }
}

/// What has expired may not be sent here: who leads the way to the next is told of his own cookie alone.
#[test]
fn an_origin_that_hangs_up_on_a_cookie_is_well_for_all_others() {
    for (name, mood) in MOODS {
        let origin = Origin::start(move |heard, to| match heard.field("cookie") {
            Some(_) => mood(to),
            None => answer(to, "200 OK", "Cache-Control: max-age=1\r\nAge: 5\r\n", Some(5), b"todos"),
        });
        let site = Setup::clear().origin(origin.address, "", ROUTE).start();
        for _ in 0..3 {
            assert_eq!(get(&site, "/x", ""), (200, "todos".into()), "{name}");
            let his = get(&site, "/x", COOKIE);
            assert!(his.1 == "suy" || his.0 == 502, "{name}: {his:?}");
        }
    }
}

#[test]
fn a_cookie_on_which_the_origin_fails_leaves_nobody_else_with_what_is_stale() {
    for (name, mood) in MOODS.into_iter().filter(|(name, _)| ["broken", "reset"].contains(name)) {
        let origin = Origin::start(move |heard, to| match (heard.n, heard.field("cookie")) {
            (0, _) => answer(to, "200 OK", STALE, Some(5), b"vieja"),
            (_, Some(_)) => mood(to),
            (_, None) => answer(to, "200 OK", FRESH, Some(5), b"nueva"),
        });
        let site = Setup::clear().origin(origin.address, "", SPARING).start();
        assert_eq!(get(&site, "/x", "").1, "vieja");
        // For all that he knows, the origin fails: stale is better than nothing.
        assert_eq!(get(&site, "/x", COOKIE), (200, "vieja".into()), "{name}");
        assert_eq!(get(&site, "/x", COOKIE), (200, "vieja".into()), "{name}");
        assert_eq!(count(&origin, "/x"), 2, "{name}: it is not asked the same again at once");
        for response in crowd(&site, "/x", || {}) {
            assert_eq!(response.body, b"nueva", "{name}: {}", response.head);
        }
        assert_eq!(count(&origin, "/x"), 3, "{name}");
    }
}

/// An origin that does so to everybody, from the second request on.
fn failing(mood: Mood) -> (Origin, Arc<AtomicBool>) {
    let is_down = Arc::new(AtomicBool::new(false));
    let down = is_down.clone();
    let origin = Origin::start(move |_, to| match down.load(SeqCst) {
        false => answer(to, "200 OK", STALE, Some(5), b"vieja"),
        true => mood(to),
    });
    (origin, is_down)
}

#[test]
fn an_origin_that_fails_for_everybody_is_asked_by_few() {
    for (name, mood) in MOODS.into_iter().filter(|(name, _)| ["broken", "reset"].contains(name)) {
        let (origin, is_down) = failing(mood);
        let site = Setup::clear().origin(origin.address, "", SPARING).start();
        assert_eq!(get(&site, "/x", "").1, "vieja");
        is_down.store(true, SeqCst);
        let begun = difusor::base::clock::Monotonic::now();
        // A request that was sent on a connection that lay ready may be said twice; each wave after the first is one more.
        let most = |waves: usize| 1 + 2 * VOICES + waves + usize::try_from(begun.elapsed().as_secs()).unwrap();
        for wave in 1..4 {
            for response in crowd(&site, "/x", || {}) {
                assert_eq!((response.status, &response.body[..]), (200, &b"vieja"[..]), "{name}: {}", response.head);
            }
            assert!(count(&origin, "/x") <= most(wave), "{name}: {} requests", count(&origin, "/x"));
        }
        if name == "reset" {
            for response in crowd(&site, "/fria", || {}) {
                assert_eq!(response.status, 502, "{name}: {}", response.head);
            }
            assert!(count(&origin, "/fria") <= most(1), "{name}: {} requests", count(&origin, "/fria"));
        }
        is_down.store(false, SeqCst);
        let is_well = || {
            let response = Talk::with(site.http()).get("/x", "");
            response.field("cache-status").is_some_and(|told| told.contains("fwd=stale")).then_some(())
        };
        until(is_well).expect("it is asked again");
    }
}

#[test]
fn what_is_for_nobody_else_is_asked_for_by_each_after_few_tries() {
    let says = |heard: &Heard, to: &mut dyn Stream| {
        let whose = heard.field("x-ga").unwrap_or("nadie").to_owned();
        answer(to, "200 OK", "Cache-Control: private\r\n", Some(whose.len()), whose.as_bytes());
    };
    let origin = Origin::start(says);
    let site = Setup::clear().origin(origin.address, "", ROUTE).start();
    for wave in 1..3 {
        for (n, response) in crowd(&site, "/x", || {}).into_iter().enumerate() {
            assert_eq!(response.body, n.to_string().as_bytes(), "{}", response.head);
        }
        assert_eq!(count(&origin, "/x"), wave * CROWD, "one each");
    }
}
