//! Where to listen, and what clients may ask for.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use super::typed::{Given, Section};
use crate::base::network::Network;
use crate::base::{pool, units};
use crate::http::clients::{self, Rules};
use crate::http::forwarded::{Field, Forwarders};
use crate::http::patience::Patience;
use crate::http::tickets::Tickets;
use crate::http::{self, Listen, tls};

/// Most serving threads; more than any machine that this runs on has cores.
const THREADS_MAX: u64 = 512;
/// Requests a second, and at once: more than one machine answers.
const REQUESTS_MAX: u64 = 1_000_000;
/// Most connections; each takes a descriptor, of which Linux gives a process at most about a million.
const CONNECTIONS_MAX: u64 = 1_000_000;

pub fn http(top: &Section, folder: &Path) -> Option<http::Settings> {
    let threads = top.number("threads", 0..THREADS_MAX + 1);
    let section = top.section("listen");
    let clear = section.list("http", address);
    let secure = section.list("https", address);
    let redirect = section.truth("redirect");
    let limits = top.section("limits");
    let connections = limits.number("connections", 1..CONNECTIONS_MAX + 1);
    let (clients, patience) = (clients(&limits, &section), patience(&limits));
    let grace = top.section("stop").text("grace", units::duration);
    let certificates = certificates(top, folder);
    let (clear, secure) = (clear?, secure?);
    match (secure.first(), certificates.is_empty()) {
        (Some(https), true) => {
            let remedy = "add a `[[certificate]]` with `chain` and `key`";
            section.note(https.span.clone(), format!("`listen.https` needs a certificate: {remedy}"));
        }
        (None, false) => top.missing("a certificate is given, but no address for it: add `https` to `[listen]`"),
        _ => {}
    }
    if clear.is_empty() && secure.is_empty() {
        top.missing("nowhere to listen: add `http` or `https` to `[listen]`, such as `https = [\"[::]:443\"]`");
    }
    let listen = |is_tls| move |given: Given<SocketAddr>| Listen { address: given.value, is_tls };
    Some(http::Settings {
        listen: clear.into_iter().map(listen(false)).chain(secure.into_iter().map(listen(true))).collect(),
        certificates,
        redirect: redirect?,
        threads: match threads? {
            0 => pool::cores(),
            n => usize::try_from(n).ok()?,
        },
        connections_max: usize::try_from(connections?).ok()?,
        grace: grace?.value,
        clients: clients?,
        patience: patience?,
    })
}

fn patience(section: &Section) -> Option<Patience> {
    let seconds = |key| {
        let given = section.text(key, units::duration)?.value;
        u32::try_from(given.as_millis().div_ceil(1_000)).ok()
    };
    let (head, handshake, idle) = (seconds("head"), seconds("handshake"), seconds("idle"));
    let window = seconds("rate_window");
    let (send, receive) = (section.text("send_rate", units::size), section.text("receive_rate", units::size));
    let (send_rate, receive_rate) = (send?.value, receive?.value);
    let (head_s, handshake_s, idle_s, window_s) = (head?, handshake?, idle?, window?);
    Some(Patience { head_s, handshake_s, idle_s, send_rate, receive_rate, window_s })
}

/// Who is believed when he says for whom he speaks.
fn forwarders(listen: &Section) -> Option<Forwarders> {
    let from = listen.list("forwarded_from", Network::read);
    let field = listen.text("forwarded_field", |text| match text {
        "x-forwarded-for" => Ok(Field::XForwardedFor),
        "forwarded" => Ok(Field::Forwarded),
        _ => Err(String::new()),
    });
    Some(Forwarders { from: networks(from)?, field: field?.value })
}

fn networks(given: Option<Vec<Given<Network>>>) -> Option<Vec<Network>> {
    Some(given?.into_iter().map(|given| given.value).collect())
}

fn clients(section: &Section, listen: &Section) -> Option<Rules> {
    let proxy_protocol_from = networks(listen.list("proxy_protocol_from", Network::read));
    let proxy_protocol = listen.text("proxy_protocol", |text| match text {
        "required" => Ok(false),
        "optional" => Ok(true),
        _ => Err(String::new()),
    });
    let forwarders = forwarders(listen);
    let connections = section.number("client_connections", 1..CONNECTIONS_MAX + 1);
    let requests = section.number("client_requests", 0..REQUESTS_MAX + 1);
    let burst = section.number("client_burst", 1..REQUESTS_MAX + 1);
    let number = |n: Option<u64>| u32::try_from(n?).ok();
    let exempt = section.list("client_exempt", Network::read);
    let (connections, requests, burst) = (number(connections)?, number(requests)?, number(burst)?);
    Some(Rules {
        limits: clients::Limits { connections, requests, burst },
        exempt: networks(exempt)?,
        proxy_protocol_from: proxy_protocol_from?,
        proxy_protocol_is_optional: proxy_protocol?.value,
        forwarders: forwarders?,
    })
}

fn certificates(top: &Section, folder: &Path) -> Vec<tls::CertificateFiles> {
    let path = |text: &str| Ok(folder.join(text));
    let mut all = Vec::new();
    for section in top.sections("certificate") {
        let (chain, key) = (section.text("chain", path), section.text("key", path));
        let (Some(chain), Some(key)) = (chain, key) else { continue };
        let files = tls::CertificateFiles { chain: chain.value, key: key.value };
        if let Err(fault) = tls::public(std::slice::from_ref(&files), Arc::new(Tickets::of(b"", 0))) {
            section.note(chain.span, format!("`certificate`: {fault}"));
        }
        all.push(files);
    }
    all
}

pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| format!("`{text}` is not \"ADDRESS:PORT\""))
}
