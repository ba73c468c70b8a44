//! No request hides in another: malformed and odd requests before an origin that writes down all it hears. What is refused is
//! never heard of there; what is let through means there what it meant here.

#[path = "smuggling/downgrade.rs"]
mod downgrade;
#[path = "smuggling/table.rs"]
mod table;

use crate::common::frames::bytes;
use crate::common::recorder::{Framing, Recorder, Seen, Whole};
use crate::common::secure::{self, Client};
use crate::common::server::{Setup, Site};
use crate::common::wire::{Response, connect};

/// What a row of the table comes to.
#[derive(Clone, Debug)]
pub enum Told {
    /// 400, the connection ends by itself, and the origin hears nothing of it.
    Refused,
    /// 400 in the midst of its body: the origin may have heard its beginning, and never an end.
    Broken,
    /// The same where the client has nothing more to say, whether it still hears the answer or not.
    Cut,
    /// Another answer of ours, and the connection goes on or not.
    Page(u16),
    /// Passed on as this method, for what follows the prefix, to this host, with this body.
    Passed(&'static str, &'static str, &'static str, &'static str),
}

/// A route, by what its targets begin with.
const ROUTES: [&str; 2] = ["/c", "/u"];

pub fn behind(recorder: &Recorder) -> Site {
    let routes = "path = \"/c\"\n[[route]]\nupstream = \"origen\"\npath = \"/u\"\ncache = false";
    Setup::both(&["prep.example"]).origin(recorder.address, "host = \"client\"", routes).start()
}

/// Sends these bytes and reads all answers until the server ends the connection.
fn exchange(site: &Site, is_tls: bool, bytes: &[u8], half_closes: bool) -> Vec<Response> {
    let mut client = match is_tls {
        true => secure::client(connect(site.https()), &site.path("prep.example.pem"), b"http/1.1"),
        false => Client::clear(connect(site.http())),
    };
    client.say(bytes);
    if half_closes {
        client.has_said_all();
    }
    let to_head = bytes.starts_with(b"HEAD ");
    let mut heard = Vec::new();
    while let Some(response) = client.hear(to_head && heard.is_empty()) {
        if response.status != 100 {
            heard.push(response);
        }
    }
    heard
}

fn after(prefix: &str) -> String {
    format!("GET {prefix}despues HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n")
}

fn check(seen: &[Seen], expected: &[(String, String, String, String)], label: &str) {
    let mut whole = seen.iter().filter_map(|one| match one {
        Seen::Whole(whole) => Some(whole),
        Seen::Cut(text) => {
            assert!(!text.split("\\r\\n").next().unwrap_or_default().contains("secreto"), "{label}: {text}");
            None
        }
        Seen::Fault(why) => panic!("{label}: the origin was sent {why}"),
    });
    for (method, target, host, body) in expected {
        let Some(one) = whole.next() else { panic!("{label}: {method} {target} did not come: {seen:?}") };
        assert_eq!((&one.method, &one.target), (method, target), "{label}");
        assert_eq!(one.field("host"), Some(host.as_str()), "{label}");
        assert_eq!(String::from_utf8_lossy(&one.body), *body, "{label}");
        means_the_same(one, label);
    }
    let more: Vec<&Whole> = whole.collect();
    assert!(more.is_empty(), "{label}: the origin heard of {more:?} too");
}

/// Nothing of the client's connection has come through.
fn means_the_same(one: &Whole, label: &str) {
    assert!(one.framing != Framing::None || one.body.is_empty(), "{label}");
    for name in ["te", "keep-alive", "proxy-connection", "expect", "http2-settings", "upgrade", "x-hop"] {
        assert_eq!(one.field(name), None, "{label}: {name}");
    }
    for (name, _) in &one.trailers {
        assert!(!["content-length", "transfer-encoding", "host", "authorization"].contains(&name.as_str()), "{label}");
    }
}

/// One row, by one route and way; then the connections to the origin must still be what they were.
fn run(site: &Site, recorder: &Recorder, (n, request, told): (usize, &str, &Told), route: &str, is_tls: bool) {
    let prefix = format!("{route}/{n}{}-", if is_tls { "s" } else { "" });
    let text = request.replace("{inner}", "GET {p}secreto HTTP/1.1\r\nHost: a\r\n\r\n").replace("{p}", &prefix);
    let label = format!("{n} {text:.300?} by {route}{}", if is_tls { ", TLS" } else { "" });
    let half_closes = matches!(told, Told::Cut);
    let (more, is_last) = match told {
        Told::Passed(..) => (after(&prefix), false),
        Told::Cut => (String::new(), true),
        Told::Page(_) => ("GET /.prep/nada HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".into(), false),
        _ => (format!("GET {prefix}secreto HTTP/1.1\r\nHost: a\r\n\r\n"), true),
    };
    let answers = exchange(site, is_tls, &bytes(&format!("{text}{more}")), half_closes);
    let statuses: Vec<u16> = answers.iter().map(|one| one.status).collect();
    let mut expected = Vec::new();
    match told {
        Told::Refused | Told::Broken => {
            assert_eq!(statuses, [400], "{label}");
            assert_eq!(answers[0].field("connection"), Some("close"), "{label}: {}", answers[0].head);
            assert!(!answers[0].body.is_empty() || text.starts_with("HEAD "), "{label}: a blank page");
        }
        Told::Cut => assert!(statuses.is_empty() || statuses == [400], "{label}: {statuses:?}"),
        Told::Page(status) => assert_eq!(statuses.first(), Some(status), "{label}: {statuses:?}"),
        Told::Passed(method, rest, host, body) => {
            assert!(statuses == [200, 200] || statuses == [200], "{label}: {statuses:?} {}", answers[0].head);
            // The cache asks for all, whatever a client wants of it.
            let method = if route == "/c" && *method == "HEAD" && body.is_empty() { "GET" } else { *method };
            expected.push((method.into(), format!("{prefix}{rest}"), (*host).into(), (*body).into()));
            if let Some(second) = answers.get(1) {
                let target = format!("{prefix}despues");
                assert_eq!(String::from_utf8_lossy(&second.body), format!("GET {target} 0"), "{label}");
                expected.push(("GET".into(), target, "b".into(), String::new()));
            } else {
                let is_last =
                    answers[0].head.starts_with("HTTP/1.0 ") || answers[0].field("connection") == Some("close");
                assert!(is_last, "{label}: {}", answers[0].head);
            }
        }
    }
    assert!(!is_last || statuses.len() <= 1, "{label}: {statuses:?}");
    // Whoever comes next on the same connections to the origin hears his own answer.
    let probe = format!("/u/sonda{n}");
    let ask = format!("GET {probe} HTTP/1.1\r\nHost: sonda\r\nConnection: close\r\n\r\n");
    let heard = exchange(site, false, ask.as_bytes(), false);
    assert_eq!(String::from_utf8_lossy(&heard[0].body), format!("GET {probe} 0"), "{label}");
    expected.push(("GET".into(), probe, "sonda".into(), String::new()));
    check(&recorder.take(), &expected, &label);
}

#[test]
fn no_request_hides_in_another() {
    let recorder = Recorder::start();
    let site = behind(&recorder);
    let rows = table::rows();
    assert!(rows.len() >= 120, "{}", rows.len());
    let mut faults = Vec::new();
    for (n, (request, told)) in rows.iter().enumerate() {
        for route in ROUTES {
            for is_tls in [false, true] {
                let one = std::panic::AssertUnwindSafe(|| run(&site, &recorder, (n, request, told), route, is_tls));
                // All faults at once.
                if let Err(why) = std::panic::catch_unwind(one) {
                    let why = why.downcast_ref::<String>().cloned().unwrap_or_default();
                    faults.push(why);
                    recorder.take();
                }
            }
        }
    }
    assert!(faults.is_empty(), "{} of {}:\n{}", faults.len(), rows.len() * 4, faults.join("\n"));
}
