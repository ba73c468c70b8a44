//! `[[upstream]]`: where an origin listens, and how long it may take.

use std::cell::LazyCell;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http::uri::PathAndQuery;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};

use crate::base::units;
use crate::config::source::{file, given_or_none, name};
use crate::config::typed::{Given, Section};
use crate::ingest::source::address::Address;
use crate::ingest::source::settings::read_roots;
use crate::proxy::upstream::{Check, HostOut, Origin, Plan, Preface};

/// Addresses of one origin; each is tried in its turn.
const ADDRESSES_MAX: usize = 32;
/// Connections to one origin: towards one address Linux has some 28 000 ports of its own.
const CONNECTIONS_MAX: u64 = 10_000;
/// Requests that wait for a connection: each holds a reader's own.
const WAITING_MAX: u64 = 100_000;

/// From one health check to the next: an answer has to come within it, too.
const INTERVAL_LEAST: Duration = Duration::from_millis(100);
/// Bytes of the path of a health check.
const TARGET_BYTES: usize = 256;

/// One of `addresses`.
struct Listening {
    is_secure: bool,
    origin: Origin,
    /// As `Host` has it: without the port where it is the scheme's.
    host: String,
}

/// Whose certificates this machine believes.
pub type Roots = LazyCell<Vec<CertificateDer<'static>>>;

/// Its name, and all of it; each `None` only where a fault has been noted.
pub fn upstream(section: &Section, folder: &Path, roots: &Roots) -> (Option<String>, Option<Plan>) {
    let name = section.text("name", name).map(|given| given.value);
    let plan = plan(section, folder, roots, name.clone());
    (name, plan)
}

fn plan(section: &Section, folder: &Path, roots: &Roots, name: Option<String>) -> Option<Plan> {
    let addresses = section.list("addresses", listening).and_then(|given| alike(section, given));
    let (http2, forwarded, x_forwarded) =
        (section.truth("http2"), section.truth("forwarded"), section.truth("x_forwarded"));
    let preface = section.text("proxy_protocol", preface);
    let (health, slow) = (health(section), section.text("slow_start", units::duration_or_zero));
    let host = section.text_if_given("host", host_out);
    let ca = section.text("ca", |text| Ok(folder.join(text))).map(|given| file(section, "ca", given, read_roots));
    let time = |key: &str| section.text(key, units::duration).map(|given| given.value);
    let [connect, first_byte, idle, total] = ["connect", "first_byte", "idle", "total"].map(time);
    let connections = section.number("connections", 1..CONNECTIONS_MAX + 1);
    let waiting = section.number("waiting", 0..WAITING_MAX + 1);
    if http2 == Some(true) && preface.as_ref().is_some_and(|given| given.value != Preface::Off) {
        let remedy = "HTTP/2 shares a connection between readers, and this names one: remove it, or `http2`";
        section.fault_of("proxy_protocol", &format!("does not go with `http2 = true`; {remedy}"));
    }
    let (addresses, ca) = (addresses?, given_or_none(ca)?);
    let first = addresses.first()?;
    let tls = if first.is_secure {
        let own = ca.as_deref().unwrap_or_default();
        if own.is_empty() && roots.is_empty() {
            let what = "need a root certificate, and this machine has none: install ca-certificates, or name `ca`";
            section.fault_of("addresses", what);
            return None;
        }
        Some(Arc::new(client(own.iter().chain(roots.iter()))?))
    } else {
        if ca.is_some() {
            section.fault_of("ca", "is for nothing without TLS: write https:// in `addresses`, or remove it");
        }
        None
    };
    Some(Plan {
        name: name?,
        tls,
        http2: http2?,
        host: host?.unwrap_or_else(|| HostOut::Named(first.host.clone())),
        forwarded: forwarded?,
        x_forwarded: x_forwarded?,
        preface: preface?.value,
        health: health?,
        slow_start: slow?.value,
        connect: connect?,
        first_byte: first_byte?,
        idle: idle?,
        total: total?,
        connections: usize::try_from(connections?).ok()?,
        waiting: usize::try_from(waiting?).ok()?,
        origins: addresses.into_iter().map(|listening| listening.origin).collect(),
    })
}

/// How its places are asked whether they are well, if they are. `None` only where a fault has been noted.
fn health(section: &Section) -> Option<Option<Check>> {
    let target = section.text_if_given("health", target);
    let every = section.text("health_interval", interval);
    if section.has("health_interval") && !section.has("health") {
        section.fault_of("health_interval", "is for nothing without `health`: add the path to ask for, or remove it");
    }
    let (target, every) = (target?, every?.value);
    Some(target.map(|target| Check { target, every }))
}

/// TLS with whoever has a certificate by one of these, and with nobody else.
fn client<'c>(roots: impl Iterator<Item = &'c CertificateDer<'static>>) -> Option<ClientConfig> {
    let mut store = RootCertStore::empty();
    // Some of a machine's own may be of no use; those of `ca` have been tried.
    store.add_parsable_certificates(roots.cloned());
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    // The provider has both versions.
    Some(builder.with_safe_default_protocol_versions().ok()?.with_root_certificates(store).with_no_client_auth())
}

/// All of them with one scheme, none of them twice.
fn alike(section: &Section, all: Vec<Given<Listening>>) -> Option<Vec<Listening>> {
    if all.is_empty() || all.len() > ADDRESSES_MAX {
        section.fault_of("addresses", &format!("has {} addresses; expected 1 to {ADDRESSES_MAX}", all.len()));
        return None;
    }
    let mut kept: Vec<Listening> = Vec::new();
    let mut is_well = true;
    for Given { value, span } in all {
        let why = if kept.first().is_some_and(|first| first.is_secure != value.is_secure) {
            "http:// and https:// do not go together; make two upstreams of them"
        } else if kept.iter().any(|other| other.origin == value.origin) {
            "this one is there twice"
        } else {
            kept.push(value);
            continue;
        };
        is_well = false;
        section.note(span, format!("`upstream.addresses`: {why}"));
    }
    is_well.then_some(kept)
}

fn listening(text: &str) -> Result<Listening, String> {
    if text.contains('@') {
        return Err("an address holds no user or password here".into());
    }
    let address = Address::parse(text)?;
    let rest = text.trim().split_once("://").map_or("", |(_, rest)| rest);
    if !matches!(rest.find(['/', '?', '#']).map_or("", |at| &rest[at..]), "" | "/") {
        return Err("an address has no path here; readers' own paths go upstream as they are".into());
    }
    let origin = address.origin();
    let bare = host(&origin.host)?;
    if origin.port == 0 {
        return Err("its port is no port".into());
    }
    let is_usual = origin.port == if origin.is_secure { 443 } else { 80 };
    let host = if is_usual { origin.host.clone() } else { format!("{}:{}", origin.host, origin.port) };
    Ok(Listening { is_secure: origin.is_secure, origin: Origin { host: bare, port: origin.port }, host })
}

/// A name that can be resolved or an address, without brackets.
fn host(text: &str) -> Result<String, String> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let is_host = ServerName::try_from(bare).is_ok() && bare.contains(':') == (bare.len() < text.len());
    is_host.then(|| bare.to_owned()).ok_or_else(|| format!("`{text}` is no host"))
}

fn interval(text: &str) -> Result<Duration, String> {
    let every = units::duration(text)?;
    let why = || format!("`{text}` is less than {INTERVAL_LEAST:?}: that would be a load of its own");
    (every >= INTERVAL_LEAST).then_some(every).ok_or_else(why)
}

fn preface(text: &str) -> Result<Preface, String> {
    match text {
        "off" => Ok(Preface::Off),
        "v1" => Ok(Preface::V1),
        "v2" => Ok(Preface::V2),
        _ => Err(String::new()),
    }
}

/// As it stands in a request's first line.
fn target(text: &str) -> Result<PathAndQuery, String> {
    let fits = text.starts_with('/') && text.len() <= TARGET_BYTES && text.bytes().all(|b| b.is_ascii_graphic());
    let target = PathAndQuery::try_from(text).ok().filter(|target| fits && target.as_str() == text);
    target.ok_or_else(String::new)
}

/// `client`, or `HOST` or `HOST:PORT`.
fn host_out(text: &str) -> Result<HostOut, String> {
    if text == "client" {
        return Ok(HostOut::Client);
    }
    let is_host =
        text.bytes().all(|b| b.is_ascii_graphic() && b != b'/') && listening(&format!("http://{text}")).is_ok();
    is_host.then(|| HostOut::Named(text.to_ascii_lowercase())).ok_or_else(String::new)
}
