//! The crowd against an invented server, in virtual time.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;

use super::bodies::Stored;
use super::crowd::{Ask, Crowd, Next, Outcome, WAYS};
use super::keep::{Lifetime, Mode, SECOND_US};
use super::plan::Plan;
use super::seen::NO_CORTE;

/// From one corte to the next.
const CORTE_S: u64 = 60;

fn plan(readers: u32) -> Plan {
    Plan {
        readers,
        comers: 0.0,
        rush: Duration::from_secs(10),
        stay: Duration::from_secs(20),
        returning: 0.0,
        dictionaries: 1.0,
        http2: 0.5,
        poll: Duration::from_secs(5),
        think: Duration::ZERO,
        mode: Mode::NoCache,
        page: "/".into(),
        poll_file: "/.prep/corte.json".into(),
        paths: vec!["/datos/a.json".into(), "/datos/b.json".into()],
        rate_max: None,
        seed: 7,
    }
}

/// A server that changes everything at every corte; answers take so long.
struct Server {
    stored: HashMap<(u16, u64), Arc<Stored>>,
    lifetime: Lifetime,
    takes_us: u64,
}

impl Server {
    fn new(lifetime: Lifetime) -> Server {
        Server { stored: HashMap::new(), lifetime, takes_us: 20_000 }
    }

    fn answer(&mut self, crowd: &mut Crowd, ask: &Ask, now_us: u64) -> Outcome {
        let n = now_us / (CORTE_S * SECOND_US);
        let corte = crowd.corte(format!("c{n}").as_bytes(), n * CORTE_S * SECOND_US);
        let stored = self.stored.entry((ask.resource, n)).or_insert_with(|| {
            let etag = Some(Bytes::from(format!("\"{n}\"")));
            Arc::new(Stored { etag, is_dictionary: true, ..Stored::plain(format!("{} {n}", ask.resource).as_bytes()) })
        });
        let lifetime = self.lifetime;
        if ask.kept.as_ref().is_some_and(|kept| kept.etag == stored.etag) {
            return Outcome::NotModified { lifetime, corte };
        }
        Outcome::Whole { lifetime, corte, stored: stored.clone() }
    }
}

/// What was asked, in order: when it was due, and the ask with whether it was answered whole.
fn night(plan: Plan, server: &mut Server, until_s: u64) -> (Crowd, Vec<(u64, Ask, bool)>) {
    let (mut crowd, mut asked) = (Crowd::new(plan), Vec::new());
    // Answers on their way: when they come.
    let mut coming: Vec<(u64, Ask)> = Vec::new();
    let mut now = 0;
    while now < until_s * SECOND_US {
        let mut next = u64::MAX;
        for way in WAYS {
            loop {
                match crowd.next(way, now) {
                    Next::Ask(ask) => coming.push((now + server.takes_us, ask)),
                    Next::At(at) => break next = next.min(at),
                    Next::Nothing => break,
                }
            }
        }
        coming.sort_by_key(|(at, _)| *at);
        let is_first = coming.first().is_some_and(|(at, _)| *at <= next);
        if is_first {
            let (at, ask) = coming.remove(0);
            now = at.max(now);
            let outcome = server.answer(&mut crowd, &ask, now);
            let is_whole = matches!(outcome, Outcome::Whole { .. });
            crowd.answered(&ask, outcome, now);
            asked.push((ask.due_us, ask, is_whole));
        } else if next == u64::MAX {
            break;
        } else {
            now = next;
        }
    }
    (crowd, asked)
}

fn of(resource: u16) -> impl Fn(&&(u64, Ask, bool)) -> bool {
    move |(_, ask, _)| ask.resource == resource
}

#[test]
fn a_reader_polls_at_his_times_and_takes_the_files_of_each_corte_once() {
    let (crowd, asked) = night(plan(1), &mut Server::new(Lifetime::default()), 3 * CORTE_S);
    let polls: Vec<u64> = asked.iter().filter(of(Plan::POLL)).map(|(due, ..)| *due).collect();
    assert!(polls.windows(2).all(|two| two[1] - two[0] == 5 * SECOND_US), "{polls:?}");
    assert!((34..=36).contains(&polls.len()), "{}", polls.len());
    for resource in [Plan::FIRST, Plan::FIRST + 1] {
        let files: Vec<_> = asked.iter().filter(of(resource)).collect();
        assert_eq!(files.len(), 3, "one at first, and one for each corte after it");
        assert!(files.iter().all(|(.., is_whole)| *is_whole));
        // Each time with what he had, and the first time with nothing.
        assert_eq!(files.iter().filter(|(_, ask, _)| ask.kept.is_some()).count(), 2);
    }
    // A page is opened once; of polls those alone have a body that find a new corte.
    assert_eq!(asked.iter().filter(of(Plan::PAGE)).count(), 1);
    assert_eq!(asked.iter().filter(of(Plan::POLL)).filter(|(.., is_whole)| *is_whole).count(), 3);
    assert_eq!((crowd.visits.new, crowd.visits.fresh), (1, 0));
}

#[test]
fn everybody_sees_each_corte_within_one_poll() {
    let (crowd, _) = night(plan(500), &mut Server::new(Lifetime::default()), 3 * CORTE_S - 1);
    let cortes = crowd.seen.cortes();
    assert_eq!(cortes.len(), 3);
    for corte in &cortes[1..] {
        assert_eq!(corte.late.len(), 500);
        let most = corte.late.max();
        // To two digits, and what an answer takes.
        assert!((4_500_000..=5_100_000).contains(&most), "{most}");
    }
    assert_eq!(crowd.waiting().0, 0);
}

#[test]
fn what_is_fresh_is_not_asked_for_and_makes_readers_late() {
    let lifetime = Lifetime { max_age_s: 20, stale_s: 5, ..Lifetime::default() };
    let by_cache = Plan { mode: Mode::Default, ..plan(50) };
    let (crowd, asked) = night(by_cache, &mut Server::new(lifetime), 3 * CORTE_S);
    let (_, without) = night(plan(50), &mut Server::new(lifetime), 3 * CORTE_S);
    assert!(crowd.visits.fresh > 500 && crowd.visits.stale > 50, "{:?}", crowd.visits);
    assert!(asked.len() * 2 < without.len(), "{} {}", asked.len(), without.len());
    let late = &crowd.seen.cortes()[1].late;
    assert!(late.max() > 10_000_000 && late.max() < 31_000_000, "{}", late.max());
}

#[test]
fn dictionaries_are_named_as_long_as_they_could_be_shown() {
    let named = |max_age_s, stale_s| {
        let lifetime = Lifetime { max_age_s, stale_s, ..Lifetime::default() };
        let (_, asked) = night(plan(20), &mut Server::new(lifetime), 3 * CORTE_S);
        let files: Vec<_> = asked.into_iter().filter(|(_, ask, _)| ask.resource >= Plan::FIRST).collect();
        files.iter().filter(|(_, ask, _)| ask.dictionary.is_some()).count() as f64 / files.len() as f64
    };
    assert_eq!(named(0, 0), 0.0);
    assert!((named(60, 15) - 2.0 / 3.0).abs() < 0.01, "all but the first of three");
    assert!(named(20, 15) < 0.5, "over before the next corte comes");
}

#[test]
fn who_comes_for_a_corte_comes_again_and_may_know_what_he_had() {
    let comers = Plan { comers: 1.0, returning: 0.5, ..plan(400) };
    let (crowd, asked) = night(comers, &mut Server::new(Lifetime::default()), 3 * CORTE_S);
    // Somebody has to be there to see that there is a corte: nobody is, once all have gone.
    assert_eq!(crowd.visits.new, 400);
    let watched = |plan: Plan| {
        let mut crowd = Crowd::new(plan);
        let mut server = Server::new(Lifetime::default());
        for second in 0..3 * CORTE_S {
            let now = second * SECOND_US;
            let n = second / CORTE_S;
            crowd.corte(format!("c{n}").as_bytes(), n * CORTE_S * SECOND_US);
            for way in WAYS {
                while let Next::Ask(ask) = crowd.next(way, now) {
                    let outcome = server.answer(&mut crowd, &ask, now);
                    crowd.answered(&ask, outcome, now);
                }
            }
        }
        crowd.visits
    };
    let visits = watched(Plan { comers: 1.0, returning: 0.5, ..plan(400) });
    assert_eq!(visits.new + visits.returning, 1_200, "each for each of three cortes");
    assert!((300..500).contains(&visits.returning), "{visits:?}");
    assert!(asked.iter().all(|(due, ..)| *due < 40 * SECOND_US), "who has stayed long enough is gone");
}

#[test]
fn a_limit_is_kept_and_waiting_for_it_is_nobodys_fault() {
    let limited = Plan { rate_max: Some(10), ..plan(500) };
    let (crowd, asked) = night(limited, &mut Server::new(Lifetime::default()), 30);
    assert!((290..=301).contains(&asked.len()), "{}", asked.len());
    assert!(crowd.visits.held_back > 200);
    assert!(asked.windows(2).all(|two| two[1].0 + 5_000 >= two[0].0 + SECOND_US / 10));
}

#[test]
fn names_of_cortes_are_bounded() {
    let mut crowd = Crowd::new(plan(1));
    for odd in [&b""[..], b"a b", b"\xff", &[b'a'; 65]] {
        assert_eq!(crowd.corte(odd, 0), None);
    }
    let places: Vec<_> = (0..2_000u32).map(|n| crowd.corte(n.to_string().as_bytes(), 0)).collect();
    assert_eq!(places.iter().flatten().count(), 1_008);
    assert!(places.iter().flatten().all(|place| *place != NO_CORTE));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(30))]
    #[test]
    fn nobody_asks_twice_at_once_and_nobody_is_forgotten(
        seed: u64, readers in 1u32..40, comers in 0.0f64..1.0, max_age_s in 0u32..40, stale_s in 0u32..20, from_cache: bool,
    ) {
        let mode = if from_cache { Mode::Default } else { Mode::NoCache };
        let mut crowd = Crowd::new(Plan { comers, seed, mode, returning: 0.5, ..plan(readers) });
        let mut server = Server::new(Lifetime { max_age_s, stale_s, ..Lifetime::default() });
        let mut under_way: HashMap<u32, Ask> = HashMap::new();
        let mut has_asked = vec![false; readers as usize];
        for second in 0..2 * CORTE_S {
            let now = second * SECOND_US;
            // Answers of a second ago; every fifth fails.
            for (n, ask) in under_way.drain().collect::<Vec<_>>() {
                let outcome = if (n + second as u32).is_multiple_of(5) { Outcome::Failed } else { server.answer(&mut crowd, &ask, now) };
                crowd.answered(&ask, outcome, now);
            }
            for way in WAYS {
                while let Next::Ask(ask) = crowd.next(way, now) {
                    prop_assert!(ask.due_us <= now);
                    has_asked[ask.reader as usize] = true;
                    prop_assert!(under_way.insert(ask.reader, ask).is_none());
                }
            }
        }
        prop_assert!(has_asked.into_iter().all(|has| has));
    }
}
