//! Who is let in and may ask, whatever his connections, and who is forgotten.

use proptest::prelude::*;

use super::*;

const LIMITS: Limits = Limits { connections: 2, requests: 3, burst: 5 };

fn of(limits: Limits) -> Clients {
    let exempt = vec!["198.51.100.0/24".parse().unwrap()];
    Clients::new(Rules { limits, exempt, ..Rules::default() }, &Metrics::new())
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn connections_are_counted_by_client() {
    let clients = Arc::new(of(LIMITS));
    let first = clients.admit(ip("192.0.2.1")).unwrap();
    let _second = clients.admit(ip("::ffff:192.0.2.1")).unwrap();
    assert!(clients.admit(ip("192.0.2.1")).is_none());
    let _other = clients.admit(ip("192.0.2.2")).unwrap();
    // Who stands for many is not counted.
    let many: Vec<Guest> = (0..9).map(|_| clients.admit(ip("198.51.100.7")).unwrap()).collect();
    assert!(many.iter().all(|guest| (0..9).all(|_| guest.may_ask())));
    drop(first);
    assert!(clients.admit(ip("192.0.2.1")).is_some());
    // A household has 2^64 addresses.
    let _six: Vec<Guest> = (1..3).map(|n| clients.admit(ip(&format!("2001:db8::{n}"))).unwrap()).collect();
    assert!(clients.admit(ip("2001:db8::ffff")).is_none());
    assert!(clients.admit(ip("2001:db8:0:1::1")).is_some());
}

#[test]
fn requests_come_at_a_pace_whatever_the_connection() {
    let clients = Arc::new(of(LIMITS));
    let asks = |now: u32| {
        clients.sweep(now);
        (0..10).filter(|_| clients.admit(ip("192.0.2.1")).unwrap().may_ask()).count()
    };
    assert_eq!([asks(0), asks(0), asks(1), asks(2), asks(9)], [5, 0, 3, 3, 5]);
    clients.sweep(10);
    assert_eq!(clients.len(), 1, "he would begin anew");
    clients.sweep(11);
    assert_eq!(clients.len(), 0);
    let unlimited = Arc::new(of(Limits { requests: 0, ..LIMITS }));
    let guest = unlimited.admit(ip("192.0.2.1")).unwrap();
    assert!((0..100).all(|_| guest.may_ask()));
    drop(guest);
    assert_eq!(unlimited.len(), 0);
}

#[test]
fn who_asks_through_another_is_counted_by_his_requests() {
    let forwarders = Forwarders { from: vec!["10.0.0.0/8".parse().unwrap()], ..Forwarders::default() };
    let proxy_protocol_from = vec!["172.16.0.1".parse().unwrap()];
    let rules = Rules { limits: LIMITS, forwarders, proxy_protocol_from, ..Rules::default() };
    let clients = Arc::new(Clients::new(rules, &Metrics::new()));
    // Those before us have as many connections as they need.
    let many: Vec<Guest> =
        ["10.0.0.1", "172.16.0.1"].iter().flat_map(|a| (0..9).map(|_| clients.admit(ip(a)).unwrap())).collect();
    assert_eq!((many.len(), clients.len()), (18, 0));
    let trusts = |address: &str| clients.admit(ip(address)).unwrap().trusted().is_some();
    assert!(trusts("10.0.0.1") && !trusts("172.16.0.1") && !trusts("192.0.2.9"));
    assert!(clients.is_introduced(ip("172.16.0.1")) && !clients.is_introduced(ip("10.0.0.1")));
    let _his = [clients.admit(ip("192.0.2.1")).unwrap(), clients.admit(ip("192.0.2.1")).unwrap()];
    let asks = |address: &str| (0..10).filter(|_| clients.asking(ip(address)).may_ask()).count();
    assert_eq!([asks("192.0.2.1"), asks("192.0.2.2"), asks("192.0.2.1")], [5, 5, 0]);
    assert!(clients.admit(ip("192.0.2.1")).is_none(), "he has two connections, as before");
    clients.sweep(9);
    assert_eq!(clients.len(), 1, "who has gone is forgotten");
}

#[test]
fn many_addresses_are_not_remembered_for_ever() {
    let clients = Arc::new(of(Limits { requests: 1, burst: 100, ..LIMITS }));
    let come = |n: u32| clients.admit(IpAddr::from(n.to_be_bytes())).unwrap();
    for n in 0..100_000 {
        let guest = come(n);
        assert!((0..2).all(|_| guest.may_ask()));
    }
    // In such a crowd, who has spent all he has gains nothing by coming again; nor does who asks once at a time.
    let asks = || (0..200).filter(|_| clients.asking(ip("192.0.2.1")).may_ask()).count();
    assert_eq!([asks(), asks()], [100, 0]);
    clients.sweep(1);
    assert_eq!(clients.len(), 1, "who has hardly asked is forgotten, and he is not");
    assert_eq!(asks(), 1);
    (0..400_000).for_each(|n| drop(come(n)));
    assert!(clients.len() <= SHARDS * (REMEMBERED_MAX + 1), "{}", clients.len());
}

#[test]
fn nobody_is_forgotten_for_less_than_he_takes() {
    let clients = Arc::new(of(Limits { requests: 1, burst: 100, ..LIMITS }));
    let crowd = SHARDS as u32 * (CROWD as u32 * 5 / 4);
    let _crowd: Vec<Guest> = (0..crowd).map(|n| clients.admit(IpAddr::from(n.to_be_bytes())).unwrap()).collect();
    let asks = |now: u32| {
        clients.sweep(now);
        (0..100 / HARDLY_PART).filter(|_| clients.asking(ip("192.0.2.1")).may_ask()).count()
    };
    let all: usize = (1..=40).map(asks).sum();
    assert_eq!(all, 100 + 39, "what he has, and his pace");
}

proptest! {
    /// A plain count of what may be asked, second by second.
    #[test]
    fn a_bucket_is_a_bucket(steps in proptest::collection::vec((0..3u32, 0..8u32), 0..40)) {
        let clients = Arc::new(of(LIMITS));
        let guest = clients.admit(ip("192.0.2.1")).unwrap();
        let (mut now, mut left) = (0, LIMITS.burst);
        for (later, asks) in steps {
            now += later;
            clients.sweep(now);
            left = (left + later * LIMITS.requests).min(LIMITS.burst);
            for _ in 0..asks {
                prop_assert_eq!(guest.may_ask(), left > 0);
                left = left.saturating_sub(1);
            }
        }
    }
}
