//! Where an upstream's origins are: literal addresses, /etc/hosts, the DNS. Knows nothing of connections.
//!
//! A resolver is made for each lookup and dropped after it: its sockets belong to the runtime that opened them, and there
//! are several; and so a changed resolv.conf or hosts file counts at once. What it found is kept here, for all threads, as
//! long as its TTL says. While nobody answers, what was known last goes on being used.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hickory_resolver::config::LookupIpStrategy;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::op::Query;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use hickory_resolver::{Hosts, ResolverBuilder, TokioResolver};
use tokio::time::{Instant, timeout_at};

use super::plan::Origin;
use crate::proxy::failure::Failure;

/// A TTL of 0 s would mean a lookup for each request.
const TTL_LEAST: Duration = Duration::from_secs(1);
/// Longer than this nothing is believed: /etc/hosts has no TTL, and operators change it.
const TTL_MOST: Duration = Duration::from_secs(300);
/// After a lookup that gave nothing, before the next: a resolver that is away would else hold up every request.
const AFTER_FAILURE: Duration = Duration::from_secs(5);
/// More addresses of a name than anybody tries.
const ADDRESSES_MOST: usize = 16;

/// One address, and the origin it belongs to: by its name its certificate is verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Place {
    pub origin: usize,
    pub address: SocketAddr,
}

/// See above.
pub struct Names(Vec<Entry>);

struct Entry {
    host: String,
    port: u16,
    /// A literal address, or `localhost`: needs nobody.
    fixed: Vec<IpAddr>,
    known: Mutex<Known>,
    asking: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Known {
    addresses: Vec<IpAddr>,
    until: Option<Instant>,
}

impl Names {
    pub fn new(origins: &[Origin]) -> Names {
        let entry = |origin: &Origin| Entry {
            host: origin.host.clone(),
            port: origin.port,
            fixed: fixed(&origin.host),
            known: Mutex::default(),
            asking: tokio::sync::Mutex::default(),
        };
        Names(origins.iter().map(entry).collect())
    }

    /// All places that are known by `deadline`, in the order of the settings.
    pub async fn places(&self, deadline: Instant) -> Result<Vec<Place>, Failure> {
        let mut places = Vec::new();
        for (origin, entry) in self.0.iter().enumerate() {
            let left = u32::try_from(self.0.len() - origin).unwrap_or(u32::MAX);
            let now = Instant::now();
            let share = now + deadline.saturating_duration_since(now) / left;
            let of = |ip: IpAddr| Place { origin, address: SocketAddr::new(ip, entry.port) };
            places.extend(entry.addresses(share).await.into_iter().map(of));
        }
        if places.is_empty() { Err(Failure::Unresolved) } else { Ok(places) }
    }
}

impl Entry {
    async fn addresses(&self, deadline: Instant) -> Vec<IpAddr> {
        if !self.fixed.is_empty() {
            return self.fixed.clone();
        }
        if let Some(fresh) = self.fresh() {
            return fresh;
        }
        // One asks; the others use what was known, or wait for him.
        let _asking = match self.asking.try_lock() {
            Ok(asking) => asking,
            Err(_) => {
                let last = self.last();
                if !last.is_empty() {
                    return last;
                }
                match timeout_at(deadline, self.asking.lock()).await {
                    Ok(asking) => asking,
                    Err(_) => return Vec::new(),
                }
            }
        };
        if let Some(fresh) = self.fresh() {
            return fresh;
        }
        let answer = timeout_at(deadline, look_up(&self.host)).await.unwrap_or(Answer::Nobody);
        let now = Instant::now();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        match answer {
            Answer::Here(addresses, ttl) => {
                *known = Known { addresses, until: Some(now + ttl.clamp(TTL_LEAST, TTL_MOST)) }
            }
            Answer::Nowhere => *known = Known { addresses: Vec::new(), until: Some(now + AFTER_FAILURE) },
            Answer::Nobody => known.until = Some(now + AFTER_FAILURE),
        }
        known.addresses.clone()
    }

    fn fresh(&self) -> Option<Vec<IpAddr>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.until.filter(|until| Instant::now() < *until).map(|_| known.addresses.clone())
    }

    fn last(&self) -> Vec<IpAddr> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).addresses.clone()
    }
}

fn fixed(host: &str) -> Vec<IpAddr> {
    if let Ok(ip) = host.parse() {
        return vec![ip];
    }
    // RFC 6761, 6.3: never asked of the DNS.
    let is_local = host.trim_end_matches('.').eq_ignore_ascii_case("localhost");
    if is_local { vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()] } else { Vec::new() }
}

enum Answer {
    Here(Vec<IpAddr>, Duration),
    /// The DNS says that there is no address.
    Nowhere,
    /// No answer.
    Nobody,
}

async fn look_up(host: &str) -> Answer {
    let Ok(builder) = TokioResolver::builder_tokio() else {
        return in_hosts(host, &Hosts::from_system().unwrap_or_default());
    };
    ask(builder, host).await
}

async fn ask(mut builder: ResolverBuilder<TokioRuntimeProvider>, host: &str) -> Answer {
    // The order in which addresses are tried, and IPv4 is more often whole.
    builder.options_mut().ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    let Ok(resolver) = builder.build() else { return Answer::Nobody };
    match resolver.lookup_ip(host).await {
        Ok(found) => {
            let ttl = Instant::from_std(found.valid_until()).saturating_duration_since(Instant::now());
            Answer::of(found.iter(), ttl)
        }
        Err(error) if error.is_nx_domain() || error.is_no_records_found() => Answer::Nowhere,
        Err(_) => Answer::Nobody,
    }
}

/// Without a resolver.
fn in_hosts(host: &str, hosts: &Hosts) -> Answer {
    let Ok(name) = Name::from_utf8(host.to_ascii_lowercase()) else { return Answer::Nowhere };
    let addresses = [RecordType::A, RecordType::AAAA].into_iter().flat_map(|kind| {
        let found = hosts.lookup_static_host(&Query::query(name.clone(), kind));
        let records = found.map(|lookup| lookup.answers().to_vec()).unwrap_or_default();
        records.into_iter().filter_map(|record| match record.data {
            RData::A(ip) => Some(IpAddr::V4(ip.0)),
            RData::AAAA(ip) => Some(IpAddr::V6(ip.0)),
            _ => None,
        })
    });
    Answer::of(addresses, TTL_MOST)
}

impl Answer {
    fn of(addresses: impl Iterator<Item = IpAddr>, ttl: Duration) -> Answer {
        let mut found: Vec<IpAddr> = Vec::new();
        for ip in addresses {
            if !found.contains(&ip) && found.len() < ADDRESSES_MOST {
                found.push(ip);
            }
        }
        if found.is_empty() { Answer::Nowhere } else { Answer::Here(found, ttl) }
    }
}

#[cfg(test)]
mod tests {
    use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
    use hickory_resolver::proto::op::{Message, OpCode, ResponseCode};
    use hickory_resolver::proto::rr::Record;

    use super::*;

    fn origin(host: &str) -> Origin {
        Origin { host: host.to_owned(), port: 80 }
    }

    #[tokio::test]
    async fn literals_and_localhost_need_nobody() {
        let names = Names::new(&[origin("192.0.2.7"), origin("2001:db8::1"), origin("LocalHost")]);
        let places = names.places(Instant::now()).await.unwrap();
        let told: Vec<_> = places.iter().map(|place| (place.origin, place.address.to_string())).collect();
        let of = |origin, address: &str| (origin, address.to_owned());
        assert_eq!(told, [of(0, "192.0.2.7:80"), of(1, "[2001:db8::1]:80"), of(2, "127.0.0.1:80"), of(2, "[::1]:80")]);
    }

    #[test]
    fn the_hosts_file_alone() {
        let mut hosts = Hosts::default();
        hosts.read_hosts_conf(&b"192.0.2.1 Origin.example other\n2001:db8::1 origin.example # a remark\n"[..]).unwrap();
        let Answer::Here(found, ttl) = in_hosts("ORIGIN.example", &hosts) else { panic!("not found") };
        assert_eq!(found, ["192.0.2.1".parse::<IpAddr>().unwrap(), "2001:db8::1".parse().unwrap()]);
        assert_eq!(ttl, TTL_MOST);
        assert!(matches!(in_hosts("elsewhere.example", &hosts), Answer::Nowhere));
    }

    /// A name server that has an address for `here.example`, for a minute; `gone.example` does not exist, and of all else
    /// it knows nothing today.
    async fn server() -> ResolverBuilder<TokioRuntimeProvider> {
        let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let mut connection = ConnectionConfig::udp();
        connection.port = socket.local_addr().unwrap().port();
        let server = NameServerConfig::new(Ipv4Addr::LOCALHOST.into(), true, vec![connection]);
        tokio::spawn(async move {
            let mut bytes = [0; 1500];
            while let Ok((length, from)) = socket.recv_from(&mut bytes).await {
                let asked = Message::from_vec(&bytes[..length]).unwrap();
                let query = asked.queries[0].clone();
                let mut answer = Message::response(asked.metadata.id, OpCode::Query);
                let name = query.name().to_string();
                match (name.as_str(), query.query_type()) {
                    ("here.example.", RecordType::A) => {
                        let ip = RData::A(Ipv4Addr::new(192, 0, 2, 9).into());
                        answer.add_answer(Record::from_rdata(query.name().clone(), 60, ip));
                    }
                    ("here.example.", _) => {}
                    ("gone.example.", _) => answer.metadata.response_code = ResponseCode::NXDomain,
                    _ => answer.metadata.response_code = ResponseCode::ServFail,
                }
                answer.add_query(query);
                let _ = socket.send_to(&answer.to_vec().unwrap(), from).await;
            }
        });
        let config = ResolverConfig::from_name_servers(vec![server]);
        TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
    }

    #[tokio::test]
    async fn the_dns_is_asked() {
        let Answer::Here(found, ttl) = ask(server().await, "here.example").await else { panic!("not found") };
        assert_eq!(found, ["192.0.2.9".parse::<IpAddr>().unwrap()]);
        assert!(ttl <= Duration::from_secs(60) && ttl > Duration::from_secs(1), "{ttl:?}");
        assert!(matches!(ask(server().await, "gone.example").await, Answer::Nowhere));
        assert!(matches!(ask(server().await, "broken.example").await, Answer::Nobody));
    }

    #[tokio::test]
    async fn what_was_known_is_used_while_somebody_asks() {
        let names = Names::new(&[origin("origin.example")]);
        let entry = &names.0[0];
        entry.known.lock().unwrap().addresses = vec!["192.0.2.1".parse().unwrap()];
        let _asking = entry.asking.lock().await;
        assert_eq!(names.places(Instant::now()).await.unwrap().len(), 1);
        entry.known.lock().unwrap().addresses.clear();
        assert_eq!(names.places(Instant::now()).await, Err(Failure::Unresolved));
    }
}
