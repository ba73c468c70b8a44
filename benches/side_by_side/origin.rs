//! The origin behind the proxies: nginx with static files, and how often it was asked.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::thread::sleep;
use std::time::Duration;

use crate::Fault;
use crate::cells::Ask;
use crate::child::{self, Guard, Side};
use crate::inputs::Inputs;
use crate::peers::{self, free_ports};

/// How long it may take to count.
const COUNTS_WITHIN: Duration = Duration::from_secs(5);
/// Requests for each connection that a proxy opens, at least: fewer, and it does not keep them open.
const REQUESTS_A_CONNECTION: u64 = 20;

/// Nothing for so long, and nothing comes any more; and how often that is waited for.
const SETTLE: Duration = Duration::from_millis(100);
const SETTLE_TRIES: u32 = 50;

/// A running origin.
pub struct Origin {
    pub port: u16,
    _server: Guard,
}

/// What an origin has seen since it was started.
#[derive(Clone, Copy)]
pub struct Seen {
    connections: u64,
    requests: u64,
}

impl Origin {
    pub fn start(inputs: &Inputs) -> Result<Origin, Fault> {
        let program = peers::nginx_program()?;
        let (port, _) = free_ports()?;
        let folder = inputs.folder("origin")?;
        inputs.write_site(&folder.join("sitio"), true)?;
        let settings = include_str!("origin.conf")
            .replace("@user@", peers::nginx_user())
            .replace("@folder@", peers::text(&folder)?)
            .replace("@http@", &port.to_string());
        let file = folder.join("nginx.conf");
        fs::write(&file, settings)?;
        let mut command = child::pinned(Side::Origin, program);
        command.arg("-p").arg(&folder).arg("-c").arg(&file);
        let log = folder.join("server.log");
        let mut server = Guard::start(command, &log)?;
        peers::wait_until_ready(&mut server, port, &log)?;
        Ok(Origin { port, _server: server })
    }

    /// Once nothing comes any more of clients who are gone: their last requests are still on their way behind a proxy.
    pub fn settled(&self) -> Result<Seen, Fault> {
        let mut before = self.seen()?;
        for _ in 0..SETTLE_TRIES {
            sleep(SETTLE);
            let now = self.seen()?;
            if now.requests == before.requests + 1 {
                return Ok(now);
            }
            before = now;
        }
        Err("origin: it is asked without a pause".into())
    }

    /// By its own count, which counts this request and its connection too.
    fn seen(&self) -> Result<Seen, Fault> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        stream.set_read_timeout(Some(COUNTS_WITHIN))?;
        stream.write_all(b"GET /seen HTTP/1.0\r\n\r\n")?;
        let mut said = String::new();
        stream.read_to_string(&mut said)?;
        // "server accepts handled requests", and below it their numbers.
        let numbers = said.split("requests\n").nth(1).and_then(|rest| rest.lines().next()).unwrap_or_default();
        let numbers: Vec<u64> = numbers.split_whitespace().map_while(|n| n.parse().ok()).collect();
        let [connections, _, requests] = numbers[..] else {
            return Err(format!("origin: no counts in {said:?}").into());
        };
        Ok(Seen { connections, requests })
    }

    /// A fault where `answered` requests of a proxy's clients should have led to other requests here than since `before`.
    pub fn holds(&self, ask: Ask, before: Seen, answered: u64) -> Result<(), Fault> {
        let now = self.seen()?;
        // Without our own.
        let (requests, connections) = (now.requests - before.requests - 1, now.connections - before.connections - 1);
        match ask {
            Ask::Hit if requests > 0 => Err(format!("no hits: the origin was asked {requests} times").into()),
            Ask::Miss if requests < answered => {
                Err(format!("{answered} answers, but the origin was asked {requests} times").into())
            }
            Ask::Miss if connections * REQUESTS_A_CONNECTION > requests => {
                Err(format!("not kept open: {connections} connections for {requests} requests").into())
            }
            _ => Ok(()),
        }
    }
}
