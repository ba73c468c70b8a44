//! The order of places, as it comes of who is under way, and of how well each has answered; with moments of a script.

use std::time::Duration;

use tokio::time::Instant;

use crate::proxy::upstream::health::{Turn, Word};
use crate::proxy::upstream::names::Place;
use crate::proxy::upstream::places::Places;

fn place(number: u8) -> Place {
    Place { origin: 0, address: ([127, 0, 0, number], 80).into() }
}

fn all(count: u8) -> Vec<Place> {
    (1..=count).map(place).collect()
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Three requests to it, and no answer.
fn spoil(places: &mut Places, number: u8, now: Instant) -> Option<Turn> {
    places.begin(place(number), now);
    places.end(place(number));
    (0..3).fold(None, |_, _| places.heard(place(number), Word::NoAnswer, now, now))
}

/// How many of so many requests one after the other each place gets, with none under way.
fn shares(places: &mut Places, count: u8, requests: usize, now: Instant) -> Vec<usize> {
    let mut shares = vec![0; count.into()];
    for _ in 0..requests {
        let first = places.order(all(count), now)[0];
        places.begin(first, now);
        places.end(first);
        shares[all(count).iter().position(|place| *place == first).unwrap()] += 1;
    }
    shares
}

#[tokio::test]
async fn the_least_busy_first_and_in_turns() {
    let (mut places, now) = (Places::default(), Instant::now());
    assert_eq!(places.order(all(3), now), all(3));
    places.begin(place(1), now);
    places.begin(place(2), now);
    places.end(place(2));
    assert_eq!(places.order(all(3), now), [place(3), place(2), place(1)]);
}

#[tokio::test]
async fn what_failed_is_passed_over_for_longer_and_longer() {
    let (mut places, mut now) = (Places::default(), Instant::now());
    for pause in [1, 2, 4, 8, 16, 30, 30] {
        places.failed(place(1), now);
        places.failed(place(1), now);
        let pause = seconds(pause);
        assert_eq!(places.order(all(2), now + pause - Duration::from_millis(1)), [place(2), place(1)]);
        now += pause;
        assert_eq!(places.order(all(2), now)[0], place(1));
    }
    places.reached(place(1), now);
    places.failed(place(1), now);
    assert_eq!(places.order(all(2), now + seconds(1))[0], place(1));
    // All of them: then it is as if none had, the one whose time comes first.
    places.failed(place(2), now + Duration::from_millis(1));
    assert_eq!(places.order(all(2), now + Duration::from_millis(2)), [place(1), place(2)]);
}

#[tokio::test]
async fn at_most_half_are_ejected_at_once() {
    // Of so many places so many.
    for (count, most) in [(1, 0), (2, 1), (3, 1), (4, 2), (5, 2)] {
        let (mut places, now) = (Places::default(), Instant::now());
        places.order(all(count), now);
        let turns: Vec<_> = (1..count).map(|number| spoil(&mut places, number, now)).collect();
        let ejected = turns.iter().filter(|turn| **turn == Some(Turn::Ejected(seconds(10)))).count();
        assert_eq!(ejected, most, "{count}");
        let order = places.order(all(count), now);
        let last: Vec<_> = order[order.len() - most..].to_vec();
        assert_eq!(last, all(count)[..most], "{count}");
        assert_eq!(places.order(all(count), now + seconds(10)).len(), usize::from(count));
    }
}

#[tokio::test]
async fn with_all_bad_they_are_tried_as_if_none_were() {
    let (mut places, now) = (Places::default(), Instant::now());
    places.order(all(2), now);
    assert!(spoil(&mut places, 1, now).is_some());
    assert_eq!(shares(&mut places, 2, 8, now), [0, 8]);
    assert!(spoil(&mut places, 2, now).is_none());
    assert_eq!(shares(&mut places, 2, 8, now), [4, 4]);
    // The first that is well again gets them all; and then there is room to eject the other.
    let later = now + seconds(1);
    assert_eq!(places.heard(place(1), Word::Well, later, later), Some(Turn::Back));
    assert_eq!(places.heard(place(2), Word::Failure, later, later), Some(Turn::Ejected(seconds(10))));
    assert_eq!(shares(&mut places, 2, 8, later), [8, 0]);
}

#[tokio::test]
async fn what_fails_its_checks_is_used_only_where_all_do() {
    let (mut places, now) = (Places::default(), Instant::now());
    places.order(all(2), now);
    let fall = |places: &mut Places, number| (0..3).find_map(|_| places.checked(place(number), false, now));
    assert_eq!(fall(&mut places, 1), Some(Turn::Down));
    assert_eq!(shares(&mut places, 2, 8, now + seconds(999)), [0, 8]);
    assert_eq!(fall(&mut places, 2), Some(Turn::Down));
    assert_eq!(shares(&mut places, 2, 8, now), [4, 4]);
    // Nor is it passed over any longer once a check has reached it.
    places.failed(place(2), now);
    let rise = (0..2).find_map(|_| places.checked(place(2), true, now));
    assert_eq!((rise, shares(&mut places, 2, 8, now)), (Some(Turn::Up), vec![0, 8]));
}

#[tokio::test]
async fn on_trial_it_is_asked_little_until_it_has_answered() {
    let (mut places, begun) = (Places::default(), Instant::now());
    places.order(all(2), begun);
    spoil(&mut places, 1, begun);
    let now = begun + seconds(10);
    let tried = shares(&mut places, 2, 110, now);
    assert!(tried[0].abs_diff(10) <= 1, "{tried:?}");
    assert_eq!(places.heard(place(1), Word::Well, now, now), Some(Turn::Back));
    // It has had its turns for a while.
    shares(&mut places, 2, 20, now);
    assert_eq!(shares(&mut places, 2, 110, now), [55, 55]);
}

#[tokio::test]
async fn who_has_come_back_gets_a_share_that_grows() {
    let begun = Instant::now();
    // 10 s ejected, and then 10 s until all is as before: of 110 requests.
    for (second, expected) in [(10, [10, 100]), (15, [36, 74]), (20, [55, 55])] {
        let mut places = Places::new(seconds(10));
        places.order(all(2), begun);
        spoil(&mut places, 1, begun);
        let now = begun + seconds(second);
        assert_eq!(places.heard(place(1), Word::Well, now, now), Some(Turn::Back));
        let shares = shares(&mut places, 2, 110, now);
        assert!(shares.iter().zip(expected).all(|(got, meant)| got.abs_diff(meant) <= 1), "{second}: {shares:?}");
        // Under load too: with as much under way at both, the other is the less busy one.
        let mut busy = Places::new(seconds(10));
        busy.order(all(2), begun);
        spoil(&mut busy, 1, begun);
        busy.heard(place(1), Word::Well, now, now);
        let mut slow = 0;
        for _ in 0..110 {
            let first = busy.order(all(2), now)[0];
            busy.begin(first, now);
            slow += usize::from(first == place(1));
        }
        assert!(slow.abs_diff(expected[0]) <= 1, "{second}: {slow} of 110");
    }
}

#[tokio::test]
async fn who_took_no_connections_begins_slowly_too() {
    let (mut places, now) = (Places::new(seconds(10)), Instant::now());
    places.order(all(2), now);
    places.failed(place(1), now);
    let later = now + seconds(2);
    places.reached(place(1), later);
    let shares = shares(&mut places, 2, 110, later);
    assert!(shares[0].abs_diff(10) <= 1, "{shares:?}");
}
