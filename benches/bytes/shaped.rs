//! A link of a known rate, for real: two network namespaces and a virtual wire, whose server's end a token bucket holds back.

use std::fs::File;
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::process::{Command, Stdio};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// Of TEST-NET-2 (RFC 5737), in namespaces that lead nowhere else.
const SERVER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);
const READERS: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 2);
pub const MBIT: u64 = 10;

/// Both namespaces; they go with this.
pub struct Link {
    near: String,
    far: String,
}

impl Link {
    /// Or why there is none.
    pub fn new() -> Result<Link, String> {
        let id = std::process::id();
        let link = Link { near: format!("difusor-a-{id}"), far: format!("difusor-b-{id}") };
        let (near, far, end, other) = (&link.near, &link.far, format!("dfa{id}"), format!("dfb{id}"));
        for line in [
            format!("ip netns add {near}"),
            format!("ip netns add {far}"),
            format!("ip link add {end} netns {near} type veth peer name {other} netns {far}"),
            format!("ip -n {near} addr add {SERVER}/30 dev {end}"),
            format!("ip -n {far} addr add {READERS}/30 dev {other}"),
            format!("ip -n {near} link set lo up"),
            format!("ip -n {near} link set {end} up"),
            format!("ip -n {far} link set {other} up"),
            format!("ip netns exec {near} tc qdisc add dev {end} root tbf rate {MBIT}mbit burst 16kb latency 200ms"),
        ] {
            run(&line)?;
        }
        Ok(link)
    }

    pub fn server(&self) -> Ipv4Addr {
        SERVER
    }

    /// What a command is run by at the server's end.
    pub fn through(&self) -> Vec<String> {
        ["ip", "netns", "exec", &self.near].map(String::from).into()
    }

    /// Runs `what` on a thread whose sockets are at the readers' end.
    pub fn far<R: Send>(&self, what: impl FnOnce() -> R + Send) -> R {
        std::thread::scope(|scope| {
            let there = scope.spawn(|| {
                let place = File::open(format!("/run/netns/{}", self.far)).unwrap();
                move_into_link_name_space(place.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
                what()
            });
            there.join().unwrap()
        })
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        for name in [&self.near, &self.far] {
            let _ = run(&format!("ip netns del {name}"));
        }
    }
}

fn run(line: &str) -> Result<(), String> {
    let words: Vec<&str> = line.split(' ').collect();
    let out = Command::new(words[0]).args(&words[1..]).stdin(Stdio::null()).output();
    let out = out.map_err(|error| format!("`{line}`: {error}"))?;
    match out.status.success() {
        true => Ok(()),
        false => Err(format!("`{line}`: {}", String::from_utf8_lossy(&out.stderr).trim())),
    }
}
