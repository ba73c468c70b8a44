//! Faults of the proxy's sections, and what becomes of those that have none.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::base::units::{KIB, MIB};
use crate::config::{parse, table};
use crate::proxy::corridor::Settings;
use crate::proxy::route::Query;
use crate::proxy::upstream::{HostOut, Origin, Preface};

/// Five lines; what is tested begins on the sixth.
const LEAST: &str = "election = \"e\"\ntrust = \"checksums\"\nincoming = \".\"\n[listen]\nhttp = [\"[::]:80\"]\n";
const A: &str = "[[upstream]]\nname = \"a\"\naddresses = [\"http://a.example\"]\n";
const TO_A: &str = "[[route]]\nupstream = \"a\"\n";

fn read_in(folder: &Path, text: &str) -> Result<Option<Settings>, String> {
    let parsed = parse(&format!("{LEAST}{text}"), "d.toml", folder);
    parsed.map(|settings| settings.proxy).map_err(|faults| faults.to_string())
}

fn read(text: &str) -> Result<Option<Settings>, String> {
    read_in(tempfile::tempdir().unwrap().path(), text)
}

/// The faults are these, one a line and no other.
#[track_caller]
fn faulty(text: &str, expected: &[&str]) {
    let told = read(text).unwrap_err();
    for expected in expected {
        assert!(told.contains(expected), "{expected}\nnot in\n{told}");
    }
    assert_eq!(told.lines().count(), expected.len(), "{told}");
}

#[test]
fn without_routes_nothing_is_asked_of_anybody() {
    assert!(read("").unwrap().is_none());
    faulty("[proxy]\n", &["d.toml:6:1: `proxy` is for nobody without a `[[route]]`"]);
    faulty(A, &["d.toml:7:8: `upstream.name` is in no `[[route]]`"]);
}

#[test]
fn an_address_and_a_route_are_all_it_takes() {
    let settings = read(&format!("{A}{TO_A}")).unwrap().unwrap();
    assert_eq!(
        (settings.name.as_str(), settings.memory_bytes, settings.object_bytes),
        ("difusor", 256 * MIB, 16 * MIB)
    );
    let plan = &settings.upstreams[0];
    assert_eq!(plan.origins, [Origin { host: "a.example".into(), port: 80 }]);
    assert_eq!(plan.host, HostOut::Named("a.example".into()));
    assert!(plan.tls.is_none() && !plan.http2 && plan.forwarded && plan.x_forwarded);
    assert_eq!((plan.preface, &plan.health, plan.slow_start), (Preface::Off, &None, Duration::ZERO));
    let seconds = [plan.connect, plan.first_byte, plan.idle, plan.total].map(|time| time.as_secs());
    assert_eq!((seconds, plan.connections, plan.waiting), ([3, 10, 10, 60], 64, 1024));
    let route = &settings.routes[0];
    assert_eq!((route.name.as_str(), route.prefix.as_str(), route.upstream), ("route-1", "/", 0));
    assert_eq!((route.host.as_deref(), &route.query, route.headers.len()), (None, &Query::Keep, 0));
    assert!(route.cache && !route.before_package && !route.by_corte && !route.results);
    assert_eq!((route.stale_if_error, route.negative), (Duration::ZERO, Duration::ZERO));
    assert_eq!((route.wait, route.body_bytes), (Duration::from_secs(10), MIB));
}

#[test]
fn what_is_given_is_taken() {
    let dir = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["a.example".to_owned()]).unwrap();
    fs::write(dir.path().join("ca.pem"), made.cert.pem()).unwrap();
    let text = "[proxy]\nmemory = \"64 KiB\"\nname = \"difusor-2\"\n\
        [[upstream]]\nname = \"b\"\naddresses = [\"https://[::1]:8443\", \"https://B.example/\"]\nhttp2 = true\n\
        ca = \"ca.pem\"\nforwarded = false\nidle = \"2m\"\nwaiting = 0\n\
        [[upstream]]\nname = \"a\"\naddresses = [\"http://10.0.0.1:8080\"]\nhost = \"client\"\n\
        proxy_protocol = \"v2\"\nx_forwarded = false\nslow_start = \"10s\"\nhealth = \"/salud?v=1\"\nhealth_interval = \"500ms\"\n\
        [[upstream]]\nname = \"c\"\naddresses = [\"http://c\"]\nhost = \"WWW.c.example:81\"\n\
        [[route]]\nupstream = \"a\"\nhost = \"A.example\"\nfirst = true\nquery = \"only\"\nparameters = [\"p\", \"q\"]\n\
        headers = [\"Accept-Language\"]\n\
        [[route]]\nupstream = \"b\"\npath = \"/actas/\"\nname = \"actas\"\nresults = true\nby_corte = true\nfirst = true\n\
        cache = false\nquery = \"drop\"\nstale_if_error = \"10m\"\nnegative = \"5s\"\nwait = \"1s\"\nbody_bytes = \"0 B\"\n\
        [[route]]\nupstream = \"c\"\nquery = \"sort\"\n";
    let settings = read_in(dir.path(), text).unwrap().unwrap();
    assert_eq!((settings.memory_bytes, settings.object_bytes), (64 * KIB, 64 * KIB), "one answer fits in all");
    assert_eq!(settings.name, "difusor-2");
    let [b, a, c] = &settings.upstreams[..] else { panic!("{settings:?}") };
    assert_eq!(b.origins, [("::1", 8443), ("b.example", 443)].map(|(host, port)| Origin { host: host.into(), port }));
    assert!(b.tls.is_some() && b.http2 && !b.forwarded && b.idle == Duration::from_secs(120) && b.waiting == 0);
    assert_eq!((b.preface, a.preface, a.forwarded, a.x_forwarded), (Preface::Off, Preface::V2, true, false));
    let check = a.health.as_ref().unwrap();
    assert_eq!((check.target.as_str(), check.every), ("/salud?v=1", Duration::from_millis(500)));
    assert_eq!((a.slow_start, &b.health), (Duration::from_secs(10), &None));
    let hosts = [b, a, c].map(|plan| plan.host.clone());
    let named = |text: &str| HostOut::Named(text.into());
    assert_eq!(hosts, [named("[::1]:8443"), HostOut::Client, named("www.c.example:81")]);
    let [first, actas, rest] = &settings.routes[..] else { panic!("{settings:?}") };
    assert_eq!((first.upstream, first.host.as_deref(), first.before_package), (1, Some("a.example"), true));
    assert_eq!(first.query, Query::Only(vec!["p".into(), "q".into()]));
    assert_eq!(first.headers, ["accept-language"]);
    assert_eq!((actas.upstream, actas.prefix.as_str(), actas.name.as_str()), (0, "/actas", "actas"));
    assert!(actas.results && actas.by_corte && !actas.cache && actas.query == Query::Drop && actas.body_bytes == 0);
    let seconds = [actas.stale_if_error, actas.negative, actas.wait].map(|time| time.as_secs());
    assert_eq!((seconds, rest.upstream, &rest.query), ([600, 5, 1], 2, &Query::Sort));
}

#[test]
fn all_faults_of_an_upstream_are_told_at_once() {
    faulty(
        "[proxy]\nmemory = \"1 KiB\"\nobject = \"2 KiB\"\nname = \"1st\"\n\
         [[upstream]]\nname = \"A b\"\naddresses = [\"http://a/x\", \"https://u:p@a\", \"a\", \"http://a:0\", \"http://a_\"]\n\
         http2 = 1\nhost = \"a/b\"\nca = \"none.pem\"\nconnect = \"0s\"\nconnections = 0\nwaiting = -1\nadresses = 1\n\
         [[route]]\nupstream = \"other\"\n",
        &[
            "d.toml:8:10: `proxy.object` is more than `memory`",
            "d.toml:9:8: `proxy.name`: expected 1 to 64",
            "d.toml:11:8: `upstream.name`: expected 1 to 32",
            "d.toml:12:14: `upstream.addresses`: an address has no path",
            "d.toml:12:28: `upstream.addresses`: an address holds no user",
            "d.toml:12:45: `upstream.addresses`: not a URL",
            "d.toml:12:50: `upstream.addresses`: its port is no port",
            "d.toml:13:9: `upstream.http2`: expected true or false",
            "d.toml:14:8: `upstream.host`: expected \"client\"",
            "d.toml:15:6: `upstream.ca`: ",
            "d.toml:16:11: `upstream.connect`: `0s` is not a duration",
            "d.toml:17:15: `upstream.connections`: expected 1 to 10000",
            "d.toml:18:11: `upstream.waiting`: expected",
            "d.toml:19:1: `upstream.adresses` is no setting; did you mean `upstream.addresses`?",
        ],
    );
    faulty(
        &format!("{A}http2 = true\nproxy_protocol = \"v1\"\nhealth_interval = \"1s\"\nslow_start = 10\n{TO_A}"),
        &[
            "d.toml:10:18: `upstream.proxy_protocol` does not go with `http2 = true`",
            "d.toml:11:19: `upstream.health_interval` is for nothing without `health`",
            "d.toml:12:14: `upstream.slow_start`: expected a duration, or \"0s\"",
        ],
    );
    faulty(
        &format!("{A}http2 = 1\nca = \"none.pem\"\nhealth = \"/\"\nhealth_interval = \"99ms\"\n{TO_A}"),
        &[
            "d.toml:9:9: `upstream.http2`: expected true or false",
            "d.toml:10:6: `upstream.ca`: ",
            "d.toml:12:19: `upstream.health_interval`: `99ms` is less than 100ms",
        ],
    );
    for path in ["salud", "", "/a b", "/a#b", "http://a/", "*", "/ñ"] {
        let told = read(&format!("{A}health = \"{path}\"\nproxy_protocol = \"3\"\n{TO_A}")).unwrap_err();
        assert!(told.starts_with("d.toml:9:10: `upstream.health`: expected a path that begins"), "{path}: {told}");
        assert!(told.contains("d.toml:10:18: `upstream.proxy_protocol`: expected \"off\", \"v1\" or \"v2\""), "{told}");
    }
    let of = |addresses: &str| format!("[[upstream]]\nname = \"a\"\naddresses = {addresses}\n{TO_A}");
    faulty(&of("[]"), &["d.toml:8:13: `upstream.addresses` has 0 addresses"]);
    faulty(
        &of("[\"http://a\", \"https://b\", \"http://A:80/\"]"),
        &[
            "d.toml:8:26: `upstream.addresses`: http:// and https:// do not go",
            "d.toml:8:39: `upstream.addresses`: this one is there twice",
        ],
    );
    faulty(&format!("[[upstream]]\n{TO_A}"), &["`upstream.name` is missing", "`upstream.addresses` is missing"]);
    let dir = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["a.example".to_owned()]).unwrap();
    fs::write(dir.path().join("ca.pem"), made.cert.pem()).unwrap();
    let told = read_in(dir.path(), &format!("{A}ca = \"ca.pem\"\n{TO_A}")).unwrap_err();
    assert!(told.contains("d.toml:9:6: `upstream.ca` is for nothing without TLS"), "{told}");
    // Readable, and of no use for TLS: the key.
    fs::write(dir.path().join("ca.pem"), made.signing_key.serialize_pem()).unwrap();
    let text = format!("{A}ca = \"ca.pem\"\n{TO_A}").replace("http://a", "https://a");
    let told = read_in(dir.path(), &text).unwrap_err();
    assert!(told.contains("ca.pem: no certificate in it"), "{told}");
}

#[test]
fn all_faults_of_a_route_are_told_at_once() {
    faulty(
        &format!(
            "{A}[[route]]\nupstream = \"b\"\npath = \"actas\"\nhost = \"a:80\"\nname = \"A\"\nfirst = \"yes\"\n\
             query = \"all\"\nparameters = [\"a&b\"]\nheaders = [\"a b\", \"Host\"]\nstale_if_error = \"0\"\nnegative = 0\n\
             wait = \"0s\"\nbody_bytes = 1\ncahe = true\n"
        ),
        &[
            "d.toml:10:12: `route.upstream`: there is no upstream `b`: add an `[[upstream]]` with that name beside `a`",
            "d.toml:11:8: `route.path`: `actas` does not begin with `/`",
            "d.toml:12:8: `route.host`: expected a host name",
            "d.toml:13:8: `route.name`: expected 1 to 32",
            "d.toml:14:9: `route.first`: expected true or false",
            "d.toml:15:9: `route.query`: expected \"keep\"",
            "d.toml:16:15: `route.parameters`: `a&b` is no name of a parameter",
            "d.toml:17:12: `route.headers`: `a b` is no name of a field",
            "d.toml:17:19: `route.headers`: `host` tells no answers apart",
            "d.toml:18:18: `route.stale_if_error`: `0` is not a duration",
            "d.toml:19:12: `route.negative`: expected a duration",
            "d.toml:20:8: `route.wait`: `0s` is not a duration",
            "d.toml:21:14: `route.body_bytes`: expected a size",
            "d.toml:22:1: `route.cahe` is no setting; did you mean `route.cache`?",
        ],
    );
    faulty("[[route]]\n", &["`route.upstream` is missing"]);
    faulty(
        "[[route]]\nupstream = \"a\"\n",
        &["d.toml:7:12: `route.upstream`: there is no upstream `a`: add an `[[upstream]]` with that name, or"],
    );
}

#[test]
fn paths_are_compared_with_what_comes_so_they_are_written_as_it_comes() {
    let path =
        |path: &str| read(&format!("{A}{TO_A}path = \"{path}\"\n")).map(|read| read.unwrap().routes[0].prefix.clone());
    for (given, taken) in [("/", "/"), ("/a/", "/a"), ("/a-b/~c.d", "/a-b/~c.d"), ("/caf%C3%A9", "/caf%C3%A9")] {
        assert_eq!(path(given).as_deref(), Ok(taken));
    }
    for (given, why) in [
        ("", "does not begin with `/`"),
        ("/a b", "no path of a URL"),
        ("/café", "no path of a URL"),
        ("/a?b", "no path of a URL"),
        ("/%2eprep/c", "no path of a URL"),
        ("/%zz", "no path of a URL"),
        ("/a%2", "no path of a URL"),
        ("//", "empty"),
        ("/a//b", "empty"),
        ("/a/../b", "`..`"),
        ("/.prep", "the service's own"),
        ("/.prep/", "the service's own"),
        ("/.prep/c/1", "the service's own"),
    ] {
        let told = path(given).unwrap_err();
        assert!(told.starts_with("d.toml:11:8: `route.path`: ") && told.contains(why), "{given}: {told}");
        assert_eq!(told.lines().count(), 1, "{told}");
    }
    assert_eq!(path("/.prep2").as_deref(), Ok("/.prep2"));
}

#[test]
fn sections_fit_together() {
    faulty(&format!("{A}{A}{TO_A}"), &["d.toml:10:8: `upstream.name` is that of an earlier `[[upstream]]`"]);
    faulty(
        &format!("{A}[[route]]\nname = \"route-2\"\nupstream = \"a\"\n{TO_A}path = \"/x\"\n"),
        &["d.toml:12:1: `route.name` `route-2` is that of an earlier"],
    );
    faulty(
        &format!("{A}{TO_A}{TO_A}path = \"/\"\n"),
        &["d.toml:13:8: `route.path` `/` has an earlier `[[route]]` for the same host"],
    );
    faulty(
        &format!("{A}{TO_A}path = \"/x\"\nhost = \"a\"\n{TO_A}path = \"/x/\"\nhost = \"A\"\nfirst = true\n"),
        &["d.toml:15:8: `route.path` `/x` has an earlier"],
    );
    assert!(read(&format!("{A}{TO_A}path = \"/x\"\nhost = \"a\"\n{TO_A}path = \"/x\"\n")).is_ok());
    faulty(&format!("{A}{TO_A}first = true\n"), &["d.toml:11:9: `route.first` with `path = \"/\"` would hide"]);
    assert!(read(&format!("{A}{TO_A}first = true\nhost = \"www.a.example\"\n")).is_ok());
    faulty(
        &format!("{A}{TO_A}parameters = [\"p\"]\n"),
        &["d.toml:11:14: `route.parameters` is for `query = \"only\"`"],
    );
    faulty(&format!("{A}{TO_A}query = \"only\"\n"), &["d.toml:11:9: `route.query` needs `parameters`"]);
    faulty(
        &format!("{A}{TO_A}query = \"only\"\nparameters = [\"p\", \"p\"]\nheaders = [\"a\", \"A\"]\n"),
        &["`route.parameters`: this one is there twice", "`route.headers`: this one is there twice"],
    );
}

/// Without TLS, so that nothing depends on the roots of this machine.
#[test]
fn the_examples_that_people_copy_have_no_fault() {
    for (text, count) in [(include_str!("../../../README.md"), 2), (include_str!("../../../docs/es/manual.md"), 2)] {
        let blocks = text.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next());
        let examples: Vec<_> = blocks.filter(|block| block.contains("[[route]]")).collect();
        assert_eq!(examples.len(), 1);
        let settings = read(&examples[0].replace("https://", "http://")).unwrap().unwrap();
        assert_eq!(settings.routes.len(), count);
    }
}

/// The three sections of the printed example, all of them uncommented.
#[test]
fn the_example_is_one_that_works() {
    let example = table::example();
    let from = example.find("# [proxy]").unwrap();
    let until = example[from..].find("\n[").map_or(example.len(), |at| from + at);
    // A comment above each setting, which stays one.
    let lines = example[from..until].lines().map(|line| {
        let bare = line.strip_prefix("# ").unwrap_or(line);
        let key = bare.split(' ').next().unwrap_or_default();
        let is_setting = bare.starts_with('[') || bare[key.len()..].starts_with(" = ");
        if is_setting { bare } else { line }
    });
    let text: String = lines.map(|line| format!("{line}\n")).collect();
    let dir = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["a.example".to_owned()]).unwrap();
    fs::write(dir.path().join("autoridad.pem"), made.cert.pem()).unwrap();
    let settings = read_in(dir.path(), &text).unwrap().unwrap();
    assert!(settings.upstreams[0].tls.is_some(), "{text}");
    assert!(settings.routes[0].before_package && settings.routes[0].results, "{text}");
}
