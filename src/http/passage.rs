//! Who answers: the package, or an origin behind the corridor. Pure: a request, the package's answer and a route in.

use std::borrow::Cow;

use http::{Method, StatusCode};

use super::answer::{Answer, Request, What, no_results, screen_target};
use super::preferred::wants_json;
use super::target::decode;
use crate::portal::Notice;
use crate::proxy::route::Route;
use crate::snapshot::{OWN, Showing};

/// See the names.
#[derive(Debug, PartialEq, Eq)]
pub enum Passage {
    /// The package's answer, whatever it is.
    Package,
    Corridor,
    /// A page of ours in place of both.
    Refused(StatusCode, Notice),
}

/// Whether `route` has to answer what the package answers with `answer`.
pub fn passage(request: &Request, answer: &Answer, route: &Route) -> Passage {
    let is_open = !matches!(*request.method, Method::CONNECT | Method::TRACE) && request.path != "*";
    let goes = match &answer.what {
        // Results are seen under the bar that says what they lack; pages that are none have no part in that.
        What::Elsewhere(_) if route.results => false,
        What::Elsewhere(_) => route.before_package || is_unknown(request, answer.showing),
        what => route.before_package || is_left(what),
    };
    if !is_open || !goes {
        return Passage::Package;
    }
    if let Err((status, notice)) = screen_target(request) {
        return Passage::Refused(status, notice);
    }
    // Others take the target's bytes, and not all of them for the same.
    let is_written = |text: &str| text.bytes().all(|b| b.is_ascii_graphic());
    if !is_written(request.path) || !request.query.is_none_or(is_written) {
        return Passage::Refused(StatusCode::BAD_REQUEST, Notice::BadRequest);
    }
    match decode(request.path) {
        Ok(path) if is_own(&path) => Passage::Package,
        Ok(path) if !climbs(&path) => match answer.showing.results() {
            // With or without a package: results are secret until they are shown. And nobody knows now which of the paths of a
            // route that has all of them will be the package's: they belong to the notice.
            None if route.results || has_all(route) => {
                let (status, notice) = no_results(answer.showing);
                Passage::Refused(status, notice)
            }
            _ => Passage::Corridor,
        },
        _ => Passage::Refused(StatusCode::BAD_REQUEST, Notice::BadRequest),
    }
}

fn has_all(route: &Route) -> bool {
    route.prefix == "/" && route.host.is_none() && !route.before_package
}

/// The answer that is sent where the passage is refused.
pub fn refused<'e>(request: &Request, showing: &'e Showing, status: StatusCode, notice: Notice) -> Answer<'e> {
    let wants_json = wants_json(&request.fields.accept, request.path);
    Answer { wants_json, ..Answer::other(showing, What::Notice(status, notice)) }
}

/// The path by which a route is looked for: as an origin may read it, so that no way of writing a path leads past the
/// route that it belongs to.
pub fn sought(path: &str) -> Cow<'_, str> {
    if is_read_alike(path) {
        return Cow::Borrowed(path);
    }
    let Ok(decoded) = decode(path) else { return Cow::Borrowed(path) };
    let mut sought = String::with_capacity(path.len());
    let mut is_parameter = false;
    for c in "/".chars().chain(decoded.chars()) {
        is_parameter = (is_parameter && !is_slash(c)) || c == ';';
        match c {
            _ if is_parameter => {}
            c if is_slash(c) => sought.push_str(if sought.ends_with('/') { "" } else { "/" }),
            c => sought.push(c),
        }
    }
    Cow::Owned(sought)
}

/// Whether nobody reads anything else into a path than it says; at one look, for most requests have no other.
fn is_read_alike(path: &str) -> bool {
    let mut before = 0;
    path.bytes().all(|byte| {
        let is_double = byte == b'/' && before == b'/';
        before = byte;
        !is_double && !matches!(byte, b'%' | b'\\' | b';')
    })
}

/// What the package does not answer itself.
fn is_left(what: &What) -> bool {
    match what {
        What::Notice(StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED, _) => true,
        What::Notice(_, notice) => *notice == Notice::NotFound || notice.is_in_place_of_results(),
        _ => false,
    }
}

/// True for a path that the package does not have.
fn is_unknown(request: &Request, showing: &Showing) -> bool {
    let path = decode(request.path);
    showing.results().zip(path.ok()).is_some_and(|(results, path)| results.live().get(&path).is_none())
}

fn is_own(path: &str) -> bool {
    let path = path.trim_start_matches('/');
    path.starts_with(OWN) || path == OWN.trim_end_matches('/')
}

/// Some take a backslash for a slash, and what follows a semicolon for no part of the name.
fn is_slash(c: char) -> bool {
    matches!(c, '/' | '\\')
}

/// True where a segment is `.` or `..`: an origin would resolve it, and might leave the route.
fn climbs(path: &str) -> bool {
    path.split(is_slash).any(|segment| matches!(segment.split(';').next(), Some("." | "..")))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::http::answer::answer;
    use crate::http::fields::{Fields, Lines};
    use crate::http::freshness::Spread;
    use crate::proxy::route;
    use crate::schedule::State;
    use crate::snapshot::specimen::{showing, snapshot};
    use crate::snapshot::{Edition, Looks};

    const AFTER: (bool, bool) = (false, false);
    const BEFORE: (bool, bool) = (true, false);
    const RESULTS: (bool, bool) = (false, true);
    const RESULTS_BEFORE: (bool, bool) = (true, true);

    fn kept_back(shown: &Showing, state: State) -> Showing {
        let told = crate::portal::Told { state, shows_results: false, ..shown.told().clone() };
        Showing::new(told, None, shown.timing(), &Looks::default(), None)
    }

    fn decided(showing: &Showing, method: &str, path: &str, (before_package, results): (bool, bool)) -> Passage {
        let route = Route { before_package, results, host: Some("a".into()), ..specimen() };
        let method = method.parse().unwrap();
        let fields = Fields::default();
        let request = Request {
            method: &method,
            path,
            query: None,
            fields,
            host_is_known: true,
            is_secure: false,
            spread: Spread::default(),
        };
        passage(&request, &answer(&request, showing), &route)
    }

    fn specimen() -> Route {
        route::specimen("/")
    }

    #[test]
    fn who_answers_while_results_are_shown() {
        let shown = showing(snapshot());
        let bad = || Passage::Refused(StatusCode::BAD_REQUEST, Notice::BadRequest);
        let own = || Passage::Package;
        let away = || Passage::Corridor;
        for (method, path, route, expected) in [
            ("GET", "/index.html", AFTER, own()),
            ("GET", "/index.html", BEFORE, away()),
            ("GET", "/index.html", RESULTS, own()),
            ("GET", "/index.html", RESULTS_BEFORE, away()),
            ("GET", "/sub", AFTER, own()),
            ("GET", "/nada", AFTER, away()),
            ("HEAD", "/nada", RESULTS, away()),
            ("GET", "/ni%C3%B1os?", AFTER, away()),
            ("POST", "/index.html", AFTER, away()),
            ("BREW", "/nada", AFTER, away()),
            ("OPTIONS", "/nada", AFTER, own()),
            ("OPTIONS", "/nada", BEFORE, away()),
            ("OPTIONS", "*", BEFORE, own()),
            ("TRACE", "/nada", BEFORE, own()),
            ("CONNECT", "/nada", BEFORE, own()),
            ("GET", "/.prep/nada", BEFORE, own()),
            ("GET", "/%2Eprep/nada", BEFORE, own()),
            ("GET", "/.prep", BEFORE, own()),
            ("GET", "//.prep/nada", BEFORE, own()),
            ("POST", "/.prep/corte.json", BEFORE, own()),
            ("GET", "/.prep/c/20200101_0000/x", AFTER, own()),
            ("GET", "/a/../b", AFTER, bad()),
            ("GET", "/a/%2e%2E/b", AFTER, bad()),
            ("GET", "/a%2f..%2fb", BEFORE, bad()),
            ("GET", "/a/%2e", BEFORE, bad()),
            ("GET", "/a/..%5cb", BEFORE, bad()),
            ("POST", "/a/..;x/b", AFTER, bad()),
            ("GET", "/a/...", AFTER, away()),
            ("GET", "/%00", AFTER, own()),
            ("GET", "/%00", BEFORE, bad()),
            ("POST", "/%zz", AFTER, bad()),
        ] {
            assert_eq!(decided(&shown, method, path, route), expected, "{method} {path} {route:?}");
        }
    }

    #[test]
    fn who_answers_while_there_are_no_results() {
        let shown = showing(snapshot());
        for (state, status, notice) in [
            (State::Before, StatusCode::SERVICE_UNAVAILABLE, Notice::NotOpenYet),
            (State::Waiting, StatusCode::SERVICE_UNAVAILABLE, Notice::NoCorteYet),
            (State::Interrupted, StatusCode::SERVICE_UNAVAILABLE, Notice::Interrupted),
            (State::Closed, StatusCode::GONE, Notice::Closed),
        ] {
            let showing = kept_back(&shown, state);
            for path in ["/index.html", "/nada"] {
                for method in ["GET", "POST"] {
                    for (route, expected) in [
                        (AFTER, Passage::Corridor),
                        (BEFORE, Passage::Corridor),
                        (RESULTS, Passage::Refused(status, notice)),
                        (RESULTS_BEFORE, Passage::Refused(status, notice)),
                    ] {
                        assert_eq!(decided(&showing, method, path, route), expected, "{state:?} {method} {route:?}");
                    }
                }
            }
            assert_eq!(decided(&showing, "GET", "/.prep/c/20260607_2010/x", BEFORE), Passage::Package, "{state:?}");
            // Any of them may be the package's.
            let (method, fields) = (Method::GET, Fields::default());
            let request = Request {
                method: &method,
                path: "/",
                query: None,
                fields,
                host_is_known: true,
                is_secure: false,
                spread: Spread::default(),
            };
            let all = passage(&request, &answer(&request, &showing), &specimen());
            assert_eq!(all, Passage::Refused(status, notice), "{state:?}");
        }
    }

    #[test]
    fn results_are_seen_under_the_bar_and_other_pages_are_not() {
        let told = crate::portal::Told { state: State::Interrupted, ..showing(snapshot()).told().clone() };
        let edition = Arc::new(Edition::first(Arc::new(snapshot())));
        let shown = Showing::new(told, Some(edition), showing(snapshot()).timing(), &Looks::default(), None);
        let method = Method::GET;
        for (path, (before_package, results), expected) in [
            ("/nada", AFTER, Passage::Corridor),
            ("/nada", RESULTS, Passage::Package),
            ("/index.html", AFTER, Passage::Package),
            ("/index.html", BEFORE, Passage::Corridor),
            ("/index.html", RESULTS_BEFORE, Passage::Package),
        ] {
            let fields = Fields { sec_fetch_dest: Lines::One(b"document"), ..Fields::default() };
            let request = Request {
                method: &method,
                path,
                query: None,
                fields,
                host_is_known: true,
                is_secure: false,
                spread: Spread::default(),
            };
            let route = Route { before_package, results, ..specimen() };
            assert_eq!(passage(&request, &answer(&request, &shown), &route), expected, "{path} {results}");
        }
    }

    #[test]
    fn who_names_no_host_goes_nowhere() {
        let shown = showing(snapshot());
        for (method, status) in [("POST", 400), ("GET", 400)] {
            let (method, fields) = (method.parse().unwrap(), Fields::default());
            let request = Request {
                method: &method,
                path: "/nada",
                query: None,
                fields,
                host_is_known: false,
                is_secure: false,
                spread: Spread::default(),
            };
            let route = Route { before_package: true, ..specimen() };
            let Passage::Refused(refused, _) = passage(&request, &answer(&request, &shown), &route) else { panic!() };
            assert_eq!(refused, status);
        }
    }

    #[test]
    fn a_path_is_sought_as_an_origin_reads_it() {
        for (path, expected) in [
            ("/actas/1.jpg", "/actas/1.jpg"),
            ("/%61ctas/1", "/actas/1"),
            ("//actas//1", "/actas/1"),
            ("/actas%2F1", "/actas/1"),
            ("/%2factas", "/actas"),
            ("/\\actas\\1", "/actas/1"),
            ("/actas%5C1", "/actas/1"),
            ("/actas;v=1/1;x", "/actas/1"),
            ("/;x/actas%3Bv/1", "/actas/1"),
            ("/%zz", "/%zz"),
            ("*", "*"),
        ] {
            assert_eq!(sought(path), expected, "{path}");
        }
    }
}
