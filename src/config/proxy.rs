//! `[proxy]`, `[[upstream]]` and `[[route]]`: what is not in the package, and whose it is.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http::header::HeaderName;
use http::uri::Authority;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};

use super::typed::{Given, Section};
use crate::base::units;
use crate::ingest::source::address::Address;
use crate::ingest::source::settings::{read_roots, system_roots, unreadable};
use crate::proxy::corridor::Settings;
use crate::proxy::list::is_token;
use crate::proxy::route::{Query, Route};
use crate::proxy::upstream::{HostOut, Origin, Plan};

/// Upstreams and routes; a newspaper has a handful.
const SEVERAL_MAX: usize = 64;
/// Connections to one upstream at most: each takes a descriptor.
const CONNECTIONS_MAX: u64 = 4_096;
/// Requests that may wait for a connection to one upstream.
const WAITING_MAX: u64 = 100_000;

/// Without routes, there is none. The outer `None` only where a fault has been noted.
pub fn proxy(top: &Section, folder: &Path) -> Option<Option<Settings>> {
    let section = top.section("proxy");
    let name = section.text("name", token);
    let (memory, object) = (section.text("memory", units::size), section.text("object", units::size));
    let upstreams: Vec<_> = top.sections("upstream").iter().map(|section| upstream(section, folder)).collect();
    let upstreams: Option<Vec<Plan>> = upstreams.into_iter().collect();
    let known: Vec<&str> = upstreams.iter().flatten().map(|plan| plan.name.as_str()).collect();
    let sections = top.sections("route");
    let routes: Vec<_> = sections.iter().enumerate().map(|(n, section)| route(section, n + 1, &known)).collect();
    let routes: Option<Vec<Route>> = routes.into_iter().collect();
    if sections.len().max(known.len()) > SEVERAL_MAX {
        top.missing(&format!("{SEVERAL_MAX} upstreams and as many routes are the most"));
    }
    together(top, &known, routes.as_deref().unwrap_or_default());
    let (memory, object) = (memory?, object?);
    if object.value > memory.value {
        section.fault_of("object", "is larger than `memory`: nothing of that size could be kept");
    }
    let (upstreams, routes) = (upstreams?, routes?);
    if routes.is_empty() {
        return Some(None);
    }
    let (memory_bytes, object_bytes) = (memory.value, object.value);
    Some(Some(Settings { name: name?.value, upstreams, routes, memory_bytes, object_bytes }))
}

/// Faults of which no section alone is guilty.
fn together(top: &Section, upstreams: &[&str], routes: &[Route]) {
    let mut names = HashSet::new();
    for name in upstreams {
        if !names.insert(*name) {
            top.missing(&format!("two upstreams have the name `{name}`; give each its own"));
        }
    }
    let (mut names, mut places) = (HashSet::new(), HashSet::new());
    for route in routes {
        if !names.insert(&route.name) {
            top.missing(&format!("two routes have the name `{}`; give each its own", route.name));
        }
        if !places.insert((&route.host, &route.prefix)) {
            top.missing(&format!("two routes have the path `{}` of the same host; remove one", route.prefix));
        }
    }
}

fn upstream(section: &Section, folder: &Path) -> Option<Plan> {
    let name = section.text("name", name);
    let addresses = section.list("addresses", origin);
    let http2 = section.truth("http2");
    let host = section.text("host", |text| Ok(text.to_owned()));
    let forwarded = section.truth("forwarded");
    let ca = section.text("ca", |text| Ok(folder.join(text)));
    let extra = ca.map(|given| {
        let read = std::fs::read(&given.value).map_err(|error| unreadable(&error)).and_then(|pem| read_roots(&pem));
        let fault = |why| section.note(given.span, format!("`upstream.ca`: {}: {why}", given.value.display()));
        read.map_err(fault).ok()
    });
    let [connect, first_byte, idle, total] =
        ["connect", "first_byte", "idle", "total"].map(|key| section.text(key, units::duration));
    let connections = section.number("connections", 1..CONNECTIONS_MAX + 1);
    let waiting = section.number("waiting", 0..WAITING_MAX + 1);
    let addresses = addresses?;
    let Some(first) = addresses.first().map(|given| given.value.clone()) else {
        section.fault_of("addresses", "is empty; name at least one, such as [\"http://127.0.0.1:8081\"]");
        return None;
    };
    if let Some(other) = addresses.iter().find(|given| given.value.0 != first.0) {
        section.note(other.span.clone(), "`upstream.addresses`: http and https are mixed; make two upstreams".into());
    }
    let extra = match extra {
        Some(read) => read?,
        None => Vec::new(),
    };
    let tls = first.0.then(|| client(section, extra)).flatten();
    Some(Plan {
        name: name?.value,
        origins: addresses.iter().map(|given| given.value.1.clone()).collect(),
        tls,
        http2: http2?,
        host: named(section, host, &first)?,
        forwarded: forwarded?,
        connect: connect?.value,
        first_byte: first_byte?.value,
        idle: idle?.value,
        total: total?.value,
        connections: usize::try_from(connections?).ok()?,
        waiting: usize::try_from(waiting?).ok()?,
    })
}

/// What `Host` says: by default where the first address is.
fn named(section: &Section, host: Option<Given<String>>, first: &(bool, Origin)) -> Option<HostOut> {
    let Some(given) = host else {
        let (is_secure, Origin { host, port }) = first;
        let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        let usual = if *is_secure { 443 } else { 80 };
        return Some(HostOut::Named(if *port == usual { host } else { format!("{host}:{port}") }));
    };
    if given.value == "client" {
        return Some(HostOut::Client);
    }
    if given.value.parse::<Authority>().is_ok_and(|authority| !authority.as_str().contains('@')) {
        return Some(HostOut::Named(given.value));
    }
    section.note(given.span, format!("`upstream.host`: `{}` is neither \"client\" nor a host name", given.value));
    None
}

fn client(section: &Section, extra: Vec<CertificateDer<'static>>) -> Option<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(extra.into_iter().chain(system_roots()));
    if roots.is_empty() {
        section.missing("`upstream`: this machine has no root certificates; install ca-certificates, or name `ca`");
        return None;
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    // The provider has the usual versions: this does not fail.
    let builder = builder.with_safe_default_protocol_versions().ok()?;
    Some(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
}

fn route(section: &Section, number: usize, upstreams: &[&str]) -> Option<Route> {
    let name = section.text("name", name);
    let host = section.text("host", host);
    let path = section.text("path", prefix);
    let upstream = section.text("upstream", |text| Ok(text.to_owned()));
    let place = upstream.and_then(|given| {
        let place = upstreams.iter().position(|known| *known == given.value);
        if place.is_none() {
            let known = if upstreams.is_empty() { "there is none".into() } else { upstreams.join(", ") };
            section
                .note(given.span, format!("`route.upstream`: no `[[upstream]]` is named `{}` ({known})", given.value));
        }
        place
    });
    let (first, cache) = (section.truth("first"), section.truth("cache"));
    let parameters = section.list("parameters", |text| Ok(text.to_owned()));
    let query = section.text("query", |text| match text {
        "keep" | "sort" | "drop" | "only" => Ok(text.to_owned()),
        _ => Err(String::new()),
    });
    let headers = section.list("headers", |text| {
        HeaderName::from_bytes(text.as_bytes()).map_err(|_| format!("`{text}` is no field's name"))
    });
    let (by_corte, results) = (section.truth("by_corte"), section.truth("results"));
    let [stale_if_error, negative, wait] =
        ["stale_if_error", "negative", "wait"].map(|key| section.text(key, units::duration));
    let body_bytes = section.text("body_bytes", units::size);
    let parameters: Vec<String> = parameters?.into_iter().map(|given| given.value).collect();
    let query = match query?.value.as_str() {
        "sort" => Query::Sort,
        "drop" => Query::Drop,
        "only" if parameters.is_empty() => {
            section.fault_of("query", "is \"only\": name the `parameters` that count");
            return None;
        }
        "only" => Query::Only(parameters.clone()),
        _ => Query::Keep,
    };
    if !parameters.is_empty() && !matches!(query, Query::Only(_)) {
        section.fault_of("parameters", "is for `query = \"only\"`");
    }
    let (path, first) = (path?.value, first?);
    if first && path == "/" {
        section.fault_of("first", "with the path `/` would hide the package: name a longer path, or leave it out");
    }
    let seconds = |given: Option<Given<Duration>>| given.map_or(Duration::ZERO, |given| given.value);
    Some(Route {
        number: 0,
        name: name.map_or(format!("route-{number}"), |given| given.value),
        host: host.map(|given| given.value),
        prefix: path,
        upstream: place?,
        before_package: first,
        cache: cache?,
        query,
        headers: headers?.into_iter().map(|given| given.value).collect(),
        by_corte: by_corte?,
        results: results?,
        stale_if_error: seconds(stale_if_error),
        negative: seconds(negative),
        wait: wait?.value,
        body_bytes: body_bytes?.value,
    })
}

/// Whether it is by TLS, and where.
fn origin(text: &str) -> Result<(bool, Origin), String> {
    let address = Address::parse(text)?;
    let rest = text.split_once("://").map_or("", |(_, rest)| rest).trim_end_matches('/');
    if rest.contains(['/', '?', '@']) {
        return Err(format!(
            "`{text}` has more than scheme, host and port; a route's `path` says which paths go there"
        ));
    }
    let origin = address.origin();
    let host = origin.host.trim_matches(['[', ']']).to_owned();
    Ok((origin.is_secure, Origin { host, port: origin.port }))
}

fn token(text: &str) -> Result<String, String> {
    is_token(text.as_bytes()).then(|| text.to_owned()).ok_or_else(String::new)
}

fn name(text: &str) -> Result<String, String> {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let is_name = (1..=32).contains(&text.len()) && text.bytes().all(fits);
    is_name.then(|| text.to_owned()).ok_or_else(String::new)
}

fn host(text: &str) -> Result<String, String> {
    let is_host = text.parse::<Authority>().is_ok_and(|host| host.as_str() == host.host());
    is_host.then(|| text.to_ascii_lowercase()).ok_or_else(String::new)
}

fn prefix(text: &str) -> Result<String, String> {
    let fits = |b: u8| b.is_ascii_graphic() && !b"\"<>\\^`{|}?#".contains(&b);
    if !text.starts_with('/') || !text.bytes().all(fits) {
        return Err(String::new());
    }
    if text == "/.prep" || text.starts_with("/.prep/") {
        return Err("what is below /.prep/ is our own".into());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use toml::de::DeTable;

    use super::super::faults::Notes;
    use super::*;

    fn parsed(text: &str) -> Result<Option<Settings>, String> {
        let notes = RefCell::new(Notes::new(text));
        let document = DeTable::parse(text).unwrap();
        let settings = proxy(&Section::top(document.get_ref(), &notes), Path::new("/nowhere"));
        notes.into_inner().into_faults("d.toml").map_err(|faults| faults.to_string())?;
        Ok(settings.expect("a fault that was not noted"))
    }

    const UPSTREAM: &str = "[[upstream]]\nname = \"o\"\naddresses = [\"http://127.0.0.1:81\"]\n";

    #[test]
    fn the_least_that_is_needed_has_all_defaults() {
        assert!(parsed("").unwrap().is_none() && parsed(UPSTREAM).unwrap().is_none());
        let settings = parsed(&format!("{UPSTREAM}[[route]]\nupstream = \"o\"\n")).unwrap().unwrap();
        let (route, plan) = (&settings.routes[0], &settings.upstreams[0]);
        assert_eq!(
            (settings.name.as_str(), settings.memory_bytes, settings.object_bytes),
            ("difusor", 256 << 20, 16 << 20)
        );
        assert_eq!(
            (route.name.as_str(), route.prefix.as_str(), route.cache, &route.query),
            ("route-1", "/", true, &Query::Keep)
        );
        assert_eq!((route.stale_if_error, route.negative, route.body_bytes), (Duration::ZERO, Duration::ZERO, 1 << 20));
        assert_eq!(plan.host, HostOut::Named("127.0.0.1:81".into()));
        assert_eq!(plan.origins, [Origin { host: "127.0.0.1".into(), port: 81 }]);
        assert!(plan.tls.is_none() && !plan.http2 && plan.forwarded);
    }

    #[test]
    fn all_faults_are_told_at_once() {
        let text = "[proxy]\nmemory = \"1 MiB\"\nname = \"a b\"\n\
            [[upstream]]\nname = \"o\"\naddresses = [\"http://a/x\", \"ftp://b\"]\nconnections = 0\n\
            [[upstream]]\nname = \"p\"\naddresses = []\n\
            [[upstream]]\nname = \"q\"\naddresses = [\"http://a\"]\nhost = \"a b\"\n\
            [[route]]\nupstream = \"nadie\"\npath = \"x\"\nheaders = [\"a b\"]\n\
            [[route]]\nupstream = \"o\"\npath = \"/.prep/x\"\nquery = \"most\"\n";
        let told = parsed(text).unwrap_err();
        for expected in [
            "d.toml:3:8: `proxy.name`: expected",
            "d.toml:6:14: `upstream.addresses`: `http://a/x` has more than scheme",
            "d.toml:6:28: `upstream.addresses`: ",
            "d.toml:7:15: `upstream.connections`: expected 1 to 4096",
            "`upstream.addresses` is empty",
            "d.toml:14:8: `upstream.host`: `a b` is neither",
            "d.toml:16:12: `route.upstream`: no `[[upstream]]` is named `nadie`",
            "d.toml:17:8: `route.path`: expected",
            "d.toml:18:12: `route.headers`: `a b` is no field's name",
            "d.toml:21:8: `route.path`: what is below /.prep/ is our own",
            "d.toml:22:9: `route.query`: expected",
            "`proxy.object` is larger than `memory`",
        ] {
            assert!(told.contains(expected), "{expected}\nnot in\n{told}");
        }
    }

    #[test]
    fn routes_that_contradict_each_other_or_the_package() {
        let route = |lines: &str| format!("{UPSTREAM}[[route]]\nupstream = \"o\"\n{lines}\n");
        for (text, expected) in [
            (route("first = true"), "would hide the package"),
            (route("query = \"only\""), "name the `parameters`"),
            (route("parameters = [\"a\"]"), "is for `query = \"only\"`"),
            (route("[[route]]\nupstream = \"o\""), "two routes have the path `/`"),
            (
                route("name = \"r\"\n[[route]]\nupstream = \"o\"\nname = \"r\"\npath = \"/a\""),
                "two routes have the name `r`",
            ),
            (format!("{UPSTREAM}{UPSTREAM}"), "two upstreams have the name `o`"),
        ] {
            let told = parsed(&text).unwrap_err();
            assert!(told.contains(expected), "{expected}\nnot in\n{told}");
        }
        assert!(
            parsed(&route("query = \"only\"\nparameters = [\"q\"]\nhost = \"a.example\"\nfirst = true\npath = \"/a\""))
                .is_ok()
        );
    }
}
