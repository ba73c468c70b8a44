//! Where an upstream's origins are: literal addresses, /etc/hosts, the DNS. Knows nothing of connections.
//!
//! What a look-up found is kept here, for all threads, as long as its TTL says. Then one asks again, behind the readers' backs:
//! they wait a moment for it and no longer, for what was known last is most often still so. While nobody answers, it goes
//! on being used.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hickory_resolver::config::ResolverConfig;
use tokio::time::{Instant, timeout, timeout_at};

use super::plan::Origin;
use super::resolve::{Answer, look_up};
use crate::proxy::failure::Failure;

/// A TTL of 0 s would mean a lookup for each request.
const TTL_LEAST: Duration = Duration::from_secs(1);
/// Longer than this nothing is believed: operators change things, and a TTL of a day is what they forgot.
const TTL_MOST: Duration = Duration::from_secs(300);
/// After a lookup that gave nothing, before the next: a resolver that is away would else be asked by every request.
const AFTER_FAILURE: Duration = Duration::from_secs(5);
/// What a request waits for a better answer than it has: a resolver that is near takes a few milliseconds.
const WAIT_FOR_BETTER: Duration = Duration::from_millis(200);
/// A resolver that takes longer than this is away: twice the 5 s that it gives a name server.
const ASK_MOST: Duration = Duration::from_secs(10);

/// One address, and the origin it belongs to: by its name its certificate is verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    pub origin: usize,
    pub address: SocketAddr,
}

/// See above.
pub struct Names(Vec<Arc<Entry>>);

struct Entry {
    host: String,
    port: u16,
    /// A literal address, or `localhost`: needs nobody.
    fixed: Vec<IpAddr>,
    known: Mutex<Known>,
    asking: Arc<tokio::sync::Mutex<()>>,
    /// Whom to ask; without it, whom this machine asks.
    config: Option<ResolverConfig>,
}

#[derive(Default)]
struct Known {
    addresses: Vec<IpAddr>,
    until: Option<Instant>,
}

impl Names {
    pub fn new(origins: &[Origin]) -> Names {
        Names::by(origins, None)
    }

    fn by(origins: &[Origin], config: Option<ResolverConfig>) -> Names {
        let entry = |origin: &Origin| Entry {
            host: origin.host.clone(),
            port: origin.port,
            fixed: fixed(&origin.host),
            known: Mutex::default(),
            asking: Arc::default(),
            config: config.clone(),
        };
        Names(origins.iter().map(entry).map(Arc::new).collect())
    }

    /// The same, where nobody has to be asked.
    pub fn ready(&self) -> Option<Vec<Place>> {
        let mut places = Vec::with_capacity(self.0.len());
        for (origin, entry) in self.0.iter().enumerate() {
            let of = |ip: &IpAddr| Place { origin, address: SocketAddr::new(*ip, entry.port) };
            match &entry.fixed[..] {
                [] => places.extend(entry.known().fresh()?.iter().map(of)),
                fixed => places.extend(fixed.iter().map(of)),
            }
        }
        Some(places)
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
    async fn addresses(self: &Arc<Self>, deadline: Instant) -> Vec<IpAddr> {
        if !self.fixed.is_empty() {
            return self.fixed.clone();
        }
        if let Some(fresh) = self.known().fresh() {
            return fresh;
        }
        let is_known = !self.known().addresses.is_empty();
        match self.asking.clone().try_lock_owned() {
            Ok(asking) => {
                let entry = self.clone();
                let asked = tokio::spawn(async move {
                    entry.ask().await;
                    drop(asking);
                });
                let better = if is_known { deadline.min(Instant::now() + WAIT_FOR_BETTER) } else { deadline };
                let _ = timeout_at(better, asked).await;
            }
            // One asks; the others use what was known, or wait for him.
            Err(_) if is_known => {}
            Err(_) => drop(timeout_at(deadline, self.asking.lock()).await),
        }
        self.known().addresses.clone()
    }

    async fn ask(&self) {
        // Somebody may just have had the answer.
        if self.known().fresh().is_some() {
            return;
        }
        let answer = timeout(ASK_MOST, look_up(&self.host, self.config.as_ref())).await.unwrap_or(Answer::Nobody);
        let now = Instant::now();
        let mut known = self.known();
        match answer {
            Answer::Here(addresses, ttl) => {
                *known = Known { addresses, until: Some(now + ttl.clamp(TTL_LEAST, TTL_MOST)) }
            }
            Answer::Nowhere => *known = Known { addresses: Vec::new(), until: Some(now + AFTER_FAILURE) },
            Answer::Nobody => known.until = Some(now + AFTER_FAILURE),
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn fresh(&self) -> Option<Vec<IpAddr>> {
        self.until.filter(|until| Instant::now() < *until).map(|_| self.addresses.clone())
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

#[cfg(test)]
mod tests {
    use super::super::resolve::scripted::{NameServer, Says};
    use super::*;

    fn origin(host: &str) -> Origin {
        Origin { host: host.to_owned(), port: 80 }
    }

    /// Far enough away that nothing here comes near it.
    fn far() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    #[tokio::test]
    async fn literals_and_localhost_need_nobody() {
        let names = Names::new(&[origin("192.0.2.7"), origin("2001:db8::1"), origin("LocalHost")]);
        let places = names.places(Instant::now()).await.unwrap();
        let told: Vec<_> = places.iter().map(|place| (place.origin, place.address.to_string())).collect();
        let of = |origin, address: &str| (origin, address.to_owned());
        assert_eq!(told, [of(0, "192.0.2.7:80"), of(1, "[2001:db8::1]:80"), of(2, "127.0.0.1:80"), of(2, "[::1]:80")]);
    }

    #[tokio::test]
    async fn what_was_known_is_used_while_somebody_asks() {
        let names = Names::new(&[origin("origin.example")]);
        let entry = &names.0[0];
        entry.known().addresses = vec!["192.0.2.1".parse().unwrap()];
        let _asking = entry.asking.lock().await;
        assert_eq!(names.places(Instant::now()).await.unwrap().len(), 1);
        entry.known().addresses.clear();
        assert_eq!(names.places(Instant::now()).await, Err(Failure::Unresolved));
    }

    /// The last numbers of the addresses that are known.
    async fn known(names: &Names) -> Vec<u8> {
        let places = names.places(far()).await.unwrap_or_default();
        let last = |place: &Place| match place.address.ip() {
            IpAddr::V4(ip) => ip.octets()[3],
            IpAddr::V6(ip) => ip.octets()[15],
        };
        places.iter().map(last).collect()
    }

    /// As if its time were over.
    fn expire(names: &Names) {
        names.0[0].known().until = Some(Instant::now());
    }

    #[tokio::test]
    async fn an_answer_is_kept_for_its_ttl_and_then_asked_for_again() {
        let here = |last, ttl| Says::Here([192, 0, 2, last].into(), ttl);
        for (ttl, least, most) in [(60, 50, 60), (0, 0, 1), (86_400, 290, 300)] {
            let server = NameServer::start(here(1, ttl)).await;
            let names = Names::by(&[origin("origin.example")], Some(server.config.clone()));
            assert_eq!(known(&names).await, [1]);
            let left = names.0[0].known().until.unwrap().saturating_duration_since(Instant::now());
            assert!(left >= Duration::from_secs(least) && left <= Duration::from_secs(most), "{ttl}: {left:?}");
            // So that the time of a day without load does not count.
            names.0[0].known().until = Some(far());
            let asked = server.asked();
            server.say(here(2, 60));
            assert_eq!((known(&names).await, server.asked()), (vec![1], asked));
            expire(&names);
            // On a slow day the answer comes behind the back of the first who asks.
            while known(&names).await != [2] {
                tokio::task::yield_now().await;
            }
            assert!(server.asked() > asked);
        }
    }

    #[tokio::test]
    async fn while_the_dns_fails_the_last_answer_is_used_and_nobody_waits_for_it() {
        let server = NameServer::start(Says::Here([192, 0, 2, 1].into(), 60)).await;
        let names = Names::by(&[origin("origin.example")], Some(server.config.clone()));
        assert_eq!(known(&names).await, [1]);
        for says in [Says::Broken, Says::NoRecords, Says::Nothing] {
            server.say(says);
            let (asked, begun) = (server.asked(), Instant::now());
            expire(&names);
            assert_eq!(known(&names).await, [1]);
            // hickory alone would wait 5 s for a name server that says nothing.
            assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
            while server.asked() == asked {
                tokio::task::yield_now().await;
            }
            if !matches!(says, Says::Nothing) {
                drop(names.0[0].asking.lock().await);
            }
        }
        // It is asked still; whoever comes meanwhile has the same.
        assert_eq!(known(&names).await, [1]);
    }

    #[tokio::test]
    async fn what_the_dns_says_is_gone_is_gone() {
        let server = NameServer::start(Says::Here([192, 0, 2, 1].into(), 60)).await;
        let names = Names::by(&[origin("origin.example")], Some(server.config.clone()));
        assert_eq!(known(&names).await, [1]);
        server.say(Says::Nowhere);
        expire(&names);
        while !known(&names).await.is_empty() {
            tokio::task::yield_now().await;
        }
        assert_eq!(names.places(far()).await, Err(Failure::Unresolved));
    }
}
