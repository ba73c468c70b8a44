//! The primary key of a request (RFC 9111, 2), by the rules of its route.

use std::sync::Arc;

use http::HeaderMap;
use http::uri::{PathAndQuery, Uri};

use super::list;
use super::route::{Query, Route};

/// Scheme, host, path, query; then fields and corte, where the route asks for them, that it was asked for in clear, and the upstream, where another goes by the
/// same name. Each on a line of its own: none of them can hold one.
pub type Key = Arc<str>;

/// Before the corte's ID.
pub const BY_CORTE: &str = "\ncorte ";

/// Where it was asked for in clear and the origin hears of that: it may send to HTTPS whoever asks so.
pub const IN_CLEAR: &str = "\nclear";

/// Before the upstream's place in the list of all.
pub const OF_UPSTREAM: &str = "\nupstream ";

/// Path and query as they go upstream: what the route drops is in neither.
pub fn target(route: &Route, uri: &Uri) -> Option<PathAndQuery> {
    let query = uri.query().unwrap_or_default();
    let kept = match &route.query {
        Query::Keep => return Some(uri.path_and_query()?.clone()),
        Query::Drop => String::new(),
        Query::Sort => sorted(query, |_| true),
        Query::Only(names) => sorted(query, |name| names.iter().any(|known| known == name)),
    };
    let text = if kept.is_empty() { uri.path().to_owned() } else { format!("{}?{kept}", uri.path()) };
    text.parse().ok()
}

/// Parameters in the order of their names; those of one name stay in theirs, for that may mean something.
fn sorted(query: &str, keeps: impl Fn(&str) -> bool) -> String {
    let mut all: Vec<(&str, &str)> = query
        .split('&')
        .filter(|part| !part.is_empty())
        .map(|part| (part.split('=').next().unwrap_or_default(), part))
        .filter(|(name, _)| keeps(name))
        .collect();
    all.sort_by_key(|(name, _)| *name);
    let parts: Vec<&str> = all.into_iter().map(|(_, part)| part).collect();
    parts.join("&")
}

/// `address`: where the request goes, its path and query by [`target`]. `fields`: as the origin hears them.
pub fn key(route: &Route, address: &Uri, fields: &HeaderMap, corte: Option<&str>) -> Key {
    let mut text = address.to_string();
    for name in &route.headers {
        text.push('\n');
        text.push_str(name.as_str());
        if fields.contains_key(name) {
            text.push(':');
            let members = list::of(fields, name).members;
            // What is no text is kept apart all the same.
            text.extend(members.join(&b","[..]).iter().map(|byte| char::from(*byte)));
        }
    }
    if route.by_corte {
        text.push_str(BY_CORTE);
        text.push_str(corte.unwrap_or_default());
    }
    text.into()
}

/// The address that a key begins with.
pub fn address(key: &str) -> &str {
    key.split('\n').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::route::specimen;
    use super::*;

    fn of(route: &Route, uri: &str, fields: &HeaderMap, corte: Option<&str>) -> String {
        let uri: Uri = uri.parse().unwrap();
        let target = target(route, &uri).unwrap();
        let address = Uri::builder().scheme("http").authority("o.example").path_and_query(target).build().unwrap();
        key(route, &address, fields, corte).to_string()
    }

    #[test]
    fn queries_by_the_routes_rule() {
        let none = HeaderMap::new();
        for (query, asked, expected) in [
            (Query::Keep, "/a?b=2&a=1&", "/a?b=2&a=1&"),
            (Query::Sort, "/a?b=2&a=1&&b=1", "/a?a=1&b=2&b=1"),
            (Query::Sort, "/a?", "/a"),
            (Query::Drop, "/a?b=2", "/a"),
            (Query::Only(vec!["q".into()]), "/a?utm=1&q=x", "/a?q=x"),
            (Query::Only(vec!["q".into()]), "/a?utm=1", "/a"),
        ] {
            let route = Route { query, ..specimen("/") };
            assert_eq!(of(&route, asked, &none, None), format!("http://o.example{expected}"), "{asked}");
        }
    }

    #[test]
    fn fields_and_corte_where_the_route_asks_for_them() {
        let (mut with, none) = (HeaderMap::new(), HeaderMap::new());
        with.append("accept-language", "es , en".parse().unwrap());
        let route = Route { headers: vec!["accept-language".parse().unwrap()], by_corte: true, ..specimen("/") };
        assert_eq!(of(&route, "/", &with, Some("c1")), "http://o.example/\naccept-language:es,en\ncorte c1");
        assert_eq!(of(&route, "/", &none, None), "http://o.example/\naccept-language\ncorte ");
        assert_eq!(of(&specimen("/"), "/", &with, Some("c1")), "http://o.example/");
        assert_eq!(address("http://o.example/\ncorte c1"), "http://o.example/");
    }
}
