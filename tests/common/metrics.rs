//! What the service counts, read through the operators' socket.

use std::io::{BufReader, Write};
use std::os::unix::net::UnixStream;

use super::server::{DEADLINE, Site, until};
use super::wire::Response;

/// All of it.
pub fn metrics(site: &Site) -> String {
    let mut stream = UnixStream::connect(site.path("state/admin.sock")).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let response = Response::read(&mut BufReader::new(stream), false).unwrap();
    String::from_utf8(response.body).unwrap()
}

/// One number, by its name and labels; 0 where there is none yet.
pub fn metric(site: &Site, name: &str) -> u64 {
    let text = metrics(site);
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.map_or(0, |value| value.parse().unwrap())
}

/// How many were refused for this reason.
pub fn turned_away(site: &Site, reason: &str) -> u64 {
    metric(site, &format!("difusor_turned_away_total{{reason=\"{reason}\"}}"))
}

/// Waits until at least so many were.
pub fn are_turned_away(site: &Site, reason: &str, at_least: u64) {
    let are = until(|| (turned_away(site, reason) >= at_least).then_some(()));
    are.unwrap_or_else(|| panic!("{} for {reason}, not {at_least}", turned_away(site, reason)));
}
