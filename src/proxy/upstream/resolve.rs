//! One look-up of a name: /etc/hosts, then the DNS, or what says that there is none.
//!
//! A resolver is made for each look-up and dropped after it: its sockets belong to the runtime that opened them, and there
//! are several; and so a changed resolv.conf or hosts file counts at once.

use std::net::IpAddr;
use std::time::Duration;

use hickory_resolver::config::{LookupIpStrategy, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::op::Query;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use hickory_resolver::{Hosts, ResolverBuilder, TokioResolver};
use tokio::time::Instant;

/// What /etc/hosts says has no TTL.
const HOSTS_TTL: Duration = Duration::from_secs(300);
/// More addresses of a name than anybody tries.
const ADDRESSES_MOST: usize = 16;

/// What came of it.
pub enum Answer {
    /// At these addresses, for so long.
    Here(Vec<IpAddr>, Duration),
    /// The DNS says that there is no such name.
    Nowhere,
    /// No answer, or none that says where.
    Nobody,
}

/// Asks whom `config` names; without it, whom this machine's own settings do.
pub async fn look_up(host: &str, config: Option<&ResolverConfig>) -> Answer {
    if let Some(config) = config {
        return ask(TokioResolver::builder_with_config(config.clone(), TokioRuntimeProvider::default()), host).await;
    }
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
        Err(error) if error.is_nx_domain() => Answer::Nowhere,
        // No record of one kind, and perhaps no answer as to the other: only the first is told here.
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
    Answer::of(addresses, HOSTS_TTL)
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
pub mod scripted {
    //! A name server that says what it is told to say.

    use std::net::Ipv4Addr;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, Mutex};

    use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
    use hickory_resolver::proto::op::{Message, OpCode, ResponseCode};
    use hickory_resolver::proto::rr::{RData, Record, RecordType};

    /// What it says of any name.
    #[derive(Clone, Copy)]
    pub enum Says {
        /// This IPv4 address, for so many seconds, and no IPv6 address.
        Here(Ipv4Addr, u32),
        /// No such name.
        Nowhere,
        /// There is the name, and nothing of it.
        NoRecords,
        /// It knows nothing today.
        Broken,
        /// No word.
        Nothing,
    }

    /// See above; it ends with its runtime.
    pub struct NameServer {
        pub config: ResolverConfig,
        says: Arc<Mutex<Says>>,
        asked: Arc<AtomicUsize>,
    }

    impl NameServer {
        pub async fn start(says: Says) -> NameServer {
            let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
            let mut connection = ConnectionConfig::udp();
            connection.port = socket.local_addr().unwrap().port();
            let server = NameServerConfig::new(Ipv4Addr::LOCALHOST.into(), true, vec![connection]);
            let (says, asked) = (Arc::new(Mutex::new(says)), Arc::new(AtomicUsize::new(0)));
            let config = ResolverConfig::from_name_servers(vec![server]);
            let (told, count) = (says.clone(), asked.clone());
            tokio::spawn(async move {
                let mut bytes = [0; 1500];
                while let Ok((length, from)) = socket.recv_from(&mut bytes).await {
                    let says = *told.lock().unwrap();
                    count.fetch_add(1, Ordering::SeqCst);
                    if let Some(answer) = answer(&bytes[..length], says) {
                        let _ = socket.send_to(&answer, from).await;
                    }
                }
            });
            NameServer { config, says, asked }
        }

        pub fn say(&self, says: Says) {
            *self.says.lock().unwrap() = says;
        }

        /// Questions so far.
        pub fn asked(&self) -> usize {
            self.asked.load(Ordering::SeqCst)
        }
    }

    fn answer(asked: &[u8], says: Says) -> Option<Vec<u8>> {
        let asked = Message::from_vec(asked).unwrap();
        let query = asked.queries[0].clone();
        let mut answer = Message::response(asked.metadata.id, OpCode::Query);
        match says {
            Says::Here(ip, ttl) if query.query_type() == RecordType::A => {
                answer.add_answer(Record::from_rdata(query.name().clone(), ttl, RData::A(ip.into())));
            }
            Says::Here(..) | Says::NoRecords => {}
            Says::Nowhere => answer.metadata.response_code = ResponseCode::NXDomain,
            Says::Broken => answer.metadata.response_code = ResponseCode::ServFail,
            Says::Nothing => return None,
        }
        answer.add_query(query);
        Some(answer.to_vec().unwrap())
    }
}

#[cfg(test)]
mod tests {
    use super::scripted::{NameServer, Says};
    use super::*;

    #[test]
    fn the_hosts_file_alone() {
        let mut hosts = Hosts::default();
        hosts.read_hosts_conf(&b"192.0.2.1 Origin.example other\n2001:db8::1 origin.example # a remark\n"[..]).unwrap();
        let Answer::Here(found, ttl) = in_hosts("ORIGIN.example", &hosts) else { panic!("not found") };
        assert_eq!(found, ["192.0.2.1".parse::<IpAddr>().unwrap(), "2001:db8::1".parse().unwrap()]);
        assert_eq!(ttl, HOSTS_TTL);
        assert!(matches!(in_hosts("elsewhere.example", &hosts), Answer::Nowhere));
    }

    #[tokio::test]
    async fn the_dns_is_asked() {
        let server = NameServer::start(Says::Here([192, 0, 2, 9].into(), 60)).await;
        let Answer::Here(found, ttl) = look_up("here.example", Some(&server.config)).await else { panic!("not found") };
        assert_eq!(found, ["192.0.2.9".parse::<IpAddr>().unwrap()]);
        assert!(ttl <= Duration::from_secs(60) && ttl > Duration::from_secs(1), "{ttl:?}");
        server.say(Says::Nowhere);
        assert!(matches!(look_up("gone.example", Some(&server.config)).await, Answer::Nowhere));
        for says in [Says::Broken, Says::NoRecords] {
            server.say(says);
            assert!(matches!(look_up("broken.example", Some(&server.config)).await, Answer::Nobody));
        }
    }
}
